"""Benchmarks by name: `vsibench` in a spec is the entry point of that name in the group `dataflow.benchmark`.

A benchmark says how its published rows are put as questions, and scores what was said twice: `official`, as its
authors' program does, quirks included, and `strict`, which takes nothing for an answer but the answer. Between the two
lies what a number in a paper owes to the scorer. Prompts stand whole in the questions, options included, as published.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from nodes.questions.files.given import Wrong
from nodes.questions.question import Question

if TYPE_CHECKING:
    import numpy as np

Weights = Mapping[str, float]
"""What the mean of each task counts in a total, by task; they need not sum to 1."""


class Benchmark(NamedTuple):
    """One benchmark.

    Attributes:
        files: names under which its rows are published; the first that a folder holds is read.
        fields: makes of a published row the fields of `Given` (`nodes/questions/files/given.py`); raises Wrong. `task`
            is what scores are told by, `template` a second division (a data set, a kind of scene). Missing fields are
            named by the caller: `row["question"]` may raise KeyError.
        frames: of a video, where the benchmark shows any.
        official: 0..1, None where the authors' program finds no answer in the text, which counts as 0.
        strict: 0..1.
        totals: of the number of questions by task, the weights of each total.
    """

    files: tuple[str, ...]
    fields: Callable[[Mapping[str, Any]], dict[str, Any]]
    official: Callable[[str, Question], float | None]
    strict: Callable[[str, Question], float]
    totals: Callable[[Counter[str]], Mapping[str, Weights]]
    frames: int = 0


def pooled(tasks: Counter[str]) -> Weights:
    """Return the weights of the plain mean over all questions."""
    return {task: count / tasks.total() for task, count in tasks.items()}


def equal(tasks: Counter[str], of: frozenset[str] | None = None) -> Weights:
    """Return the weights of the plain mean over tasks; of those in `of` that there are."""
    present = [task for task in tasks if of is None or task in of]
    return {task: 1 / len(present) for task in present}


def letters(n: int) -> tuple[str, ...]:
    """Return A, B and so on: options that the prompt shows already. Raises Wrong: fewer than two, or above F."""
    if not 2 <= n <= 6:
        raise Wrong("options", f"{n} options: expected 2 to 6")
    return tuple("ABCDEF"[:n])


def text_of(row: Mapping[str, Any], name: str) -> str:
    """Return a field that holds text, as it stands. Raises Wrong, KeyError: it does not."""
    value = row[name]
    if not isinstance(value, str) or not value.strip():
        raise Wrong(f"no {name}", f"{name} = {str(value)[:80]!r}: expected text")
    return value


def thresholds() -> np.ndarray:
    """Return the ten thresholds of mean relative accuracy, to the bit as VSI-Bench's program has them: an error of
    exactly .2 misses the .8, whose complement is .19999999999999996."""
    import numpy as np

    return 1 - np.linspace(0.5, 0.95, 10)
