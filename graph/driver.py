"""The driver: walks the graph, looks every action up, and sends only misses to an executor.

When all that an instance reads is known, its key is formed; a record ends it at once (so an equal output stops a
change right there: early cutoff). What finished is committed by whoever executed it, so the driver may die at any
moment and be run again. Independent instances finish when one fails.
"""

from __future__ import annotations

from collections import deque

import msgspec

from graph.cluster import Executor, make_executor
from graph.events import Events, State
from graph.lookup import Lookup, Piece, Work, item_name, put_collection
from graph.mapping import Mapping
from graph.repair import Repairs
from graph.rounds import Instance
from graph.spec import Spec
from graph.task import Call, Outcome, Task, encode_params
from store.collection import PREFIX
from store.errors import Damaged, Missing, StoreError
from store.manifest import Entry
from store.open import Store
from store.records import Record

TASKS_PER_SLOT = 2


class Driver:
    """One walk over the instances of a spec."""

    def __init__(self, spec: Spec, lookup: Lookup, events: Events) -> None:
        self.lookup = lookup
        self.events = events
        self.executor: Executor = make_executor(spec.compute, self._report)
        self.computed = 0
        self.found = 0
        self.failures: list[str] = []
        self.tracebacks: list[str] = []
        self._folder = str(spec.path.parent.absolute())
        self._waiting = {label: instance.upstream() for label, instance in lookup.instances.items()}
        self._readers: dict[str, list[str]] = {label: [] for label in self._waiting}
        for label, upstream in self._waiting.items():
            for read in upstream:
                self._readers[read].append(label)
        self._ready = deque(label for label, upstream in self._waiting.items() if not upstream)
        self._maps: dict[str, Mapping] = {}
        self._tasks = 0
        self._repairs = Repairs(lookup, self._submit)

    def walk(self) -> None:
        """Go on until nothing can: every instance is found, run, failed or behind a failed one."""
        for label in self._waiting:
            self.events.emit(label, "waiting")
        self._start_ready()
        while self._tasks:
            task, outcomes = self.executor.wait()
            self._tasks -= 1
            for outcome in outcomes:
                self._take(task, outcome)
            self._start_ready()
        for label in self._waiting:
            self.events.emit(label, "skipped")

    def _start_ready(self) -> None:
        """Begin every instance whose inputs are known, and keep the executor busy with elements of maps."""
        while self._ready:
            label = self._ready.popleft()
            self._waiting.pop(label, None)
            try:
                self._start(self.lookup.instances[label])
            except (Missing, Damaged) as error:
                if not self._repairs.begin(error.digest, lambda label=label: self._ready.append(label)):  # type: ignore[misc]
                    self._fail(label, str(error))
            except StoreError as error:
                self._fail(label, str(error))
        for mapping in self._maps.values():
            while mapping.pending and self._tasks < self.executor.slots * TASKS_PER_SLOT:
                self._submit(mapping.work, mapping.pack(self.executor.slots))

    def _start(self, instance: Instance) -> None:
        """Find one instance's output or begin to make it. Raises StoreError where its inputs cannot be read."""
        label = instance.label
        if instance.node.kind is None:
            return self._finish(label, self.lookup.outputs[label], "hit")
        work = self.lookup.work(instance)
        record = self.lookup.find(work)
        if record is not None:
            self.found += 1
            total = record.ran.get("elements", 0)
            return self._finish(label, record.output, "hit", key=work.key, total=total, done=total)
        if not work.action.is_map:
            self.events.emit(label, "running")
            return self._submit(work, work.pieces)
        mapping = self._maps[label] = Mapping(work, self.lookup)
        self.found += mapping.found
        self.events.emit(label, "running", total=mapping.total, done=len(mapping.entries))
        if mapping.is_over:
            self._end_map(mapping)

    def _submit(self, work: Work, pieces: list[Piece], repairs: str = "") -> None:
        node = self.lookup.nodes[work.instance.node.name]
        assert node.kind is not None
        calls = [Call(piece.element, piece.key, piece.action.seed, piece.action.inputs) for piece in pieces]
        task = Task(
            label=work.instance.label,
            kind=node.kind_name,
            target=node.kind.target,
            source="",
            packages=work.action.packages,
            described=msgspec.structs.replace(work.action, is_map=False).described(),
            folder=self._folder,
            code=work.action.code,
            params=encode_params(node.params),
            threads=node.threads or 1,
            store=self.lookup.store.url,
            rewrite=bool(repairs) or any(piece.key in self.lookup.damaged for piece in pieces),
            repairs=repairs,
            calls=calls,
        )
        self._send(task)

    def _send(self, task: Task) -> None:
        self._tasks += 1
        self.executor.submit(task)

    def _take(self, task: Task, outcome: Outcome) -> None:
        if outcome.lost and outcome.lost != task.repairs:
            call = next(call for call in task.calls if call.element == outcome.element)
            again = msgspec.structs.replace(task, calls=[call])
            if self._repairs.begin(outcome.lost, lambda: self._send(again)):
                return
        self.computed += not outcome.error
        if task.repairs:
            return self._repairs.take(task.repairs)
        mapping = self._maps.get(outcome.label)
        if outcome.error:
            self._note_failure(outcome)
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

    def _note_failure(self, outcome: Outcome) -> None:
        on = f" on {outcome.element!r}" if outcome.element is not None else ""
        self.failures.append(f"node {outcome.label} (action {outcome.key[:8]}) failed{on}: {outcome.error}")
        self.tracebacks.append(outcome.traceback)

    def _fail(self, label: str, error: str) -> None:
        """End an instance whose inputs cannot be read."""
        self.failures.append(f"node {label} cannot read its inputs: {error}")
        self.tracebacks.append("")
        self.events.emit(label, "failed", error=error)

    def _end_map(self, mapping: Mapping) -> None:
        """The barrier: no element is left, so write the collection and one record for the whole map."""
        work, label, kind = mapping.work, mapping.work.instance.label, mapping.work.instance.node.kind
        del self._maps[label]
        facts = {"total": mapping.total, "done": len(mapping.entries), "seconds": mapping.seconds}
        if mapping.failed:
            error = f"{mapping.failed} of {mapping.total} elements failed"
            return self.events.emit(label, "failed", error=error, **facts)
        assert kind is not None
        entries = [Entry(key, "artifact", *held) for key, held in mapping.entries.items()]
        store = Store(self.lookup.store.objects, self.lookup.store.url, rewrite=True)  # it may be there, damaged
        output, size = put_collection(store, item_name(kind), entries)
        ran = {"elements": mapping.total, "ran": mapping.ran, "seconds": round(mapping.seconds, 4)}
        record = Record(work.key, output, size, PREFIX + item_name(kind), work.action.described(), ran)
        store.commit(record)
        self._finish(label, output, "done", key=work.key, ran=mapping.ran, **facts)

    def _finish(self, label: str, output: str, state: State, **facts) -> None:
        """Make an output known, and ready what waited for nothing more."""
        self.lookup.outputs[label] = output
        self.events.emit(label, state, output=output, **facts)
        for reader in self._readers[label]:
            upstream = self._waiting[reader]
            upstream.discard(label)
            if not upstream:
                self._ready.append(reader)

    def _report(self, label: str, numbers: dict[str, float]) -> None:
        if label not in self.lookup.outputs:  # a late report must not make a finished node run again
            self.events.emit(label, "running", numbers=numbers)
