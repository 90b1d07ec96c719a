"""Tracking: a run's curves, told to the trackers that `[report] to` names, from the run's events.

What a body reports of itself while it runs is a point at its step, counted on over the rounds that ran, as often as
reports travel. The numbers that an artifact tells of itself, made now or found, are points at its round; what is found
on a shared store alone is not brought for it. A variant has the curves of all that belongs to it, shared or not.

Each tracker has a thread, since some talk to servers. One that fails is left alone for the rest of the run, which tells
of it at its end: no run fails of its curves.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from graph.comparison import numbers_of
from graph.errors import RunError
from graph.events import Event
from graph.rounds import Instance, unroll_variants
from graph.spec import Spec
from graph.tracker import Axis, Curves, Tracked, Tracker
from store.errors import Missing, one_line
from store.open import Store, open_store

FOLDER = "curves"
PATIENCE_S = 60.0  # for trackers when the run is over
HURRY_S = 3.0  # after Ctrl-C


class Points(NamedTuple):
    """What `Curves.log` takes, for some variants."""

    variants: Sequence[str]
    axis: Axis
    place: int
    numbers: Mapping[str, float]
    seconds: float


def check_trackers(spec: Spec) -> None:
    """Raise SpecError where a tracker needs a package that is not installed."""
    mistakes = spec.mistakes()
    for name, package in spec.report.lacking().items():
        mistakes.add("report", f"to = {name!r}", f"needs the package {package}: pip install {package}")
    mistakes.raise_any()


@contextlib.contextmanager
def track(spec: Spec, store: Store, instances: Mapping[str, Instance], run: str) -> Iterator[Tracking]:
    """Give a listener of events that tells a run's trackers; wait for them afterwards.

    A run that fails tells what was not told to them, too.
    """
    tracking = Tracking(spec, store, instances, run)
    try:
        yield tracking
    except RunError as error:
        tracking.close(PATIENCE_S)
        raise RunError([*error.failures, *tracking.untold], error.tracebacks) from None
    except BaseException:
        tracking.close(HURRY_S)
        raise
    tracking.close(PATIENCE_S)


class Tracking:
    """Passes on a run's curves; a listener of events. `untold`: lines about what was not told, complete once closed."""

    def __init__(self, spec: Spec, store: Store, instances: Mapping[str, Instance], run: str) -> None:
        self.untold: list[str] = []
        self._store = open_store(store.url)  # without shared ones
        self._instances, self._variants = instances, _variants(spec, instances)
        self._totals: dict[tuple[str, str], dict[int, int]] = {}  # steps by round, of a node in a variant
        place = spec.report.folder.path if spec.report.folder is not None else spec.path.parent / FOLDER
        about = Tracked(spec.experiment.name, run, "", place, spec.text)
        self._told = [Telling(named.name, named.load(), about, self.untold) for named in spec.report.to]
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read_all, daemon=True)
        self._thread.start()

    def __call__(self, event: Event) -> None:
        is_of_interest = event.output or event.numbers
        if is_of_interest and event.element is None and event.label in self._instances:
            self._events.put(event)

    def close(self, patience: float) -> None:
        """Wait until everything is told, some seconds at most, or until Ctrl-C."""
        self._events.put(None)
        with contextlib.suppress(KeyboardInterrupt):
            self._thread.join(patience)
            for telling in self._told:
                telling.thread.join(patience)
                patience = 0.0 if telling.thread.is_alive() else patience
        late = [telling.name for telling in self._told if telling.thread.is_alive()]
        self.untold += [f"[report] {name} has not taken all curves yet: they are left" for name in late]

    def _read_all(self) -> None:
        while (event := self._events.get()) is not None:
            points = self._steps(event) if event.state == "running" else self._facts(event)
            for telling in self._told if points.numbers else ():
                telling.points.put(points)
        for telling in self._told:
            telling.points.put(None)

    def _steps(self, event: Event) -> Points:
        instance, variants = self._instances[event.label], self._variants[event.label]
        node, round, numbers = instance.node, instance.round or 1, dict(event.numbers)
        done, total = int(numbers.pop("done", 0)), int(numbers.pop("total", 0))
        if node.kind is not None and node.kind.facts.each is not None:  # it reports of elements
            numbers = {}
        totals = self._totals.setdefault((node.name, variants[0]), {})
        totals[round] = total
        step = sum(totals.get(earlier, total) for earlier in range(1, round)) + done
        return Points(variants, "step", step, {f"{node.name}/steps/{name}": v for name, v in numbers.items()}, event.at)

    def _facts(self, event: Event) -> Points:
        instance, told = self._instances[event.label], dict[str, Sequence[float]]()
        node = instance.node
        try:
            if node.kind is not None:
                told = dict(numbers_of(self._store.open(event.output, node.kind.gives).summary()))
        except Missing:  # it is on a shared store
            pass
        except Exception as error:  # it is damaged: whoever reads it says so
            self.untold.append(f"[report] nothing of {event.label}: {_told(error)}")
        # Of an interval what it is about, which comes first; of others the last, which is the newest.
        numbers = {f"{node.name}/{name}": values[0 if len(values) == 3 else -1] for name, values in told.items()}
        return Points(self._variants[event.label], "round", instance.round or 0, numbers, event.at)


class Telling:
    """Tells one tracker, in a thread of its own."""

    def __init__(self, name: str, tracker: Tracker, about: Tracked, untold: list[str]) -> None:
        self.name = name
        self.points: queue.SimpleQueue[Points | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._tell_all, args=(tracker, about, untold), daemon=True)
        self.thread.start()

    def _tell_all(self, tracker: Tracker, about: Tracked, untold: list[str]) -> None:
        opened: dict[str, Curves] = {}
        try:
            while (points := self.points.get()) is not None:
                for variant in points.variants:
                    if variant not in opened:
                        opened[variant] = tracker(about.of(variant))
                    opened[variant].log(points.axis, points.place, points.numbers, points.seconds)
            for curves in opened.values():
                curves.close()
        except Exception as error:
            untold.append(f"[report] went on without {self.name}: {_told(error)}")


def _variants(spec: Spec, instances: Mapping[str, Instance]) -> dict[str, list[str]]:
    """Return the variants that each instance belongs to, by label; "" where it stands over them, or there are none."""
    found: dict[str, list[str]] = {}
    if spec.variants:
        for variant, labels in unroll_variants(spec).labels.items():
            for label in labels.values():
                found.setdefault(label, []).append(variant)
    return {label: found.get(label, [""]) for label in instances}


def _told(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}")
