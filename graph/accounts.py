"""Accounts: what a run took and gave, by node: seconds, bytes, and what was found in place of computed."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from graph.history import Past
from graph.labels import split_label
from store.errors import StoreError
from store.manifest import decode
from store.open import Store

MOST_MANIFESTS = 20_000  # that are read to count bytes; beyond them sizes are told as lower bounds


class Account(msgspec.Struct, frozen=True):
    """One node in all its rounds and variants.

    `seconds` were spent in bodies by this run; `saved` were spent earlier, on what it found. `n_bytes` counts what an
    earlier line has not, so lines add up to what the store holds; `is_whole`: all of it was counted.
    """

    node: str
    kind: str
    instances: int
    found: int
    executed: int
    failed: int
    seconds: float
    saved: float
    n_bytes: int
    is_whole: bool = True


class Sizes:
    """Counts bytes of artifacts, each blob once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: set[str] = set()
        self._left = MOST_MANIFESTS

    def of(self, digest: str) -> tuple[int, bool]:
        """Return the bytes that no artifact before this one held, and whether all were counted."""
        if digest in self._seen:
            return 0, True
        self._seen.add(digest)
        self._left -= 1
        if self._left < 0:
            return 0, False
        try:
            entries = decode(self._store.manifests.read(digest)).entries
        except StoreError:
            return 0, False
        total, is_whole = 0, True
        for entry in entries:
            if entry.kind in ("artifact", "part"):
                n_bytes, inner = self.of(entry.digest)
                total, is_whole = total + n_bytes, is_whole and inner
            elif entry.digest not in self._seen:
                self._seen.add(entry.digest)
                total += entry.size
        return total, is_whole


def account(store: Store, past: Past) -> list[Account]:
    """Return a line a node, in the order in which nodes came first."""
    by_node: dict[str, list[str]] = {}
    for label in past.outcomes:
        by_node.setdefault(split_label(label)[0], []).append(label)
    sizes = Sizes(store)
    return [_line(past, node, labels, sizes) for node, labels in by_node.items()]


def _line(past: Past, node: str, labels: list[str], sizes: Sizes) -> Account:
    events = [past.outcomes[label] for label in labels]
    found = [event for event in events if event.state == "hit"]
    counted = [sizes.of(event.output) for event in events if event.output]
    return Account(
        node,
        next(filter(None, (str((past.action(label) or {}).get("kind", "")) for label in labels)), ""),
        len(events),
        len(found),
        sum(event.state == "done" for event in events),
        sum(event.state in ("failed", "skipped") for event in events),
        sum(event.seconds for event in events if event.state in ("done", "failed")),
        sum(_seconds(past, event.label) for event in found),
        sum(n_bytes for n_bytes, _ in counted),
        all(is_whole for _, is_whole in counted),
    )


def _seconds(past: Past, label: str) -> float:
    record = past.record(label)
    return float(record.ran.get("seconds", 0.0)) if record is not None else 0.0


def total(lines: Iterable[Account]) -> Account:
    """Return all lines as one."""
    lines = list(lines)
    sums = {
        name: sum(getattr(line, name) for line in lines)
        for name in ("instances", "found", "executed", "failed", "seconds", "saved", "n_bytes")
    }
    return Account("", "", **sums, is_whole=all(line.is_whole for line in lines))
