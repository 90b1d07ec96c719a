"""Tracking: a run's curves, told to the trackers that `[report] to` names, from the run's events.

What a body reports of itself while it runs is a point at its step, counted on over the rounds, as often as reports
travel. The numbers that an artifact tells of itself, made now or found, are points at its round.

A thread of its own talks to trackers, since some talk to servers. One that fails is left alone for the rest of the run,
which tells of it at its end: no run fails of its curves.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping

from graph.comparison import numbers_of
from graph.events import Event
from graph.labels import split_label
from graph.rounds import Instance
from graph.spec import Spec
from graph.tracker import Axis, Curves, Tracked
from store.errors import one_line
from store.open import Store

FOLDER = "curves"
PATIENCE_S = 60.0  # for trackers when the run is over
HURRY_S = 3.0  # after Ctrl-C


def check_trackers(spec: Spec) -> None:
    """Raise SpecError where a tracker needs a package that is not installed."""
    mistakes = spec.mistakes()
    for name, package in spec.report.lacking().items():
        mistakes.add("report", f"to = {name!r}", f"needs the package {package}: pip install {package}")
    mistakes.raise_any()


class Tracking:
    """Passes on a run's curves; a listener of events.

    Attributes:
        untold: lines about trackers that failed, complete once it is closed.
    """

    def __init__(self, spec: Spec, store: Store, instances: Mapping[str, Instance], run: str) -> None:
        self.untold: list[str] = []
        self._spec, self._store, self._instances, self._run = spec, store, instances, run
        self._trackers = {named.name: named.load() for named in spec.report.to}
        self._opened: dict[tuple[str, str], Curves] = {}  # by tracker and variant
        self._maps: set[str] = set()
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._tell_all, daemon=True)
        self._thread.start()

    def __call__(self, event: Event) -> None:
        if event.element is None and event.label in self._instances:
            self._events.put(event)

    def close(self, patience: float) -> None:
        """Wait until everything is told, some seconds at most."""
        self._events.put(None)
        self._thread.join(patience)
        if self._thread.is_alive():
            self.untold.append(f"[report]: not all curves were told {patience:g} s after the end")

    def _tell_all(self) -> None:
        while (event := self._events.get()) is not None:
            self._tell(event)
        for (name, _), curves in self._opened.items():
            try:
                curves.close()
            except Exception as error:
                self._give_up(name, error)

    def _tell(self, event: Event) -> None:
        node, variant, round = split_label(event.label)
        if event.state == "running":
            if event.total:  # a map: its bodies report of elements
                self._maps.add(event.label)
            numbers = dict(event.numbers)
            done, total = int(numbers.pop("done", 0)), int(numbers.pop("total", 0))
            if numbers and event.label not in self._maps:
                step = ((round or 1) - 1) * total + done
                self._log(variant, "step", step, {f"{node}/steps/{name}": v for name, v in numbers.items()}, event.at)
        elif event.output:
            self._log(variant, "round", round or 0, self._facts(node, event), event.at)

    def _facts(self, node: str, event: Event) -> dict[str, float]:
        kind = self._instances[event.label].node.kind
        if kind is None:
            return {}
        try:
            told = dict(numbers_of(self._store.open(event.output, kind.gives).summary()))
        except Exception as error:  # it is gone, or damaged: whoever reads it says so
            self.untold.append(f"[report] nothing of {event.label}: {_told(error)}")
            return {}
        return {f"{node}/{name}": values[0] for name, values in told.items()}

    def _log(self, variant: str, axis: Axis, place: int, numbers: Mapping[str, float], seconds: float) -> None:
        for name, tracker in list(self._trackers.items()) if numbers else ():
            try:
                if (name, variant) not in self._opened:
                    self._opened[name, variant] = tracker(self._tracked(variant))
                self._opened[name, variant].log(axis, place, numbers, seconds)
            except Exception as error:
                self._give_up(name, error)

    def _tracked(self, variant: str) -> Tracked:
        spec, folder = self._spec, self._spec.report.folder
        place = folder.path if folder is not None else spec.path.parent / FOLDER
        return Tracked(spec.experiment.name, self._run, variant, place, spec.text)

    def _give_up(self, name: str, error: Exception) -> None:
        if self._trackers.pop(name, None) is not None:
            self.untold.append(f"[report] went on without {name}: {_told(error)}")


def _told(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}")
