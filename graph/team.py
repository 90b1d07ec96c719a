"""Work beside others on shared stores: claim what is to be executed, bring its inputs, give what it gave, wait.

Who executes an action has its lease, so that others wait for it instead of executing it too; when they have waited
they find the record. Outputs travel in the background, records last. All of this is an economy: two who execute the
same action lose time, and nothing else.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import itertools
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec

from graph.task import Call, Outcome, Task
from store.errors import StoreError
from store.leases import Holder, Leases
from store.many import many
from store.open import Store
from store.packs import SMALL
from store.records import Record
from store.transfer import Traffic, Withheld, pull, push, small_manifest

if TYPE_CHECKING:
    from store.tiers import Tier

LOOK_S = 0.5  # between two looks at what others are doing
LOOKED_AT = 64  # calls of others, each a request
CLOSE_S = 1.0  # for what is on its way when all is to stop
PUSHES = 4  # side by side; each sends many pieces at a time

Waits = Callable[[str, str], None]  # (label, for whom)


class Awaited(msgspec.Struct, frozen=True):
    """A call that somebody else is at."""

    task: Task
    call: Call
    holder: Holder


class Team:
    """What one run does with the shared stores behind its own."""

    def __init__(self, store: Store, waits: Waits) -> None:
        assert store.tiers is not None
        self.store = store
        self.tiers = store.tiers
        self.unsent: dict[str, str] = {}  # label -> why its output was not passed on
        self.pushed = 0
        self._waits = waits
        self._awaited: dict[str, Awaited] = {}
        self._arrived: list[tuple[Task, list[Outcome]]] = []
        self._told: set[tuple[str, str]] = set()
        self._brought: set[str] = set()
        self._looked = 0.0
        self._pool = ThreadPoolExecutor(PUSHES)
        self._pushes: list[Future[None]] = []

    @functools.cached_property
    def _targets(self) -> list[Tier]:
        """Where outputs go; asked for by the first action to execute, so that a run that finds all asks nothing."""
        return [tier for tier in self.tiers.all if tier.may_write]

    @functools.cached_property
    def _leased(self) -> tuple[Tier, Leases] | None:
        """The one store in which leases stand: the first in which a name is given once."""
        tier = next((tier for tier in self._targets if tier.is_create_only), None)
        return (tier, Leases(tier.meter, tier.keyring.own)) if tier is not None else None

    @property
    def is_waiting(self) -> bool:
        """Tell whether somebody else is at something that this run needs."""
        return bool(self._awaited or self._arrived)

    def claim(self, task: Task) -> Task:
        """Return the task with those of its calls that are for this run to execute, their inputs being here."""
        if not task.rewrite and self._leased is not None and not self._leased[0].failure:
            with self._leased[0].tolerated():
                task = self._claim(task, *self._leased)
        self._bring(task)
        return task

    def _claim(self, task: Task, tier: Tier, leases: Leases) -> Task:
        answers = many(lambda call: leases.acquire(call.key), task.calls)
        mine: list[Call] = []  # from here on nothing fails of the store: a call is taken once, by one side
        late: list[Call] = []
        for call, (holder, is_first) in zip(task.calls, answers):
            if holder is None:
                (mine if is_first else late).append(call)
            elif not tier.keyring.accepts(holder.signer, tier.settings.trust):
                mine.append(call)  # what they make would not be believed
            else:
                self._await(Awaited(task, call, holder))
        for call, record in zip(late, many(self.tiers.find, [call.key for call in late])):
            if record is None:
                mine.append(call)
            else:  # it was made between our look and our claim
                self._take(task, call, record)
                self._release(call.key)
        kept = {call.key for call in mine}
        return msgspec.structs.replace(task, calls=[call for call in task.calls if call.key in kept])

    def look(self) -> tuple[list[tuple[Task, list[Outcome]]], list[Task]]:
        """Return what others have made since the last look, and what is to be executed here after all."""
        again: list[Task] = []
        if self._awaited and time.monotonic() - self._looked >= LOOK_S:
            # What is begun first ends first, about: while there is news among some, look at the next.
            for _ in range(0, len(self._awaited), LOOKED_AT):
                if not self._look_at(list(itertools.islice(self._awaited.values(), LOOKED_AT)), again):
                    break
            self._looked = time.monotonic()
        arrived, self._arrived = self._arrived, []
        return arrived, again

    def _look_at(self, some: list[Awaited], again: list[Task]) -> bool:
        """Look at some of what others are at; tell whether any of it is so no more."""
        ended: list[Awaited] = []
        for one, holder in zip(some, self._holders(some)):
            del self._awaited[one.call.key]
            if holder is None:
                ended.append(one)
            else:
                self._await(msgspec.structs.replace(one, holder=holder))  # behind those not looked at yet
        rest: dict[str, list[Awaited]] = {}
        for one, record in zip(ended, many(self.tiers.find, [one.call.key for one in ended])):
            if record is not None:
                self._take(one.task, one.call, record)
            else:
                rest.setdefault(one.task.label, []).append(one)
        for ones in rest.values():
            task = self.claim(msgspec.structs.replace(ones[0].task, calls=[one.call for one in ones]))
            again += [task] if task.calls else []
        return bool(ended)

    def _holders(self, some: list[Awaited]) -> list[Holder | None]:
        assert self._leased is not None
        tier, leases = self._leased
        with tier.tolerated():
            if not tier.failure:
                return many(lambda one: leases.holder(one.call.key), some)
        return [None] * len(some)

    def give(self, task: Task, outcomes: Iterable[Outcome]) -> None:
        """Send what was executed to the shared stores, in the background; let go of what failed."""
        for outcome in outcomes:
            key = "" if outcome.error or outcome.is_found else outcome.key
            self._pushes.append(self._pool.submit(self._give, task.label, key, outcome.key, task.rewrite))

    def give_record(self, label: str, key: str) -> None:
        """Send what the record of that key leads to, in the background."""
        self._pushes.append(self._pool.submit(self._give, label, key, key, False))

    def _give(self, label: str, key: str, leased: str, rewrite: bool) -> None:
        try:
            record = self.store.records.find(key) if key else None
            for tier in self._targets:
                with tier.tolerated():
                    if record is not None and not tier.failure:
                        self.send(tier, label, record, rewrite)
        except StoreError as error:  # it is not whole here: others make it themselves
            self.unsent.setdefault(label, str(error))
        finally:
            self._release(leased)

    def send(self, tier: Tier, label: str, record: Record, rewrite: bool = False) -> None:
        """Send one record to a shared store, and first what it leads to; where that is withheld, the record alone."""
        send_record(
            self.store, tier, record, rewrite, lambda terms: self.unsent.setdefault(label, f"by the terms of {terms}")
        )
        self.pushed += 1

    def finish(
        self, experiment: str, keys: Iterable[str], outputs: Iterable[str], tell: Callable[[int, int], None]
    ) -> None:
        """Wait for what is on its way, and pack what this run needed for those who run the same.

        Args:
            keys: of the actions whose records were found or made.
            outputs: of the instances.
            tell: is told how many outputs are there, of how many.
        """
        for n, sending in enumerate(self._pushes):
            if not sending.done():
                tell(n, len(self._pushes))
            sending.result()
        if not self.pushed:
            return
        for tier in self._targets:
            with tier.tolerated():
                if not tier.failure:
                    write_pack(self.store, tier, experiment, keys, outputs)

    def close(self) -> None:
        """Let go of everything; what has not been sent stays here."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        concurrent.futures.wait(self._pushes, CLOSE_S)
        if "_leased" in self.__dict__ and self._leased is not None:
            self._leased[1].close()

    def _await(self, one: Awaited) -> None:
        self._awaited[one.call.key] = one
        waits = (one.task.label, one.holder.who)
        if waits not in self._told:
            self._told.add(waits)
            self._waits(*waits)

    def _release(self, key: str) -> None:
        if self._leased is not None:
            tier, leases = self._leased
            with tier.tolerated():
                leases.release(key)

    def _take(self, task: Task, call: Call, record: Record) -> None:
        found = Outcome(task.label, call.element, call.key, record.output, record.size, is_found=True)
        self._arrived.append((task, [found]))

    def _bring(self, task: Task) -> None:
        """Bring what the calls read, for bodies see the local store alone. What is nowhere whole is noticed there."""
        inputs = {digest for call in task.calls for digest in call.inputs.values() if digest is not None}
        lacking = sorted(inputs - self._brought)
        with contextlib.suppress(StoreError):
            pull(self.store, lacking)
            self._brought.update(lacking)


def send_record(
    store: Store,
    tier: Tier,
    record: Record,
    rewrite: bool,
    withheld: Callable[[str], object],
    traffic: Traffic | None = None,
) -> None:
    """Send a record, signed, and first its output and the source that explains it."""
    try:
        push(store, tier, record.output, traffic, rewrite)
    except Withheld as error:
        withheld(error.terms)
        record = msgspec.structs.replace(record, withheld=error.terms)
    if record.source:
        push(store, tier, record.source, traffic)
    held = tier.records.add(record)
    assert store.tiers is not None
    store.tiers.keep(held)


def write_pack(store: Store, tier: Tier, experiment: str, keys: Iterable[str], outputs: Iterable[str]) -> None:
    """Write a pack of the signed records of these actions and the small manifests of these outputs."""
    assert store.tiers is not None
    objects = dict(filter(None, map(store.tiers.at_rest, keys)))
    objects.update(filter(None, (small_manifest(store, tier, output, SMALL) for output in outputs)))
    tier.objects.add_pack(experiment, objects)
