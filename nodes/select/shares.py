"""Shares: n questions divided among cells (task x template), by equal parts and by learning progress."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from nodes.questions.lots import lot
from nodes.questions.question import Question, cell_of
from nodes.questions.quota import quotas

if TYPE_CHECKING:
    from nodes.feedback.progress import CellProgress

WEIGHT = 10**9  # a cell's share as an integer: quotas are exact


def by_cell(rows: Iterable[Question]) -> dict[str, list[Question]]:
    """Return the questions of every cell, by its name."""
    cells: dict[str, list[Question]] = {}
    for row in rows:
        cells.setdefault(cell_of(row.task, row.template), []).append(row)
    return dict(sorted(cells.items()))


def cell_shares(cells: Iterable[str], progress: CellProgress | None, equal: float) -> dict[str, int]:
    """Return the share of every cell, times WEIGHT: `equal` of all by equal parts, the rest by learning progress.

    A cell whose progress is not known yet (never probed, or in one round alone) counts as a mean one; while none is
    known, or all are 0, cells are equal.
    """
    names = list(cells)
    rows = progress.by_cell() if progress else {}
    known = {name: rows[name].progress for name in names if name in rows and len(rows[name].means) > 1}
    mean = sum(known.values()) / len(known) if known else 0.0
    changes = {name: known.get(name, mean) for name in names}
    total = sum(changes.values())
    if not total:
        return dict.fromkeys(names, 1)
    return {name: round(WEIGHT * (equal / len(names) + (1 - equal) * changes[name] / total)) for name in names}


def share_out(n: int, shares: Mapping[str, int], groups: Mapping[str, list[Question]], seed: int) -> dict[str, int]:
    """Return how many of n each cell gives; what one cannot goes to the others, an odd one to whom the seed draws."""
    order = sorted(groups, key=lambda name: (lot(seed, name), name))
    return quotas(n, shares, {name: len(group) for name, group in groups.items()}, order)
