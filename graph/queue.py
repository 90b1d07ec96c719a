"""The queue: tasks on their way to the executor, which goes first, so many at a time, and which are tried again.

The executor is made by the first task: a run that finds everything starts nothing.
"""

from __future__ import annotations

import bisect
import itertools
import time
from collections import Counter, deque
from typing import TYPE_CHECKING

import msgspec

from graph.lookup import Lookup, Work
from graph.rank import Rank, rank_instances
from graph.spec import Compute
from graph.task import Call, Outcome, Report, Show, Task, encode_params, show_nobody

if TYPE_CHECKING:
    from graph.executor import Executor
    from graph.team import Team

LOOK_S = 0.5  # between two looks at what others are doing
TASKS_PER_SLOT = 2  # of short ones: one that runs, one that is there when it ends
SHORT_S = 0.1  # a longer task is worth waiting for: whoever goes before a slot is free may end up behind a long one
RETRIED = ("worker lost", "out of memory", "transient")  # the machine's failures; a body's own are never tried again

Needs = frozenset[tuple[str, float]]  # the resources of a task: those with equal needs share a line
Place = tuple[Rank, int]  # in a line; of equal rank who came first


class Queue:
    """Lines of tasks, one for each set of resources they need, and the executor that they go to."""

    def __init__(
        self, compute: Compute, lookup: Lookup, report: Report, team: Team | None, show: Show = show_nobody
    ) -> None:
        self._compute = compute
        self._lookup = lookup
        self._report = report
        self._team = team
        self._show = show
        self._executor: Executor | None = None
        is_alone = compute.executor == "inline" or (compute.executor == "local" and compute.workers == 1)
        self.ranks = rank_instances(lookup.instances, lag=0 if is_alone else 1)
        self._arrivals = itertools.count()
        self._lines: dict[Needs, list[tuple[Place, Task]]] = {}
        self._under_way: Counter[Needs] = Counter()
        self._kinds: Counter[str] = Counter()  # of those under way
        self._lasted: dict[str, float] = {}  # kind -> seconds of its newest task
        self._attempts: Counter[str] = Counter()
        self._arrived: deque[tuple[Task, list[Outcome]]] = deque()  # from others

    @property
    def slots(self) -> int:
        """How many tasks run side by side."""
        return self._started().slots

    @property
    def is_busy(self) -> bool:
        """Tell whether any task is under way, here or by others."""
        is_waiting = self._team is not None and self._team.is_waiting
        return self._under_way.total() > 0 or any(self._lines.values()) or is_waiting or bool(self._arrived)

    def has_room(self, work: Work) -> bool:
        """Tell whether a task of this work would go to the executor at once."""
        if self._executor is None:
            return True
        needs = _needs(work.instance.node.resources)
        place = self.ranks[work.label], next(self._arrivals)
        n_before = bisect.bisect(self._lines.get(needs, []), place, key=_place)
        return self._under_way[needs] + n_before < self._limit(work.instance.node.kind_name)

    def task(self, work: Work, calls: list[Call], rewrite: bool = False, repairs: str = "") -> Task:
        """Return the task of these calls."""
        node = work.instance.node
        return Task(
            label=work.label,
            kind=node.kind_name,
            target=work.kind.target,
            source=self._lookup.source,
            packages=work.action.packages,
            params=encode_params(work.params),
            threads=node.threads or 1,
            store=self._lookup.store.url,
            described=msgspec.structs.replace(work.action, is_map=False).described(),
            calls=calls,
            rewrite=rewrite or any(call.key in self._lookup.damaged for call in calls),
            repairs=repairs,
            timeout=node.timeout,
            resources=node.resources,
        )

    def send(self, task: Task) -> None:
        """Take a task; it waits in line until there is room. What others are at is waited for instead."""
        if self._team is not None:
            task = self._team.claim(task)
        if task.calls:
            self._line_up(task)

    def _line_up(self, task: Task) -> None:
        place = self.ranks[task.label], next(self._arrivals)
        bisect.insort(self._lines.setdefault(_needs(task.resources), []), (place, task), key=_place)

    def wait(self) -> tuple[Task, list[Outcome]]:
        """Return the next finished task with its outcomes; at least one must be under way, here or by others."""
        while True:
            if self._team is not None and self._team.is_waiting:
                arrived, again = self._team.look()
                self._arrived += arrived
                for task in again:
                    self._line_up(task)
            self._fill()
            if self._arrived:
                return self._arrived.popleft()
            ended = None
            if self._under_way.total():
                ended = self._started().wait(LOOK_S if self._team is not None and self._team.is_waiting else None)
            else:
                time.sleep(LOOK_S)
            if ended is not None:
                return self._end(*ended)

    def _end(self, task: Task, outcomes: list[Outcome]) -> tuple[Task, list[Outcome]]:
        self._under_way[_needs(task.resources)] -= 1
        self._kinds[task.kind] -= 1
        self._lasted[task.kind] = sum(outcome.seconds for outcome in outcomes)
        if self._team is not None:
            self._team.give(task, outcomes)
        return task, outcomes

    def give(self, label: str, key: str) -> None:
        """Let others have what the record of that key leads to."""
        if self._team is not None:
            self._team.give_record(label, key)

    def may_retry(self, task: Task, outcome: Outcome) -> bool:
        """Tell whether a failed call is to be sent again, and count that."""
        if outcome.failure not in RETRIED:
            return False
        self._attempts[outcome.key] += 1
        return self._attempts[outcome.key] <= self._lookup.instances[task.label].node.retries

    def close(self) -> None:
        """Stop everything that is under way."""
        try:
            if self._executor is not None:
                self._executor.close()
        finally:
            if self._team is not None:
                self._team.close()

    def _fill(self) -> None:
        """Send the first of every line as far as there is room: once all is known that is ready."""
        for needs, line in self._lines.items():
            while line and self._under_way[needs] < self._limit(line[0][1].kind):
                _, task = line.pop(0)
                self._under_way[needs] += 1
                self._kinds[task.kind] += 1
                self._started().submit(task)

    def _limit(self, kind: str) -> int:
        """Return how many tasks may be under way if the next is of this kind. An unknown one may be long."""
        lasting = (self._lasted.get(one, SHORT_S) for one in (kind, *(+self._kinds)))
        return self.slots * (TASKS_PER_SLOT if max(lasting) < SHORT_S else 1)

    def _started(self) -> Executor:
        if self._executor is None:
            from graph.executor import make_executor

            self._executor = make_executor(self._compute, self._report, self._show)
            wanted = {label: one.node.resources for label, one in self._lookup.instances.items() if one.node.resources}
            self._executor.check_resources(wanted)
        return self._executor


def _place(waiting: tuple[Place, Task]) -> Place:
    return waiting[0]


def _needs(resources: dict[str, float]) -> Needs:
    return frozenset(resources.items())
