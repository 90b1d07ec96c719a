"""`feedback.table`: a round in one table, a cell a line, for people: what was asked, how well it went, what follows.

No node reads it, so its numbers may be fine: what feeds synthesis (`feedback.compile`) is coarse, so that a round's
small changes make nothing run again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean
from typing import Any, ClassVar, Self

from msgspec import Struct

from graph.node import node
from nodes.feedback.compile import SceneFeedback
from nodes.feedback.probed import Probed, probed_rows
from nodes.feedback.progress import CellProgress
from nodes.probe.probe import Probe
from nodes.questions.question import QuestionPool, cell_of, pool_rows
from store.artifact import Artifact, Reader, Writer
from store.collection import Collection

ALL = "all"


class TableRow(Struct, frozen=True):
    """One cell, or all. NaN where something is not known.

    `silent` is the share of questions whose rollouts are equally right, `selected` how many were trained on, `weight`
    (0..100) the mean over scenes of what the next round asks, `progress` its learning progress.
    """

    cell: str
    asked: int
    pass_rate: float
    accuracy: float
    p_geo: float
    silent: float
    selected: int
    weight: float
    progress: float


class CellTable(Artifact):
    """A round by cell; the last row is all of it. `budget`: questions that the next round asks for, 0 if unknown."""

    type: ClassVar[str] = "cells/1"
    plain: ClassVar[str] = "nodes.plain:write_rows"

    def __init__(self, rows: Sequence[TableRow], budget: int = 0) -> None:
        self.rows, self.budget = list(rows), budget

    def write(self, w: Writer) -> None:
        w.attrs = {"budget": self.budget}
        w.table("cells", self.rows, TableRow)

    @classmethod
    def open(cls, r: Reader) -> Self:
        return cls(r.table("cells", TableRow), r.attrs["budget"])

    def summary(self) -> dict[str, Any]:
        told: dict[str, Any] = {row.cell: _told(row) for row in self.rows}
        return {**told, **({"budget": self.budget} if self.budget else {})}


@node("feedback.table", version=1)
def table(
    probe: Probe,
    questions: QuestionPool,
    selected: QuestionPool | None,
    feedback: Collection[SceneFeedback] | None,
    progress: CellProgress | None,
) -> CellTable:
    """Return a round's table by cell.

    Args:
        selected: what was trained on, of these questions.
        feedback: of `feedback.compile`, after this round.
        progress: of `feedback.progress`, after this round.
    Raises:
        ValueError: a probe of another pool.
    """
    cells: dict[str, list[Probed]] = {}
    for question, row in probed_rows(probe, questions, "feedback.table")[0]:
        cells.setdefault(cell_of(question.task, question.template), []).append((question, row))
    taken = [cell_of(row.task, row.template) for row in pool_rows(selected)] if selected is not None else []
    weights: dict[str, list[int]] = {}
    for scene in feedback.values() if feedback is not None else ():
        for cell, weight in scene.weights.items():
            weights.setdefault(cell, []).append(weight)
    changes = {row.cell: row.progress for row in progress.rows} if progress is not None else {}
    rows = [
        _row(cell, cells.get(cell, []), taken.count(cell), weights.get(cell, []), changes.get(cell, math.nan))
        for cell in sorted({*cells, *weights, *changes, *taken})
    ]
    everything = [pair for pairs in cells.values() for pair in pairs]
    budget = sum(scene.budget for scene in feedback.values()) if feedback is not None else 0
    return CellTable([*rows, _row(ALL, everything, len(taken), [], math.nan)], budget)


def _row(cell: str, probed: Sequence[Probed], selected: int, weights: Sequence[int], progress: float) -> TableRow:
    rows = [row for _, row in probed]
    return TableRow(
        cell=cell,
        asked=len(rows),
        pass_rate=_mean([row.pass_rate for row in rows]),
        accuracy=_mean([row.mean_accuracy for row in rows]),
        p_geo=_mean([row.p_geo for row in rows]),
        silent=_mean([float(row.reward_variance == 0) for row in rows]),
        selected=selected,
        weight=_mean(weights),
        progress=progress,
    )


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(mean(known)) if known else math.nan


def _told(row: TableRow) -> dict[str, Any]:
    """Return a row's cells as people read them: counts, and what is known to three digits."""
    told: dict[str, Any] = {"asked": row.asked}
    for name in ("pass_rate", "accuracy", "p_geo", "silent"):
        told[name] = _rounded(getattr(row, name), 3)
    return {**told, "selected": row.selected, "weight": _rounded(row.weight, 1), "progress": _rounded(row.progress, 3)}


def _rounded(value: float, digits: int) -> float | None:
    return None if math.isnan(value) else round(value, digits)
