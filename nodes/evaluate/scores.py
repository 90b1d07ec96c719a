"""Scores: what a policy scored on every question of a pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from msgspec import Struct

from nodes.evaluate.intervals import Interval, clustered_interval
from store.artifact import Artifact, Reader, Writer


class Score(Struct, frozen=True):
    """One question: what was said, how right it was (0..1; MRA for numbers), p_geo of the true answer."""

    id: str
    scene: str
    task: str
    text: str
    accuracy: float
    p_answer: float


class Scores(Artifact):
    """The scores of one policy on one pool, with the means and 95 % intervals by task and overall.

    `dropped` says by id why a question was not asked; it counts as wrong, so that the scores of all policies are of the
    same questions.
    """

    type: ClassVar[str] = "scores/1"
    plain: ClassVar[str] = "nodes.plain:write_rows"

    def __init__(
        self,
        rows: Sequence[Score],
        is_blind: bool,
        dropped: Mapping[str, str] | None = None,
        table: Mapping[str, Interval] | None = None,
    ) -> None:
        self.rows, self.is_blind, self.dropped = list(rows), is_blind, dict(dropped or {})
        self.table = dict(table) if table is not None else accuracy_table(self.rows)

    @property
    def overall(self) -> Interval:
        """The plain mean over all questions."""
        return self.table["overall"]

    def write(self, w: Writer) -> None:
        accuracy = {name: list(row) for name, row in sorted(self.table.items())}
        dropped = {"dropped": dict(sorted(self.dropped.items()))} if self.dropped else {}
        w.attrs = {"is_blind": self.is_blind, "accuracy": accuracy, **dropped}
        w.table("questions", self.rows, Score)

    @classmethod
    def open(cls, r: Reader) -> Scores:
        table = {name: Interval(*row) for name, row in r.attrs["accuracy"].items()}
        return cls(r.table("questions", Score), r.attrs["is_blind"], r.attrs.get("dropped"), table)

    def summary(self) -> dict[str, Any]:
        accuracy = {name: [round(value, 4) for value in row] for name, row in self.table.items()}
        told = {"questions": len(self.rows), "blind": self.is_blind, "accuracy": accuracy}
        return {**told, "dropped": len(self.dropped)} if self.dropped else told


def accuracy_table(rows: Sequence[Score]) -> dict[str, Interval]:
    """Return mean accuracy with its interval, clustered by scene: `overall`, and by task. A question of no scene stands
    for itself."""
    groups: dict[str, list[Score]] = {"overall": list(rows)}
    for row in rows:
        groups.setdefault(row.task, []).append(row)
    return {
        name: clustered_interval([row.accuracy for row in group], [row.scene or row.id for row in group])
        for name, group in sorted(groups.items())
    }


def paired_difference(before: Scores, after: Scores) -> Interval:
    """Return mean(after - before) over the same questions, with its interval clustered by scene.

    Raises:
        ValueError: the two are not on the same questions.
    """
    earlier = {row.id: row.accuracy for row in before.rows}
    if len(earlier) != len(before.rows) or earlier.keys() != {row.id for row in after.rows}:
        both = len(earlier.keys() & {row.id for row in after.rows})
        raise ValueError(
            f"paired scores: {len(before.rows)} and {len(after.rows)} questions, {both} of them in both;"
            " expected the same"
        )
    gains = [row.accuracy - earlier[row.id] for row in after.rows]
    return clustered_interval(gains, [row.scene or row.id for row in after.rows])
