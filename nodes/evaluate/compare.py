"""`bench.compare`: the marks of two policies in one benchmark, paired by question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from msgspec import Struct

from graph.node import node
from nodes.evaluate.intervals import total_intervals
from nodes.evaluate.marks import Marks
from store.artifact import Artifact, Reader, Writer


class Difference(Struct, frozen=True):
    """What the second policy scores more than the first in a task or a total, officially and strictly, with 95 %
    intervals of paired differences, clustered by scene."""

    name: str
    questions: int
    official: float
    official_low: float
    official_high: float
    strict: float
    strict_low: float
    strict_high: float


class Differences(Artifact):
    """The comparison of two policies."""

    type: ClassVar[str] = "differences/1"
    plain: ClassVar[str] = "nodes.plain:write_rows"

    def __init__(self, rows: Sequence[Difference]) -> None:
        self.rows = list(rows)

    def write(self, w: Writer) -> None:
        w.table("differences", self.rows, Difference)

    @classmethod
    def open(cls, r: Reader) -> Differences:
        return cls(r.table("differences", Difference))

    def summary(self) -> dict[str, Any]:
        return {
            row.name: f"official {row.official:+.3f} [{row.official_low:+.3f}, {row.official_high:+.3f}],"
            f" strict {row.strict:+.3f} [{row.strict_low:+.3f}, {row.strict_high:+.3f}]"
            for row in self.rows
        }


@node("bench.compare", version=1, packages=("numpy",))
def compare(before: Marks, after: Marks) -> Differences:
    """Return what `after` scores more, by task and total.

    Raises:
        ValueError: the marks are not of the same questions.
    """
    later = {mark.id: mark for mark in after.rows}
    if later.keys() != {mark.id for mark in before.rows} or before.totals != after.totals:
        both = sum(mark.id in later for mark in before.rows)
        raise ValueError(
            f"bench.compare: marks of {len(before.rows)} and {len(after.rows)} questions, {both} of them in both;"
            " expected the same benchmark"
        )
    clusters = [mark.scene or mark.id for mark in before.rows]
    tasks = [mark.task for mark in before.rows]
    official = [later[mark.id].official - mark.official for mark in before.rows]
    strict = [later[mark.id].strict - mark.strict for mark in before.rows]
    by_official = total_intervals(official, clusters, tasks, before.totals)
    by_strict = total_intervals(strict, clusters, tasks, before.totals)
    counts = {name: sum(tasks.count(task) for task in weights) for name, weights in before.totals.items()}
    return Differences([Difference(name, counts[name], *by_official[name], *by_strict[name]) for name in before.totals])
