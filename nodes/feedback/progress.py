"""`feedback.progress`: how fast a policy learns each cell, from anchors that are probed anew every round.

Confidence cannot tell a guess from what can be learned; a change of it can. The mean of a measure over a cell's anchors
is corrected for the chance c of the cell, p' = (p - c) / (1 - c), unclipped, smoothed over rounds (moving average .5),
and its absolute change over two rounds is the cell's learning progress. By measure:

    p_geo          probability of the true answer's tokens; c = 1 / k of k options, 0 for numbers, of which no chance
                   is known in tokens. One rollout an anchor is enough, since it is not drawn
    mean_accuracy  of the rollouts, for thoughts and for policies that tell no probability; c = 1 / k, for numbers the
                   mean MRA of answering their median

c is that of a cell's first round, so that p' compares. Source: ours (measured on a toy).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from msgspec import Meta, Struct

from graph.node import node
from nodes.feedback.compile import chance_of
from nodes.feedback.probed import measured, probed_rows
from nodes.probe.probe import Probe
from nodes.questions.question import Question, QuestionPool, cell_of
from store.artifact import Artifact, Reader, Writer

SMOOTHING = 0.5
ROUNDS = 2  # over which a change counts

Measure: TypeAlias = Literal["p_geo", "mean_accuracy"]


class CellRow(Struct, frozen=True):
    """One cell: its anchors, its chance, p' of every round in which it was probed, and its learning progress, 0 after
    the first."""

    cell: str
    anchors: int
    chance: float
    means: tuple[float, ...]
    progress: float


class CellProgress(Artifact):
    """The learning progress of every cell."""

    type: ClassVar[str] = "progress/1"
    plain: ClassVar[str] = "nodes.plain:write_rows"

    def __init__(self, rows: Sequence[CellRow]) -> None:
        self.rows = list(rows)

    def by_cell(self) -> dict[str, CellRow]:
        """Return the rows by cell."""
        return {row.cell: row for row in self.rows}

    def write(self, w: Writer) -> None:
        w.table("cells", self.rows, CellRow)

    @classmethod
    def open(cls, r: Reader) -> Self:
        return cls(r.table("cells", CellRow))

    def summary(self) -> dict[str, Any]:
        return {
            row.cell: {
                "anchors": row.anchors,
                "over_chance": round(row.means[-1], 3),
                "progress": round(row.progress, 3),
            }
            for row in self.rows
        }


class Progress(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `feedback.progress`."""

    by: Annotated[Measure, Meta(description="the measure of the probe")] = "p_geo"


@node("feedback.progress", version=1)
def progress(probe: Probe, questions: QuestionPool, past: CellProgress | None, *, params: Progress) -> CellProgress:
    """Return every cell's learning progress.

    Args:
        probe, questions: of the anchors, the same in every round (`select.anchors`).
        past: the round before's; a cell of it that is not probed now stays as it was.
    Raises:
        ValueError: a probe of another pool, or without the measure.
    """
    probed, _ = probed_rows(probe, questions, "feedback.progress")
    cells: dict[str, list[tuple[Question, float]]] = {}
    for (row, _), value in zip(probed, measured(probed, params.by, "feedback.progress"), strict=True):
        if not math.isnan(value):
            cells.setdefault(cell_of(row.task, row.template), []).append((row, value))
    rows = past.by_cell() if past else {}
    for cell, found in cells.items():
        before = rows.get(cell)
        chance = before.chance if before else _chance([question for question, _ in found], params.by)
        now = mean(corrected(value, chance) for _, value in found)
        means = (*(before.means if before else ()), now)
        rows[cell] = CellRow(cell, len(found), chance, means, abs(change(means)))
    return CellProgress([row for _, row in sorted(rows.items())])


def corrected(p: float, chance: float) -> float:
    """Return (p - c) / (1 - c): 0 at chance, 1 at most; 0 where chance is 1 and nothing is left to learn."""
    return (p - chance) / (1 - chance) if chance < 1 else 0.0


def change(values: Sequence[float]) -> float:
    """Return the change of the smoothed values over the last two rounds, or over what there is.

    Example:
        >>> change([0.0, 0.4, 0.4])  # smoothed 0, .2, .3
        0.3
    """
    smooth = [values[0]]
    for value in values[1:]:
        smooth.append(SMOOTHING * smooth[-1] + (1 - SMOOTHING) * value)
    return smooth[-1] - smooth[max(0, len(smooth) - 1 - ROUNDS)]


def _chance(questions: Sequence[Question], by: Measure) -> float:
    if by == "mean_accuracy":
        return chance_of(questions)
    return mean(question.chance if question.kind == "choice" else 0.0 for question in questions)
