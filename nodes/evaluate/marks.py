"""Marks: what a policy scored in a benchmark, as its authors score and strictly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from msgspec import Struct

from nodes.evaluate.benchmark import Weights
from store.artifact import Artifact, Reader, Writer


class Mark(Struct, frozen=True):
    """One question: 0..1 by each scorer; `is_read`: the official one found an answer in what was said."""

    id: str
    scene: str
    task: str
    template: str
    official: float
    strict: float
    is_read: bool


class Line(Struct, frozen=True):
    """One line of the table: a task, a template or a total of tasks.

    Means with 95 % intervals, clustered by scene. Officially scored, too: `chance`, what guessing gives (options: 1 in
    k; numbers: the median of the task's answers, which no policy knows), and `blind`, the same policy without pictures,
    NaN where it was not asked. `unread`: answers in which the official scorer found none.
    """

    name: str
    questions: int
    official: float
    official_low: float
    official_high: float
    strict: float
    strict_low: float
    strict_high: float
    chance: float
    blind: float
    unread: int


class Marks(Artifact):
    """The marks of one policy in one benchmark.

    `totals` are the weights of tasks in each total; `missing` counts questions by why they have no mark or were not
    asked: broken rows and absent pictures have no mark, what is too long for the policy counts as wrong.
    `contaminated` names places that trained the policy.
    """

    type: ClassVar[str] = "marks/1"
    plain: ClassVar[str] = "nodes.plain:write_marks"

    def __init__(
        self,
        rows: Sequence[Mark],
        lines: Sequence[Line],
        totals: Mapping[str, Weights],
        missing: Mapping[str, int],
        contaminated: Sequence[str],
    ) -> None:
        self.rows, self.lines = list(rows), list(lines)
        self.totals = {name: dict(weights) for name, weights in totals.items()}
        self.missing, self.contaminated = dict(missing), tuple(contaminated)

    def write(self, w: Writer) -> None:
        w.attrs = {
            "totals": self.totals,
            "missing": dict(sorted(self.missing.items())),
            "contaminated": list(self.contaminated),
        }
        w.table("questions", self.rows, Mark)
        w.table("lines", self.lines, Line)

    @classmethod
    def open(cls, r: Reader) -> Marks:
        told = (r.attrs["totals"], r.attrs["missing"], r.attrs["contaminated"])
        return cls(r.table("questions", Mark), r.table("lines", Line), *told)

    def summary(self) -> dict[str, Any]:
        told: dict[str, Any] = {"contaminated": len(self.contaminated)} if self.contaminated else {}
        return {**told, "missing": self.missing, "lines": [_sentence(line) for line in self.lines]}


def _sentence(line: Line) -> str:
    blind = f", blind {line.blind:.3f}" if line.blind == line.blind else ""
    return (
        f"{line.name}: official {line.official:.3f} [{line.official_low:.3f}, {line.official_high:.3f}], strict"
        f" {line.strict:.3f}{blind}, chance {line.chance:.3f}; {line.unread} of {line.questions} unread"
    )
