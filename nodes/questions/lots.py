"""Lots: draws of questions that follow from a seed and each question's id alone.

So the order of scenes changes nothing, one question more in a pool changes one at most of what is drawn, and draws with
the same seed agree where they can.
"""

from __future__ import annotations

from collections.abc import Iterable

from nodes.questions.question import Question
from store.digest import digest


def lot(seed: int, name: str) -> float:
    """Return the lot of an id, uniform in (0, 1)."""
    return (int(digest(f"{seed}\n{name}".encode())[:13], 16) + 0.5) / 2**52


def in_turn(rows: Iterable[Question], seed: int) -> list[Question]:
    """Return questions in the order of their lots."""
    return sorted(rows, key=lambda row: (lot(seed, row.id), row.id))
