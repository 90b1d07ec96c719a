"""Rows for TRL that are made when asked for: they refer to frames, and pictures are decoded batch by batch.

Arrow would hold every picture, as PNG, from the start: 12,800 tiny ones take 1.5 GB on their way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Row = Callable[[int], dict[str, Any]]


class LateRows:
    """Makes the rows of a batch; one that it holds several times, as GRPO's groups do, once, pictures shared."""

    def __init__(self, row: Row) -> None:
        self._row = row

    def __call__(self, batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        made = {index: self._row(index) for index in dict.fromkeys(batch["index"])}
        each = [made[index] for index in batch["index"]]
        return {name: [one[name] for one in each] for name in each[0]}

    def __deepcopy__(self, memo: Any) -> LateRows:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # datasets pickles a transform for the name of a cache that is not used: all questions, a second of it.
        return str, (type(self).__name__,)


def late_dataset(length: int, row: Row) -> Any:
    """Return a dataset of so many rows, each made from its index."""
    from datasets import Dataset

    dataset = Dataset.from_dict({"index": list(range(length))})
    dataset.set_transform(LateRows(row))
    return dataset
