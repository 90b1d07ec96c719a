"""The driver: walks the graph, looks every action up, and sends only misses to an executor.

When all that an instance reads is known, its key is formed; a record ends it at once (so an equal output stops a
change right there: early cutoff). What finished is committed by whoever executed it, so the driver may die at any
moment and be run again. Independent instances finish when one fails.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

from graph.events import Events, State
from graph.lookup import Lookup, Work, put_collection
from graph.mapping import Mapping
from graph.queue import Queue
from graph.repair import Repairs
from graph.rest import LISTED, NONE, Lost, lost_lines
from graph.rounds import Instance
from graph.spec import Spec
from graph.task import Call, Outcome, Task
from store.collection import PREFIX
from store.errors import Damaged, Missing, StoreError
from store.manifest import Entry
from store.open import type_name
from store.records import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graph.team import Team


class Driver:
    """One walk over the instances of a spec; those of `forced` run whether there is a record or not."""

    def __init__(
        self,
        spec: Spec,
        lookup: Lookup,
        events: Events,
        forced: frozenset[str] = frozenset(),
        team: Team | None = None,
    ) -> None:
        self.lookup = lookup
        self.events = events
        self.forced = forced
        self.queue = Queue(spec.compute, lookup, self._report, team, self._show)
        self.computed = 0
        self.found = 0
        self.failures: list[str] = []
        self.left_out: list[str] = []  # elements that failed and may
        self.tracebacks: list[str] = []
        self._waiting = {label: instance.upstream() for label, instance in lookup.instances.items()}
        self._readers: dict[str, list[str]] = {label: [] for label in self._waiting}
        for label, upstream in self._waiting.items():
            for read in upstream:
                self._readers[read].append(label)
        self._ready = deque(label for label, upstream in self._waiting.items() if not upstream)
        self._maps: dict[str, Mapping] = {}
        self._paces: dict[str, float] = {}  # mapped node -> seconds that an element of it lasts
        self._making: dict[str, list[Callable[[Outcome], None]]] = {}  # action key -> who waits for its outcome
        self._failed: dict[str, Outcome] = {}
        self._repairs = Repairs(lookup, self._repair)

    def walk(self) -> None:
        """Go on until nothing can: every instance is found, run, failed or behind a failed one."""
        for label in self._waiting:
            self.events.emit(label, "waiting")
        self._start_ready()
        while self.queue.is_busy:
            task, outcomes = self.queue.wait()
            for outcome in outcomes:
                self._take(task, outcome)
            self._start_ready()
        for label in self._waiting:
            self.events.emit(label, "skipped")

    def _start_ready(self) -> None:
        """Begin every instance whose inputs are known, and keep the executor busy with elements of maps."""
        while True:
            while self._ready:
                self._begin(self._ready.popleft())
            maps = [one for one in self._maps.values() if not one.is_seen and self.queue.has_room(one.work)]
            if not maps:
                return
            # It may end the map, and that may ready others.
            self._send_elements(min(maps, key=lambda one: self.queue.ranks[one.work.label]))

    def _begin(self, label: str) -> None:
        self._waiting.pop(label, None)
        try:
            self._start(self.lookup.instances[label])
        except (Missing, Damaged) as error:
            if not self._repairs.begin(error.digest, label, lambda: self._ready.append(label)):
                self._fail(label, str(error))
        except StoreError as error:
            self._fail(label, str(error))

    def _start(self, instance: Instance) -> None:
        """Find one instance's output or begin to make it. Raises StoreError where its inputs cannot be read."""
        label = instance.label
        if instance.node.kind is None or label in self.lookup.rests:
            self.left_out += self.lookup.rests.get(label, [])
            lost = self.lookup.lost[label]
            return self._finish(label, self.lookup.outputs[label], self.lookup.sizes[label], "hit", lost)
        work = self.lookup.work(instance)
        record = None if label in self.forced else self.lookup.find_whole(work)
        if record is not None:
            self.found += 1
            total = record.ran.get("elements", 0)
            return self._finish(label, record.output, record.size, "hit", key=work.key, total=total, done=total)
        if work.action.is_map:
            total = work.total  # first: where the elements cannot be read there is no map yet
            found = self.lookup.find_calls(work, is_forced=label in self.forced)
            mapping = self._maps[label] = Mapping(work, found, self._paces.get(instance.node.name))
            self.events.emit(label, "running", total=total)
            return None if total else self._end_map(mapping)
        call = next(work.calls())
        if self._join(call.key, lambda outcome: self._take_whole(label, outcome)):
            self.queue.send(self.queue.task(work, [call], rewrite=label in self.forced))
            self.events.emit(label, "running")

    def _send_elements(self, mapping: Mapping) -> None:
        """Look elements up until a task is full of those that must run, or none is left."""
        work, calls, size = mapping.work, list[Call](), 1
        while len(calls) < size and not mapping.is_seen:
            call, record = next(mapping.rest)
            mapping.n_seen += 1
            if record is not None:
                self.found += 1
                mapping.entries[call.element or ""] = (record.output, record.size)
                continue
            mapping.under_way += 1
            if self._join(call.key, lambda outcome, call=call: self._take_element(mapping, call, outcome)):  # type: ignore[misc]
                size = size if calls else mapping.task_size(self.queue.slots)  # asked for late: it starts the executor
                calls.append(call)
        if calls:
            self.queue.send(self.queue.task(work, calls, rewrite=work.label in self.forced))
        if work.label not in self._maps:
            return  # ended by an element that had failed already
        self.events.emit(work.label, "running", total=work.total, done=len(mapping.entries))
        if mapping.is_over:
            self._end_map(mapping)

    def _join(self, key: str, settle: Callable[[Outcome], None]) -> bool:
        """Have `settle` called with an action's outcome; tell whether the action has yet to be sent."""
        if key in self._failed:
            settle(msgspec.structs.replace(self._failed[key], is_found=True, seconds=0.0))
            return False
        settlers = self._making.setdefault(key, [])
        settlers.append(settle)
        return len(settlers) == 1

    def _repair(self, work: Work, calls: list[Call], lost: str) -> None:
        self.queue.send(self.queue.task(work, calls, rewrite=True, repairs=lost))

    def _take(self, task: Task, outcome: Outcome) -> None:
        """Take an outcome: repair what it lacked, try again what the machine failed at, else settle it."""
        alone = msgspec.structs.replace(task, calls=[call for call in task.calls if call.element == outcome.element])
        if outcome.lost and outcome.lost != task.repairs:
            if self._repairs.begin(outcome.lost, outcome.key, lambda: self.queue.send(alone)):
                return
        elif outcome.failure and self.queue.may_retry(task, outcome):
            facts = {"error": f"{outcome.error}: once more", "traceback": outcome.traceback, "log": outcome.log}
            self.events.emit(task.label, "running", element=outcome.element or "", seconds=outcome.seconds, **facts)
            return self.queue.send(alone)
        self.computed += not outcome.error and not outcome.is_found
        self.found += outcome.is_found
        if task.repairs:
            return self._repairs.take(outcome.key)
        if outcome.error:
            self._failed[outcome.key] = outcome
        first, *others = self._making.pop(outcome.key)
        first(outcome)
        for settle in others:
            self.found += not outcome.error
            settle(msgspec.structs.replace(outcome, is_found=True, seconds=0.0, log=None))

    def _take_whole(self, label: str, outcome: Outcome) -> None:
        if outcome.error:
            self._note_failure(label, None, outcome)
            facts = {"key": outcome.key, "seconds": outcome.seconds, "traceback": outcome.traceback}
            return self.events.emit(label, "failed", error=outcome.error, log=outcome.log, **facts)
        state: State = "hit" if outcome.is_found else "done"
        ran = int(state == "done")
        facts = {"key": outcome.key, "seconds": outcome.seconds, "log": outcome.log}
        self._finish(label, outcome.output, outcome.size, state, NONE, ran=ran, **facts)

    def _take_element(self, mapping: Mapping, call: Call, outcome: Outcome) -> None:
        outcome = msgspec.structs.replace(outcome, element=call.element)
        label = mapping.work.label
        mapping.take(outcome)
        if outcome.error:
            self._note_failure(label, call.element, outcome)
        if outcome.error or outcome.log:
            facts = {"error": outcome.error, "traceback": outcome.traceback, "log": outcome.log, "key": outcome.key}
            self.events.emit(label, "running", element=call.element, seconds=outcome.seconds, **facts)
        self.events.emit(label, "running", total=mapping.work.total, done=len(mapping.entries))
        if mapping.is_over:
            self._end_map(mapping)

    def _note_failure(self, label: str, element: str | None, outcome: Outcome) -> None:
        on = f" on {element!r}" if element is not None else ""
        told = f"node {label} (action {outcome.key[:8]}) failed{on}: {outcome.error}", outcome.traceback
        if element is None:
            self._tell_failures([told])
        elif len(self._maps[label].failures) < LISTED:
            self._maps[label].failures.append(told)

    def _tell_failures(self, told: Sequence[tuple[str, str]]) -> None:
        self.failures += [line for line, _ in told]
        self.tracebacks += [traceback for _, traceback in told]

    def _fail(self, label: str, error: str) -> None:
        """End an instance whose inputs cannot be read."""
        self.failures.append(f"node {label} cannot read its inputs: {error}")
        self.tracebacks.append("")
        self.events.emit(label, "failed", error=error)

    def _end_map(self, mapping: Mapping) -> None:
        """The barrier: no element is left, so write the collection and one record for the whole map.

        Where elements failed and may, or what they read was lost so, their readers get the rest; no record says that
        this is the map's output.
        """
        work = mapping.work
        del self._maps[work.label]
        if mapping.ran:
            self._paces[work.instance.node.name] = mapping.each_s
        facts: dict[str, Any] = {"total": work.total, "done": len(mapping.entries), "seconds": mapping.seconds}
        lost = {**work.lost, **mapping.lost}
        if lost:
            may_fail = self.lookup.instances[work.label].node.may_fail
            facts["error"] = mapping.told(may_fail)
            gone = lost_lines(work.label, work.lost)
            if mapping.is_unlucky or mapping.failed > may_fail or not mapping.entries:
                self._tell_failures(mapping.failures or [(line, "") for line in gone])
                if more := mapping.failed - len(mapping.failures):
                    log = f"`dataflow log {work.label}` lists all"
                    self._tell_failures([(f"node {work.label} failed on {more} more: {log}", "")])
                return self.events.emit(work.label, "failed", key=work.key, **facts)
            self.left_out += [line for line, _ in mapping.failures] + gone
        entries = [Entry(key, "artifact", *held) for key, held in mapping.entries.items()]
        store = self.lookup.store.rewriting()  # it may be there, damaged
        item = type_name(work.kind.output)
        output, size = put_collection(store, item, entries)
        if not lost:
            ran = {"elements": work.total, "ran": mapping.ran, "seconds": round(mapping.seconds, 4)}
            described = work.action.described()
            store.commit(Record(work.key, output, size, PREFIX + item, described, ran, self.lookup.source))
            self.queue.give(work.label, work.key)
        self._finish(work.label, output, size, "done", lost, key=work.key, ran=mapping.ran, **facts)

    def _finish(self, label: str, output: str, size: int, state: State, lost: Lost = NONE, **facts) -> None:
        """Make an output known, and ready what waited for nothing more."""
        self.lookup.learn(label, output, size, lost)
        self.events.emit(label, state, output=output, **facts)
        for reader in self._readers[label]:
            upstream = self._waiting[reader]
            upstream.discard(label)
            if not upstream:
                self._ready.append(reader)

    def _show(self, link: str) -> None:
        self.events.emit("dashboard", "running", link=link)

    def _report(self, label: str, numbers: dict[str, float]) -> None:
        if label not in self.lookup.outputs:  # a late report must not make a finished node run again
            self.events.emit(label, "running", numbers=numbers)
