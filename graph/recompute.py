"""Recompute: run actions again that have records, and compare. Nothing is replaced: it asks whether a record is true.

A body that draws outside its seed, reads a clock, or counts on a library that sums in any order gives another output;
so does a record that somebody made up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import msgspec

from graph.executor import Executor, make_executor
from graph.lookup import Lookup
from graph.queue import TASKS_PER_SLOT, Queue
from graph.run import check_inputs, find_labels, select_until
from graph.spec import Spec
from graph.task import Outcome, Task
from store.errors import StoreError
from store.open import Store
from store.transfer import pull

OPTION = "--recompute"
AT_ONCE = 16  # calls of a task


class Compared(msgspec.Struct, frozen=True):
    """An instance whose actions ran again: how many there were, and a line for each that did not give what it had.

    `is_external`: it asks a server, so none ran.
    """

    label: str
    actions: int
    differences: list[str]
    is_external: bool = False


def recompute(spec: Spec, store: Store, name: str) -> Iterator[Compared]:
    """Run all actions of a node or an instance again and compare. All that it reads must be there: run the spec first.

    Raises:
        NotFoundError: no node has that name, or what it reads is not there.
        ClusterError: there is nobody to run them.
    """
    lookup = Lookup(spec, store, select_until(spec, name, OPTION))
    check_inputs(lookup, name, OPTION)
    queue = Queue(spec.compute, lookup, _ignore, None)
    executor = make_executor(spec.compute, _ignore)
    try:
        for label in find_labels(lookup.instances, name, OPTION):
            if lookup.instances[label].node.kind is None:
                continue
            work = lookup.work(lookup.instances[label])
            if work.kind.facts.is_external(work.params):
                yield Compared(label, 0, [], is_external=True)
                continue
            calls = list(work.calls())
            with contextlib.suppress(StoreError):  # a body that needs it says so
                pull(store, sorted({one for call in calls for one in call.inputs.values() if one is not None}))
            split = [calls[start : start + AT_ONCE] for start in range(0, len(calls), AT_ONCE)]
            tasks = [msgspec.structs.replace(queue.task(work, some), is_check=True) for some in split]
            lines = [_compare(lookup, outcome) for outcome in _run(executor, tasks)]
            yield Compared(label, len(calls), list(filter(None, lines)))
    finally:
        executor.close()


def _ignore(label: str, numbers: dict[str, float]) -> None:
    pass


def _run(executor: Executor, tasks: list[Task]) -> Iterator[Outcome]:
    under_way = 0
    while tasks or under_way:
        while tasks and under_way < executor.slots * TASKS_PER_SLOT:
            executor.submit(tasks.pop(0))
            under_way += 1
        ended = executor.wait()
        if ended is not None:
            under_way -= 1
            yield from ended[1]


def _compare(lookup: Lookup, outcome: Outcome) -> str:
    """Return how an outcome differs from its record; "" where it does not."""
    on = f" on {outcome.element!r}" if outcome.element is not None else ""
    if outcome.error:
        return f"failed{on}: {outcome.error}"
    record = lookup.record(outcome.key)
    if record is None:
        return f"has no record{on} to compare with"
    if record.output != outcome.output:
        return f"differs{on}: gave {outcome.output[:12]}, the record says {record.output[:12]}"
    return ""
