"""`feedback.progress`: how fast a policy learns each cell, from anchors that are probed anew every round.

Confidence cannot tell a guess from what can be learned; a change of it can. The mean of a measure over a cell's anchors
is corrected for the chance c of the cell, p' = (p - c) / (1 - c), unclipped, smoothed over rounds (moving average .5),
and its absolute change over two rounds is the cell's learning progress. By measure:

    p_geo          probability of the true answer's tokens; c = 1 / k of k options, 0 for numbers, of which no chance
                   is known in tokens. One rollout an anchor is enough, since it is not drawn
    mean_accuracy  of the rollouts, for thoughts and for policies that tell no probability; c = 1 / k, for numbers the
                   mean MRA of answering their median

c is that of a cell's first round, so that p' compares. Source: ours (measured on a toy).

A cell of which nothing can be learned changes too: each anchor's p wanders, and of n anchors the mean does by about a
standard deviation / sqrt(n). That error is told beside the progress; `errors` = 1 takes it off, and a change within it
counts as none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean, stdev
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
    the first; `error` is the standard error of the change, over anchors."""

    cell: str
    anchors: int
    chance: float
    means: tuple[float, ...]
    progress: float
    error: float = 0.0


class AnchorRow(Struct, frozen=True):
    """One anchor: its cell, and p' of every round in which it was probed."""

    id: str
    cell: str
    values: tuple[float, ...]


class CellProgress(Artifact):
    """The learning progress of every cell, and the anchors that it was seen on."""

    type: ClassVar[str] = "progress/2"
    plain: ClassVar[str] = "nodes.plain:write_rows"

    def __init__(self, rows: Sequence[CellRow], anchors: Sequence[AnchorRow] = ()) -> None:
        self.rows, self.anchors = list(rows), list(anchors)

    def by_cell(self) -> dict[str, CellRow]:
        """Return the rows by cell."""
        return {row.cell: row for row in self.rows}

    def write(self, w: Writer) -> None:
        w.table("cells", self.rows, CellRow)
        w.table("anchors", self.anchors, AnchorRow)

    @classmethod
    def open(cls, r: Reader) -> Self:
        return cls(r.table("cells", CellRow), r.table("anchors", AnchorRow))

    def summary(self) -> dict[str, Any]:
        return {
            row.cell: {
                "anchors": row.anchors,
                "over_chance": round(row.means[-1], 3),
                "progress": round(row.progress, 3),
                "error": round(row.error, 3),
            }
            for row in self.rows
        }


class Progress(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `feedback.progress`."""

    by: Annotated[Measure, Meta(description="the measure of the probe")] = "p_geo"
    errors: Annotated[float, Meta(ge=0, description="standard errors that are taken off each change")] = 0.0


@node("feedback.progress", version=2)
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
    before = past.by_cell() if past else {}
    anchors = {row.id: row for row in past.anchors} if past else {}
    now = {}
    for cell, found in cells.items():
        chance = before[cell].chance if cell in before else _chance([question for question, _ in found], params.by)
        values = {question.id: corrected(value, chance) for question, value in found}
        for name, value in values.items():
            anchors[name] = AnchorRow(name, cell, (*(anchors[name].values if name in anchors else ()), value))
        means = (*(before[cell].means if cell in before else ()), mean(values.values()))
        error = change_error([anchors[name].values for name in values])
        now[cell] = CellRow(
            cell, len(values), chance, means, max(0.0, abs(change(means)) - params.errors * error), error
        )
    rows = [row for _, row in sorted({**before, **now}.items())]
    return CellProgress(rows, [anchors[name] for name in sorted(anchors)])


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


def change_error(anchors: Sequence[Sequence[float]]) -> float:
    """Return the standard error of the mean change of anchors, each given by its values; 0 of a single one."""
    changes = [change(values) for values in anchors]
    return stdev(changes) / math.sqrt(len(changes)) if len(changes) > 1 else 0.0


def _chance(questions: Sequence[Question], by: Measure) -> float:
    if by == "mean_accuracy":
        return chance_of(questions)
    return mean(question.chance if question.kind == "choice" else 0.0 for question in questions)
