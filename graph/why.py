"""Why something runs: its action beside the nearest earlier one, and what changed the inputs that changed.

Two sides are compared: what was (one earlier run) and what is (a plan, or another run). An input that differs is
followed to the instances that gave it, until something differs that is no input: a root.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from graph.change import Change, codes_of, differences
from graph.edits import Edit, edits_text, find_edits
from store.open import Store


class Side(Protocol):
    """One of the two that are compared: what is known of an instance by its label."""

    def action(self, label: str) -> dict[str, Any] | None:
        """Return the action of an instance, described; None where there is none or it is not known."""

    def output(self, label: str) -> str | None:
        """Return the digest of what an instance gives."""

    def source(self, label: str) -> str:
        """Return the digest of the stored source that explains an action's code; "" if there is none."""

    def reads(self, label: str, name: str) -> list[str]:
        """Return the labels of what fills an input."""


class Cause(msgspec.Struct, frozen=True):
    """What differs in one instance's action.

    `because` says for an input whose outputs differ. `note` stands where there is nothing to compare.
    """

    label: str
    changes: list[Change] = []
    because: dict[str, list[str]] = {}
    note: str = ""

    def roots(self) -> list[str]:
        """Return what differs here and is not passed on from elsewhere."""
        if self.note:
            return [self.note]
        return [change.text() for change in self.changes if change.input not in self.because]


class Comparison:
    """Two sides, and the causes of what differs between them, found when asked for."""

    def __init__(self, store: Store, was: Side, now: Side, order: Iterable[str]) -> None:
        self.was = was
        self.now = now
        self._store = store
        self._position = {label: n for n, label in enumerate(order)}  # producers before consumers
        self._causes: dict[str, Cause] = {}
        self._edits: dict[str, list[Edit] | None] = {}

    def cause(self, label: str, then: str | None = None) -> Cause:
        """Return what differs in an instance's own action; `then` is its label on the other side, if another."""
        if label not in self._causes:
            self._causes[label] = self._compare(label, then or label)
        return self._causes[label]

    def edits(self, label: str, then: str | None = None) -> list[Edit] | None:
        """Return the pieces of code that differ; None if nobody knows any more."""
        before, after = self.was.action(then or label), self.now.action(label)
        if before is None or after is None:
            return None
        key = " ".join(codes_of(before) + codes_of(after))  # equal code is compared once
        if key not in self._edits:
            sources = self.was.source(then or label), self.now.source(label)
            self._edits[key] = find_edits(self._store, sources[0], before, sources[1], after)
        return self._edits[key]

    def behind(self, label: str) -> list[str]:
        """Return the labels of the instances that an instance differs because of, upstream first."""
        found: set[str] = set()
        pending = [label]
        while pending:
            fresh = set(itertools.chain(*self.cause(pending.pop()).because.values())) - found
            found |= fresh
            pending += fresh
        return sorted(found, key=self._position.__getitem__)

    def roots(self, label: str) -> list[str]:
        """Return the roots behind an instance other than its own, upstream first: `data params.first 0 -> 1`.

        A root that several rounds share is told once.
        """
        found: dict[str, str] = {}
        for upstream in self.behind(label):
            for text in self.cause(upstream).roots():
                found.setdefault(f"{upstream.partition('[')[0]} {text}", f"{upstream} {text}")
        return list(found.values())

    def _compare(self, label: str, then: str) -> Cause:
        before, after = self.was.action(then), self.now.action(label)
        if before is None or after is None:
            is_new = self.was.output(then) is None
            return Cause(label, note="is new" if is_new else "is another artifact")
        changes, because = [], {}
        for change in differences(before, after):
            if change.part == "code":
                change = msgspec.structs.replace(change, detail=edits_text(self.edits(label, then)))
            elif change.input:
                reads = self.now.reads(label, change.input)
                other = [read for read in reads if self.was.output(read) != self.now.output(read)]
                if other:
                    because[change.input] = other
                else:
                    change = msgspec.structs.replace(change, detail=self._rewired(then, change.input, reads))
            changes.append(change)
        return Cause(label, changes, because, "" if changes else "gave another output")

    def _rewired(self, then: str, name: str, reads: list[str]) -> str:
        before = self.was.reads(then, name)
        is_other = before and reads and set(before).isdisjoint(reads)
        return f"{before[0]} -> {reads[0]}" if is_other else ""
