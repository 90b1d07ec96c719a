"""A map under way: one action an element, small ones packed into tasks, a barrier at the end."""

from __future__ import annotations

from collections import deque

from graph.lookup import Lookup, Piece, Work
from graph.task import Outcome

TASK_S = 1.0  # small elements are packed into tasks of about this long
FIRST_S = 0.25  # what an element is taken to last before one has been seen


class Mapping:
    """The elements of one mapped instance: found ones, those to run, those under way."""

    def __init__(self, work: Work, lookup: Lookup) -> None:
        self.work = work
        self.entries: dict[str, tuple[str, int]] = {}  # element -> digest and manifest size of its output
        self.pending: deque[Piece] = deque()
        self.under_way = 0
        self.ran = 0
        self.failed = 0
        self.seconds = 0.0
        for piece in work.pieces:
            record = lookup.find(piece)
            if record is None:
                self.pending.append(piece)
            else:
                self.entries[piece.element or ""] = (record.output, record.size)
        self.found = len(self.entries)

    @property
    def total(self) -> int:
        """How many elements there are."""
        return len(self.work.pieces)

    @property
    def is_over(self) -> bool:
        """Tell whether no element is left to run or to wait for."""
        return not self.pending and not self.under_way

    def pack(self, slots: int) -> list[Piece]:
        """Take the next elements, as many as last about a second, at most one slot's share of the rest."""
        each = self.seconds / self.ran if self.ran else FIRST_S
        share = -(-len(self.pending) // slots)
        size = min(share, max(1, int(TASK_S / max(each, 1e-4))))
        self.under_way += size
        return [self.pending.popleft() for _ in range(size)]

    def take(self, outcome: Outcome) -> None:
        """Note what became of an element."""
        self.under_way -= 1
        self.ran += 1
        self.seconds += outcome.seconds
        if outcome.error:
            self.failed += 1
        else:
            self.entries[outcome.element or ""] = (outcome.output, outcome.size)
