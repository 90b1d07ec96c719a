"""A run: one walk over a spec's graph, with its log, its result and its end."""

from __future__ import annotations

import time

import msgspec

from graph import labels
from graph.asked import suggest
from graph.driver import Driver
from graph.errors import NotFoundError, RunError
from graph.events import Events, Listener
from graph.lookup import Lookup
from graph.rounds import Instance, unroll
from graph.runs import End, Root, RunLog, put_result
from graph.spec import Spec
from store.open import Store


class Result(msgspec.Struct, frozen=True):
    """What a run gave: `digest` is that of all outputs together."""

    run: str
    digest: str
    outputs: dict[str, str]
    computed: int
    found: int
    seconds: float


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
    instances = select_until(unroll(spec), only or until, "--until" if only is None else "--only")
    forced = frozenset(label for name in force for label in find_labels(instances, name, "--force"))
    lookup = Lookup(spec, store, instances)
    if only is not None:
        check_inputs(lookup, only)
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    log = RunLog(store, Root(spec.experiment.name, str(spec.path), spec.text, settings, started))
    began = time.monotonic()
    driver = Driver(spec, lookup, Events(log, *listeners), forced)
    status, digest = "failed", ""
    try:
        try:
            driver.walk()
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
    return Result(log.id, digest, lookup.outputs, driver.computed, driver.found, seconds)


def find_labels(instances: dict[str, Instance], name: str, option: str) -> list[str]:
    """Return the labels that a name stands for: a node's, in all rounds and variants, or some of them."""
    found, entry = labels.find_labels(name, instances)
    if entry or not found:
        raise NotFoundError(f"{option} {name}: no node has that name{suggest(name, instances)}")
    return found


def select_until(instances: dict[str, Instance], until: str | None, option: str = "--until") -> dict[str, Instance]:
    """Return the instances that `until` needs: a node's name, all its rounds, or a label. Raises NotFoundError."""
    if until is None:
        return instances
    wanted = find_labels(instances, until, option)
    needed: set[str] = set()
    while wanted:
        label = wanted.pop()
        if label not in needed:
            needed.add(label)
            wanted += instances[label].upstream()
    return {label: instance for label, instance in instances.items() if label in needed}


def check_inputs(lookup: Lookup, only: str) -> None:
    """Make known what `only` reads. Raises NotFoundError: it is not in the store."""
    wanted = set(find_labels(lookup.instances, only, "--only"))
    for label, instance in lookup.instances.items():
        if instance.node.kind is None:
            continue
        is_known = instance.upstream() <= lookup.outputs.keys()
        record = lookup.find(lookup.work(instance).key) if is_known else None
        if record is not None:
            lookup.learn(label, record.output, record.size)
        elif label not in wanted:
            raise NotFoundError(f"--only {only}: it needs {label}, which is not in the store: run that first")
