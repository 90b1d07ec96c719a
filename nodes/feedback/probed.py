"""Questions beside what was probed of them; those that a draw left out are told, not asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

from nodes.probe.probe import Probe, ProbeRow
from nodes.questions.question import Question, QuestionPool, pool_rows

Probed: TypeAlias = tuple[Question, ProbeRow]


def probed_rows(probe: Probe, questions: QuestionPool, kind: str) -> tuple[list[Probed], list[Question]]:
    """Return the probed questions of a pool with their rows, in the pool's order, and those that were not probed.

    Raises:
        ValueError: the probe has rows and the pool questions, but none in common; `kind` starts the text.
    """
    rows_by_id, rows = probe.by_id(), pool_rows(questions)
    found = [(row, rows_by_id[row.id]) for row in rows if row.id in rows_by_id]
    if rows_by_id and rows and not found:
        raise ValueError(
            f"{kind}: 0 of {len(rows)} questions probed, the first {rows[0].id!r}; the probe has"
            f" {len(rows_by_id)} others: expected a probe of this pool"
        )
    return found, [row for row in rows if row.id not in rows_by_id]


def measured(rows: Sequence[Probed], by: str, kind: str) -> list[float]:
    """Return one measure of the probe for every question, NaN where it was not measured.

    Raises:
        ValueError: it was measured of none.
    """
    values: list[float] = [getattr(row, by) for _, row in rows]
    if values and all(map(math.isnan, values)):
        raise ValueError(f"{kind}: {by} was measured of none of {len(values)} questions; pass_rate always is")
    return values
