"""History: what earlier runs made of every instance, read from their logs when something asks.

A plan that finds everything asks nothing, so it reads no log at all.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator

from graph.events import Event
from graph.labels import split_label
from graph.runs import Runs
from store.errors import StoreError
from store.open import Store
from store.records import Record

LOOK_BACK = 20  # runs that are searched for an instance's earlier actions


class Past:
    """One earlier run: what every instance gave, by which action, and from what. A side of a comparison."""

    def __init__(self, store: Store, run: str) -> None:
        self.run = run
        self._store = store
        self._records: dict[str, Record | None] = {}

    @functools.cached_property
    def outcomes(self) -> dict[str, Event]:
        """The last event of every instance, producers before consumers."""
        return Runs(self._store).outcomes(self.run)

    def record(self, label: str) -> Record | None:
        """Return the record of what an instance did, None if it did not end well or the record is gone."""
        if label not in self._records:
            event = self.outcomes.get(label)
            self._records[label] = self._store.records.find(event.key) if event is not None and event.key else None
        return self._records[label]

    def action(self, label: str) -> dict | None:
        """Return the action of an instance, described."""
        record = self.record(label)
        return None if record is None else record.action

    def output(self, label: str) -> str | None:
        """Return the digest of what an instance gave."""
        event = self.outcomes.get(label)
        return event.output or None if event is not None else None

    def source(self, label: str) -> str:
        """Return the digest of the stored source behind an action's code."""
        record = self.record(label)
        return "" if record is None else record.source

    def reads(self, label: str, name: str) -> list[str]:
        """Return the instances that one of these inputs came from: by the digest, so all that gave the same."""
        digest = (self.action(label) or {}).get("inputs", {}).get(name)
        return self._givers(digest) if digest else []

    def _givers(self, digest: str) -> list[str]:
        # Of several rounds it is a collection of what each of them gave, and no instance's output.
        asked = [digest] if digest in self._by_output else [digest, *self._inside(digest)]
        whole = [label for one in asked for label in self._by_output.get(one, [])]
        return whole or [label for one in asked for label in self._by_part.get(one, [])]

    @functools.cached_property
    def _by_output(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for label, event in self.outcomes.items():
            found.setdefault(event.output, []).append(label)
        return found

    @functools.cached_property
    def _by_part(self) -> dict[str, list[str]]:
        """Which instances gave an artifact that holds this one: `update.weights`, an entry of a collection."""
        found: dict[str, list[str]] = {}
        for output, labels in self._by_output.items():
            for part in self._inside(output):
                found.setdefault(part, []).extend(labels)
        return found

    def _inside(self, digest: str) -> list[str]:
        try:
            return list(self._store.reader(digest).artifacts().values()) if digest else []
        except StoreError:
            return []  # gone: nothing can be told of it


class History:
    """The newest runs of an experiment, and of the store for kinds that the experiment has not used yet."""

    def __init__(self, store: Store, experiment: str) -> None:
        self._store = store
        self._experiment = experiment

    @functools.cached_property
    def runs(self) -> list[Past]:
        """The experiment's newest runs, newest first."""
        return self._newest(self._experiment)

    def last(self, label: str) -> Event | None:
        """Return how an instance ended when it was last part of a run."""
        return next((past.outcomes[label] for past in self.runs if label in past.outcomes), None)

    def earlier(self, label: str) -> Iterator[Past]:
        """Yield the runs that did something new for an instance, newest first."""
        seen = {""}
        for past in self.runs:
            event = past.outcomes.get(label)
            if event is not None and event.key not in seen:
                seen.add(event.key)
                yield past

    def of_kind(self, kind: str) -> list[tuple[Past, str]]:
        """Return runs and labels of one instance a node that has this kind, newest first."""
        return self._by_kind.get(kind, [])

    @functools.cached_property
    def _by_kind(self) -> dict[str, list[tuple[Past, str]]]:
        found: dict[str, list[tuple[Past, str]]] = {}
        seen = set()
        for past in self._newest(None):
            for label in reversed(past.outcomes):  # of a node inside the loop, the last round
                name = split_label(label)[0]
                action = None if name in seen else past.action(label)
                if action is not None:
                    seen.add(name)
                    found.setdefault(action.get("kind", ""), []).append((past, label))
        return found

    def _newest(self, experiment: str | None) -> list[Past]:
        ids = itertools.islice(Runs(self._store).ids(experiment), LOOK_BACK)
        return [Past(self._store, run) for run in ids]
