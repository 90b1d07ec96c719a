"""A run: one walk over a spec's graph, with its log, its result and its end."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Container
from typing import TYPE_CHECKING

import msgspec

from graph import labels
from graph.asked import suggest
from graph.driver import Driver
from graph.errors import NotFoundError, RunError, SpecError
from graph.events import Event, Events, Listener
from graph.lookup import Lookup, Work, put_collection
from graph.rest import LISTED, lost_lines
from graph.rounds import Instance, unroll
from graph.runs import End, Root, RunLog, put_result
from graph.spec import Spec
from store.manifest import Entry
from store.objects import LocalObjects
from store.open import Store, type_name
from store.places import mark_format

if TYPE_CHECKING:
    from graph.team import Team


class Result(msgspec.Struct, frozen=True):
    """What a run gave: `digest` is that of all outputs together.

    `unsent` says why outputs were not passed on to shared stores, by label; `left_out` which elements failed that may,
    and which others were left out for that, a line each; `untold` of which trackers did not take its curves.
    """

    run: str
    digest: str
    outputs: dict[str, str]
    computed: int
    found: int
    seconds: float
    unsent: dict[str, str] = {}
    left_out: list[str] = []
    untold: list[str] = []


def run(
    spec: Spec,
    store: Store,
    settings: list[str],
    until: str | None = None,
    listeners: tuple[Listener, ...] = (),
    only: str | None = None,
    force: tuple[str, ...] = (),
) -> Result:
    """Run a spec to the end and return what it gave.

    Args:
        until: a node or instance; what it does not need stays out.
        only: a node or instance; all that it reads must be in the store already.
        force: nodes or instances that run although there are records.
    Raises:
        SpecError, NotFoundError: before anything runs.
        RunError: nodes failed, or the store; all that did not depend on them was finished first.
        KeyboardInterrupt: passed on after the executor has stopped.
    """
    if not isinstance(store.objects, LocalObjects):
        raise SpecError([f"store {store.url}: a run needs a store on this machine; name this one in [store] shared"])
    store.refs.check_movable(spec.experiment.name)
    instances = select_until(spec, only or until, "--until" if only is None else "--only")
    forced = frozenset(label for name in force for label in find_labels(instances, name, "--force"))
    lookup = Lookup(spec, store, instances)
    if only is not None:
        check_inputs(lookup, only)
    if spec.report.to:
        from graph.tracking import check_trackers, track  # only who has trackers waits for it

        check_trackers(spec)
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    mark_format(store.objects)
    log = RunLog(store, Root(spec.experiment.name, str(spec.path), spec.text, settings, started, lookup.stored))
    began = time.monotonic()
    with track(spec, store, instances, log.id) if spec.report.to else contextlib.nullcontext() as tracking:
        events = Events(log, *filter(None, [tracking]), *listeners)
        team = make_team(store, events)
        driver = Driver(spec, lookup, events, forced, team)
        status, digest = "failed", ""
        try:
            try:
                driver.walk()
                if team is not None:
                    tell = functools.partial(_tell_pushes, listeners)
                    team.finish(spec.experiment.name, sorted(lookup.asked), lookup.outputs.values(), tell)
                status = "failed" if driver.failures else "done"
            except KeyboardInterrupt:
                status = "interrupted"
                raise
            finally:
                try:
                    digest = put_result(store, lookup.outputs, lookup.sizes)
                    seconds = time.monotonic() - began
                    log.end(End(status, digest, round(seconds, 3), driver.computed, driver.found))
                finally:
                    driver.queue.close()
        except OSError as error:  # its disk is full, say: the nodes that failed of it are told too
            import traceback  # only who fails waits for it

            driver.failures.append(f"store {store.url}: {error.strerror or error}")
            driver.tracebacks.append(traceback.format_exc())
        if driver.failures:
            raise RunError(driver.failures, driver.tracebacks)
        if until is None and only is None:  # a part of the results must not stand for all of them
            store.refs.move(spec.experiment.name, digest)
        unsent = team.unsent if team is not None else {}
        untold = tracking.untold if tracking is not None else []
        return Result(
            log.id, digest, lookup.outputs, driver.computed, driver.found, seconds, unsent, driver.left_out, untold
        )


def _tell_pushes(listeners: tuple[Listener, ...], done: int, total: int) -> None:
    for listener in listeners:  # people: it is no instance, and no part of the run's log
        listener(Event("push", "running", numbers={"done": done, "total": total}))


def make_team(store: Store, events: Events) -> Team | None:
    """Return what works beside others on the shared stores of a run; None where it has none."""
    if not store.tiers:
        return None
    from graph.team import Team

    return Team(store, lambda label, who: events.emit(label, "running", waits_for=who))


def find_labels(instances: dict[str, Instance], name: str, option: str, nodes: Container[str] = ()) -> list[str]:
    """Return the labels that a name stands for: a node's, in all rounds and variants, or some of them.

    Raises:
        NotFoundError: none has that name; that nothing reads it, where it is one of `nodes`, those of the spec.
    """
    found, entry = labels.find_labels(name, instances)
    if not found and labels.split_label(name)[0] in nodes:
        raise NotFoundError(f"{option} {name}: runs only if it is read (if_read), and no node that runs reads it")
    if entry or not found:
        raise NotFoundError(f"{option} {name}: no node has that name{suggest(name, instances)}")
    return found


def select_until(spec: Spec, until: str | None, option: str = "--until") -> dict[str, Instance]:
    """Return the instances that `until` needs: a node's name, all its rounds, or a label. Raises NotFoundError."""
    instances = unroll(spec)
    if until is None:
        return instances
    wanted = find_labels(instances, until, option, [node.name for node in spec.nodes.values() if node.if_read])
    needed: set[str] = set()
    while wanted:
        label = wanted.pop()
        if label not in needed:
            needed.add(label)
            wanted += instances[label].upstream()
    return {label: instance for label, instance in instances.items() if label in needed}


def check_inputs(lookup: Lookup, only: str, option: str = "--only") -> None:
    """Make known what `only` reads, of maps whose elements may fail the rest.

    Raises NotFoundError: it is not in the store.
    """
    wanted = set(find_labels(lookup.instances, only, option))
    for label, instance in lookup.instances.items():
        if instance.node.kind is None:
            continue
        is_known = instance.upstream() <= lookup.outputs.keys()
        work = lookup.work(instance) if is_known else None
        record = lookup.find_whole(work) if work is not None else None
        if record is not None:
            lookup.learn(label, record.output, record.size)
        elif label not in wanted and (work is None or not _learn_rest(lookup, work)):
            raise NotFoundError(f"{option} {only}: it needs {label}, which is not in the store: run that first")


def _learn_rest(lookup: Lookup, work: Work) -> bool:
    """Make known what is left of a map without a record: the elements that have one, if no more lack it than may fail.

    `lookup.rests` says what is missing of it. False: it is no map, or too few of its elements are there.
    """
    may_fail = work.instance.node.may_fail
    if not work.action.is_map or not (may_fail or work.lost):
        return False
    held = [(call.element or "", lookup.find(call.key)) for call in work.calls()]
    entries = [Entry(key, "artifact", record.output, record.size) for key, record in held if record is not None]
    missing = [key for key, record in held if record is None]
    if len(missing) > may_fail or not entries:
        return False
    output, size = put_collection(lookup.store, type_name(work.kind.output), entries)
    lookup.learn(work.label, output, size, {**work.lost, **dict.fromkeys(missing, work.label)})
    first = ", ".join(map(repr, missing[:LISTED]))
    told = f"node {work.label}: {len(missing)} of {work.total} elements have no record: {first}"
    lookup.rests[work.label] = ([told] if missing else []) + lost_lines(work.label, work.lost)
    return True
