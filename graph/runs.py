"""Runs in a store: what was asked, what happened, what came out.

    runs/<id>/root.json          the spec's text, settings and start: written first
    runs/<id>/events-<n>.jsonl   events in order, a segment about once a second
    runs/<id>/dashboard.txt      the address of Dask's dashboard, if there is one
    runs/<id>/end.json           how it ended: written last; absent if the driver was killed

Ids start with the UTC time, so they sort by it. A run's results are one artifact as well, a collection of what every
instance gave, and the ref of the experiment's name stands for those of the newest run without failures.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import threading
from collections.abc import Iterator
from typing import Any

import msgspec

from graph.errors import NotFoundError, nearest
from graph.events import Event
from store.errors import StoreError
from store.manifest import Entry
from store.open import Store

SEGMENT_S = 1.0
DASHBOARD = "dashboard.txt"
RESULT_TYPE = "run/1"


class Root(msgspec.Struct, frozen=True):
    """What a run was asked for; `stored` are the digests of the artifacts that its spec names, by name."""

    experiment: str
    spec: str
    text: str
    settings: list[str]
    started: str
    stored: dict[str, str] = {}


class End(msgspec.Struct, frozen=True):
    """How a run ended; `result` is the digest of the artifact that holds every instance's output."""

    status: str
    result: str
    seconds: float
    computed: int
    found: int


class RunLog:
    """Writes one run's files; a listener of events.

    Events are written a second after they come, however long the driver waits for a body then: what they name is what
    gc leaves alone for the sake of this run.
    """

    def __init__(self, store: Store, root: Root) -> None:
        self.store = store
        now = datetime.datetime.now(datetime.UTC)
        self.id = f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}-{os.urandom(2).hex()}"
        self._events: list[Event] = []
        self._segment = 0
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        store.objects.create(f"runs/{self.id}/root.json", msgspec.json.encode(root))

    def __call__(self, event: Event) -> None:
        if event.link:
            self.store.objects.write(f"runs/{self.id}/{DASHBOARD}", event.link.encode())
        if event.state == "running" and event.element is None:  # of interest while it lasts
            return
        with self._lock:
            self._events.append(event)
            if self._timer is None:
                self._timer = threading.Timer(SEGMENT_S, self._flush_later)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Write the events since the last segment."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._events:
                self._segment += 1
                data = b"\n".join(msgspec.json.encode(event) for event in self._events)
                self.store.objects.create(f"runs/{self.id}/events-{self._segment:06d}.jsonl", data + b"\n")
                self._events = []

    def _flush_later(self) -> None:
        with contextlib.suppress(OSError, StoreError):  # a full disk, no network: the next flush says so
            self.flush()

    def end(self, end: End) -> None:
        """Write the last events and how it ended."""
        self.flush()
        self.store.objects.create(f"runs/{self.id}/end.json", msgspec.json.encode(end))


class Runs:
    """Reads the runs of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def ids(self, experiment: str | None = None) -> Iterator[str]:
        """Yield run ids, newest first; only those of one experiment if it is named."""
        for run in sorted(self.store.objects.list("runs"), reverse=True):
            try:
                root = self.root(run)
            except (OSError, NotFoundError):
                continue  # killed as it began
            if experiment is None or root.experiment == experiment:
                yield run

    def find(self, run: str | None, experiment: str | None) -> str:
        """Return the run of that id, else the newest of the experiment, ended or not. Raises NotFoundError."""
        if run is not None:
            known = self.store.objects.list("runs")
            if run not in known:
                raise NotFoundError(f"no run {run!r} in this store{nearest(run, known)}")
            return run
        newest = next(self.ids(experiment), None)
        if newest is None:
            of = f" of experiment {experiment!r}" if experiment else ""
            raise NotFoundError(f"no run{of} in this store yet: `dataflow run SPEC` makes one")
        return newest

    def root(self, run: str) -> Root:
        """Return what a run was asked for."""
        return self._read(run, "root.json", Root)

    def end(self, run: str) -> End | None:
        """Return how a run ended, None if it is going on or was killed."""
        try:
            return self._read(run, "end.json", End)
        except FileNotFoundError:
            return None

    def dashboard(self, run: str) -> str:
        """Return the address of the dashboard of a run that goes on, "" if there is none."""
        try:
            link = self.store.objects.read(f"runs/{run}/{DASHBOARD}").decode(errors="replace")
        except FileNotFoundError:
            return ""
        is_over = not link.startswith(("http://", "https://")) or self.end(run) is not None
        return "" if is_over else link

    def events(self, run: str) -> list[Event]:
        """Return a run's events in order, as far as they were written."""
        names = sorted(name for name in self.store.objects.list(f"runs/{run}") if name.startswith("events-"))
        lines = b"".join(self.store.objects.read(f"runs/{run}/{name}") for name in names).splitlines()
        events = []
        for line in lines:
            try:
                events.append(msgspec.json.decode(line, type=Event))
            except (msgspec.MsgspecError, RecursionError):
                break  # a segment torn by a power cut: what came before it holds
        return events

    def outcomes(self, run: str) -> dict[str, Event]:
        """Return the last event of every instance of a run."""
        return {event.label: event for event in self.events(run) if event.element is None}

    def labels(self) -> dict[str, str]:
        """Return action key -> instance, of all runs that are there."""
        events = (event for run in self.ids() for event in self.events(run))
        return {event.key: event.label for event in events if event.key}

    def _read(self, run: str, name: str, cls: Any) -> Any:
        try:
            return msgspec.json.decode(self.store.objects.read(f"runs/{run}/{name}"), type=cls)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise NotFoundError(f"run {run}: {name} is not whole: {error}") from None


def put_result(store: Store, outputs: dict[str, str], sizes: dict[str, int]) -> str:
    """Write the artifact that holds what every instance gave; return its digest. `sizes` are those of manifests."""
    from store.artifact import Writer

    entries = [Entry(label, "artifact", output, sizes[label]) for label, output in outputs.items()]
    return store.manifests.put(RESULT_TYPE, [*entries, *Writer(store).entries()])[0]
