"""A map under way: its elements are looked up as they are needed, so that a hundred thousand need not be held."""

from __future__ import annotations

from collections.abc import Iterator

from graph.lookup import Work
from graph.task import Call, Outcome
from store.records import Record

TASK_S = 1.0  # small elements are packed into tasks of about this long
LEAST_S = 0.1  # no shorter, for a task itself costs several milliseconds
FIRST_S = 0.25  # what an element is taken to last before one has been seen


class Mapping:
    """The elements of one mapped instance: outputs so far, how many are under way.

    `rest` are those still to look at: calls with their records, which are looked up as they are taken. `each_s` is how
    long an element of the node lasted in an earlier round, if that is known.
    """

    def __init__(self, work: Work, rest: Iterator[tuple[Call, Record | None]], each_s: float | None = None) -> None:
        self.work = work
        self._each_s = FIRST_S if each_s is None else each_s
        self.entries: dict[str, tuple[str, int]] = {}  # element -> digest and manifest size of its output
        self.rest = rest
        self.n_seen = 0
        self.under_way = 0
        self.ran = 0
        self.lost: dict[str, str] = {}  # elements that failed -> this instance
        self.failures: list[tuple[str, str]] = []  # the first of them: a line and its traceback
        self.is_unlucky = False  # the machine failed some: another run may have them
        self.seconds = 0.0

    @property
    def failed(self) -> int:
        """How many elements failed."""
        return len(self.lost)

    @property
    def is_seen(self) -> bool:
        """Tell whether every element has been looked up."""
        return self.n_seen == self.work.total

    @property
    def is_over(self) -> bool:
        """Tell whether no element is left to look up or to wait for."""
        return self.is_seen and not self.under_way

    def task_size(self, slots: int) -> int:
        """Return how many elements last about a second, at most one slot's share of the rest if that is not tiny.

        The element seen last is of the rest.
        """
        each = max(self.each_s, 1e-4)
        share = max(-(-(self.work.total - self.n_seen + 1) // slots), int(LEAST_S / each))
        return max(1, min(share, int(TASK_S / each)))

    @property
    def each_s(self) -> float:
        """How many seconds an element lasts."""
        return self.seconds / self.ran if self.ran else self._each_s

    def take(self, outcome: Outcome) -> None:
        """Note what became of an element."""
        self.under_way -= 1
        if not outcome.is_found:
            self.ran += 1
            self.seconds += outcome.seconds
        if outcome.error:
            self.lost[outcome.element or ""] = self.work.label
            self.is_unlucky |= outcome.failure != "error"
        else:
            self.entries[outcome.element or ""] = (outcome.output, outcome.size)

    def told(self, may_fail: int) -> str:
        """Return how many elements are left out, and whether that may be."""
        texts = [f"{self.failed} of {self.work.total} elements failed"] if self.failed else []
        texts += [f"may_fail = {may_fail}"] if 0 < self.failed <= may_fail and self.entries else []
        texts += [f"{len(self.work.lost)} left out, lost before"] if self.work.lost else []
        return "; ".join(texts)
