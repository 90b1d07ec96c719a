"""Logs: what bodies wrote to stdout and stderr, and how they failed, found again through a run's events and records."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Sequence
from typing import Any

import msgspec

from graph.asked import find_asked, one_variant
from graph.errors import NotFoundError, nearest
from graph.estimate import seconds_text
from graph.events import Event
from graph.execute import PRINTED
from graph.history import LOOK_BACK
from graph.runs import Runs
from store.errors import StoreError
from store.open import Store
from store.records import Record


class Log(msgspec.Struct, frozen=True):
    """What one body wrote: `when` (UTC) it began or failed, its `host` if known, `element` "" for a whole node."""

    label: str
    element: str
    when: str
    seconds: float
    host: str
    error: str
    written: str
    traceback: str

    def text(self) -> str:
        """Return it under a line that says what it is."""
        element = f" {self.element}" if self.element else ""
        head = [f"{self.label}{element}", self.when, seconds_text(self.seconds), f"on {self.host}" if self.host else ""]
        lines = ["  ".join(piece for piece in head if piece), self.written.rstrip("\n"), self.traceback.rstrip("\n")]
        lines += [self.error] if not self.traceback else []
        return "\n".join(filter(None, lines)) if any(lines[1:]) else f"{lines[0]}\nwrote nothing"


def find_logs(
    store: Store, node: str, run: str | None, experiment: str | None, round: int | None, element: str | None
) -> list[Log]:
    """Return what a node's body wrote in a run, or in the earlier one that executed what this run found.

    Of several rounds one that failed is meant, else the last. Of a map the failed elements come first, then those that
    wrote something; `element` asks for one.
    Raises:
        NotFoundError: no such run, node or round; the element never ran.
    """
    runs = Runs(store)
    found = runs.find(run, experiment)
    outcomes = runs.outcomes(found)
    labels, entry = find_asked(node, outcomes, round, f"run {found}")
    element = element or entry or None
    one_variant(labels, f"run {found}")
    label = next((label for label in labels if outcomes[label].state == "failed"), labels[-1])
    event = outcomes[label]
    if event.state in ("waiting", "skipped"):
        raise NotFoundError(f"{label} did not run in run {found}: {event.state}")
    record = store.records.find(event.key) if event.key else None
    if event.total or element is not None or (record is not None and record.action.get("is_map")):
        return _element_logs(runs, found, event, element)
    attempts = [one for one in runs.events(found) if one.label == label and one.element is not None]
    whole = _from_event(store, event) if record is None else _from_record(store, label, record)
    return [*(_from_event(store, one) for one in attempts), whole]


def _from_record(store: Store, label: str, record: Record) -> Log:
    ran = record.ran
    when, seconds, host = ran.get("started", ""), ran.get("seconds", 0.0), ran.get("host", "")
    return Log(label, "", when, seconds, host, "", _read(store, ran.get("log")), "")


def _element_logs(runs: Runs, run: str, event: Event, element: str | None) -> list[Log]:
    """Return the logs of elements from the newest run, not after `run`, that tells of any."""
    ids = itertools.dropwhile(lambda one: one != run, runs.ids(runs.root(run).experiment))
    for earlier in itertools.islice(ids, LOOK_BACK):
        events = [one for one in runs.events(earlier) if one.label == event.label]
        told = {one.element: one for one in events if one.element and element in (None, one.element)}
        if told:
            return [_from_event(runs.store, one) for one in sorted(told.values(), key=lambda one: not one.error)]
        if element is None and events and events[-1].state != "hit":  # it ran here, and nothing was written
            break
    if element is not None and event.output:
        reader = runs.store.reader(event.output)
        if not reader.has(element):
            raise NotFoundError(f"{event.label} has no element {element!r}{nearest(element, reader.artifacts())}")
    return []


def _from_event(store: Store, event: Event) -> Log:
    try:
        when = datetime.datetime.fromtimestamp(event.at, datetime.UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):  # a year that there is not
        when = ""
    written = _read(store, event.log)
    # The last of it stands before the traceback too, for who sees only that.
    traceback = event.traceback.removeprefix(_read(store, event.log, PRINTED))
    return Log(event.label, event.element or "", when, event.seconds, "", event.error, written, traceback)


def _read(store: Store, log: Sequence[Any] | None, last: int = 0) -> str:
    """Return what a body wrote, or the last bytes of it."""
    if log is None:
        return ""
    try:
        return store.blobs.get(*log)[-last:].decode(errors="replace")
    except StoreError as error:
        return f"({error})"
