"""A run: one walk over a spec's graph, with its log, its result and its end."""

from __future__ import annotations

import time

import msgspec

from graph.driver import Driver
from graph.errors import NotFoundError, RunError, nearest
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
) -> Result:
    """Run a spec to the end and return what it gave.

    Raises:
        SpecError, NotFoundError: before anything runs.
        RunError: nodes failed; all that did not depend on them was finished first.
        KeyboardInterrupt: passed on after the executor has stopped.
    """
    lookup = Lookup(spec, store, select_until(unroll(spec), until))
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    log = RunLog(store, Root(spec.experiment.name, str(spec.path), spec.text, settings, started))
    began = time.monotonic()
    driver = Driver(spec, lookup, Events(log, *listeners))
    status, digest = "interrupted", ""
    try:
        driver.walk()
        status = "failed" if driver.failures else "done"
    finally:
        try:
            digest = put_result(store, lookup.outputs)
            seconds = time.monotonic() - began
            log.end(End(status, digest, round(seconds, 3), driver.computed, driver.found))
        finally:
            driver.executor.close()
    if driver.failures:
        raise RunError(driver.failures, driver.tracebacks)
    store.refs.move(spec.experiment.name, digest)
    return Result(log.id, digest, lookup.outputs, driver.computed, driver.found, seconds)


def select_until(instances: dict[str, Instance], until: str | None) -> dict[str, Instance]:
    """Return the instances that `until` needs: a node's name, all its rounds, or a label. Raises NotFoundError."""
    if until is None:
        return instances
    wanted = [label for label, instance in instances.items() if until in (label, instance.node.name)]
    if not wanted:
        names = {instance.node.name for instance in instances.values()}
        raise NotFoundError(f"--until {until}: no node has that name{nearest(until, names)}")
    needed: set[str] = set()
    while wanted:
        label = wanted.pop()
        if label not in needed:
            needed.add(label)
            wanted += instances[label].upstream()
    return {label: instance for label, instance in instances.items() if label in needed}
