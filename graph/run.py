"""The driver: walks the graph, looks every action up, and sends only misses to an executor.

When all that an instance reads is known, its key is formed; a record ends it at once (so an equal output stops a
change right there: early cutoff). What finished is committed by whoever executed it, so the driver may die at any
moment and be run again. Independent instances finish when one fails.
"""

from __future__ import annotations

import time
from collections import deque

import msgspec

from graph.cluster import Executor, make_executor
from graph.errors import NotFoundError, RunError, nearest
from graph.events import Events, Listener, State
from graph.execute import Call, Outcome, Task, encode_params
from graph.lookup import Lookup, Piece, Work, item_name, put_collection
from graph.mapping import Mapping
from graph.repair import find_producer
from graph.rounds import Instance, unroll
from graph.runs import End, Root, RunLog, put_result
from graph.spec import Spec
from store.manifest import Entry
from store.open import Store
from store.records import Record

TASKS_PER_SLOT = 2


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
    instances = select_until(unroll(spec), until)
    lookup = Lookup(spec, store)
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    log = RunLog(store, Root(spec.experiment.name, str(spec.path), spec.text, settings, started))
    began = time.monotonic()
    driver = Driver(spec, lookup, instances, Events(log, *listeners))
    status = "interrupted"
    try:
        driver.walk()
        status = "failed" if driver.failures else "done"
    finally:
        outputs = lookup.outputs
        digest = put_result(store, outputs)
        seconds = time.monotonic() - began
        log.end(End(status, digest, round(seconds, 3), driver.computed, driver.found))
        if outputs:
            store.refs.move(spec.experiment.name, digest)
        driver.executor.close()
    if driver.failures:
        raise RunError(driver.failures, driver.tracebacks)
    return Result(log.id, digest, outputs, driver.computed, driver.found, seconds)


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


class Driver:
    """One walk over the instances of a spec."""

    def __init__(self, spec: Spec, lookup: Lookup, instances: dict[str, Instance], events: Events) -> None:
        self.lookup = lookup
        self.instances = instances
        self.events = events
        self.executor: Executor = make_executor(spec.compute, self._report)
        self.computed = 0
        self.found = 0
        self.failures: list[str] = []
        self.tracebacks: list[str] = []
        self._folder = str(spec.path.parent.absolute())
        self._waiting = {label: instance.upstream() for label, instance in instances.items()}
        self._maps: dict[str, Mapping] = {}
        self._works: dict[str, Work] = {}
        self._tasks = 0
        self._repairs: dict[str, list[Task]] = {}  # label of a repair under way -> tasks to send again after it
        self._repaired: set[str] = set()

    def walk(self) -> None:
        """Go on until nothing can: every instance is found, run, failed or behind a failed one."""
        for label in self.instances:
            self.events.emit(label, "waiting")
        self._start_ready()
        while self._tasks:
            task, outcomes = self.executor.wait()
            self._tasks -= 1
            if task.rewrite and task.label in self._repairs:
                self._end_repair(task, outcomes)
            else:
                for outcome in outcomes:
                    self._take(task, outcome)
            self._start_ready()
        for label in self._waiting:
            self.events.emit(label, "skipped")

    def _start_ready(self) -> None:
        """Begin every instance whose inputs are known, and keep the executor busy with elements of maps."""
        ready = deque(label for label, upstream in self._waiting.items() if not upstream)
        while ready:
            label = ready.popleft()
            if self._waiting.pop(label, None) is not None:
                ready += self._start(self.instances[label])
        for mapping in self._maps.values():
            while mapping.pending and self._tasks < self.executor.slots * TASKS_PER_SLOT:
                self._submit(mapping.work, mapping.pack(self.executor.slots))

    def _start(self, instance: Instance) -> list[str]:
        """Find or begin one instance; return the labels that became ready."""
        label = instance.label
        if instance.node.kind is None:
            return self._finish(label, self.lookup.resolve_artifact(instance.node), "hit")
        work = self._works[label] = self.lookup.work(instance)
        record = self.lookup.find(work)
        if record is not None:
            self.found += 1
            total = len(work.pieces) if work.action.is_map else 0
            return self._finish(label, record.output, "hit", key=work.key, total=total, done=total)
        if not work.action.is_map:
            self.events.emit(label, "running")
            self._submit(work, work.pieces)
            return []
        mapping = self._maps[label] = Mapping(work, self.lookup)
        self.found += mapping.found
        self.events.emit(label, "running", total=mapping.total, done=len(mapping.entries))
        return self._end_map(mapping) if mapping.is_over else []

    def _submit(self, work: Work, pieces: list[Piece], rewrite: bool = False) -> None:
        node = self.lookup.nodes[work.instance.node.name]
        self._send(
            Task(
                label=work.instance.label,
                kind=node.kind_name,
                folder=self._folder,
                code=work.action.code,
                params=encode_params(node.params),
                threads=node.threads or 1,
                store=self.lookup.store.url,
                rewrite=rewrite or any(piece.key in self.lookup.damaged for piece in pieces),
                calls=[
                    Call(
                        piece.element,
                        piece.key,
                        piece.action.seed,
                        piece.action.inputs,
                        piece.action.described(),
                    )
                    for piece in pieces
                ],
            )
        )

    def _send(self, task: Task) -> None:
        self._tasks += 1
        self.executor.submit(task)

    def _take(self, task: Task, outcome: Outcome) -> None:
        if outcome.lost and self._begin_repair(task, outcome):
            return
        if outcome.error:
            on = f" on {outcome.element!r}" if outcome.element is not None else ""
            where = f"node {outcome.label} (action {outcome.key[:8]}) failed{on}"
            self.failures.append(f"{where}: {outcome.error}")
            self.tracebacks.append(outcome.printed[-4000:] + outcome.traceback)
        else:
            self.computed += 1
        mapping = self._maps.get(outcome.label)
        if mapping is not None:
            mapping.take(outcome)
            self.events.emit(outcome.label, "running", total=mapping.total, done=len(mapping.entries))
            if mapping.is_over:
                self._end_map(mapping)
        elif outcome.error:
            self.events.emit(outcome.label, "failed", error=outcome.error, seconds=outcome.seconds)
        else:
            key, seconds = outcome.key, outcome.seconds
            self._finish(outcome.label, outcome.output, "done", key=key, ran=1, seconds=seconds)

    def _end_map(self, mapping: Mapping) -> list[str]:
        """The barrier: no element is left, so write the collection and one record for the whole map."""
        work, label, kind = mapping.work, mapping.work.instance.label, mapping.work.instance.node.kind
        del self._maps[label]
        facts = {"total": mapping.total, "done": len(mapping.entries), "seconds": mapping.seconds}
        if mapping.failed:
            error = f"{mapping.failed} of {mapping.total} elements failed"
            self.events.emit(label, "failed", error=error, **facts)
            return []
        assert kind is not None
        entries = [Entry(key, "artifact", *held) for key, held in mapping.entries.items()]
        store = Store(self.lookup.store.objects, self.lookup.store.url, rewrite=True)
        output, size = put_collection(store, item_name(kind), entries)
        ran = {"elements": mapping.total, "ran": mapping.ran, "seconds": round(mapping.seconds, 4)}
        type_name = f"collection of {item_name(kind)}"
        store.records.add(Record(work.key, output, size, type_name, work.action.described(), ran))
        return self._finish(label, output, "done", key=work.key, ran=mapping.ran, **facts)

    def _finish(self, label: str, output: str, state: State, **facts) -> list[str]:
        """Make an output known; return the labels that wait for nothing more."""
        self.lookup.outputs[label] = output
        self.events.emit(label, state, output=output, **facts)
        freed = []
        for other, upstream in self._waiting.items():
            if label in upstream:
                upstream.discard(label)
                if not upstream:
                    freed.append(other)
        return freed

    def _begin_repair(self, task: Task, outcome: Outcome) -> bool:
        """Run the producer of lost bytes again, once a digest; tell whether the call will be tried again."""
        if outcome.lost in self._repaired:
            return False
        producer = find_producer(self.lookup, self.instances.values(), outcome.lost)
        if producer is None:
            return False
        self._repaired.add(outcome.lost)
        work, pieces = producer
        call = next(call for call in task.calls if call.element == outcome.element)
        self._repairs.setdefault(work.instance.label, []).append(msgspec.structs.replace(task, calls=[call]))
        self._submit(work, pieces, rewrite=True)
        return True

    def _end_repair(self, task: Task, outcomes: list[Outcome]) -> None:
        """Send the calls again that waited for the bytes; if these could not be made, they fail by themselves."""
        self.computed += sum(not outcome.error for outcome in outcomes)
        for waiting in self._repairs.pop(task.label):
            self._send(waiting)

    def _report(self, label: str, numbers: dict[str, float]) -> None:
        self.events.emit(label, "running", numbers=numbers)
