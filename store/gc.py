"""Garbage collection by list, in two phases. Nothing else deletes, but for what `store.aside` has moved.

    condemn   list what no root reaches and is older than the grace
    sweep     a grace later mark afresh, and delete what is in the list, still unreached, and was not made new meanwhile

Writers make new what they find (`store.condemned`), so a grace need only be longer than it takes from there to a
record. Order of deletion: packs and records, manifests from the top down, blobs: a record leads to a manifest, a
manifest to all its bytes, whenever this ends. It may end at any moment and be begun again by anybody. Only names of
exactly our shapes go, below a root that is marked as a store.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable

import msgspec

from store import condemned, leftovers
from store.errors import Unacceptable
from store.garbage import Doomed, Garbage
from store.many import each
from store.numbered import unseal
from store.objects import FORBIDDEN, Found, Objects
from store.packs import decode_pack
from store.places import require_format
from store.roots import Clock, Lead

LISTED = 200_000  # names of one list
Tell = Callable[[str, int], None]


class Tally(msgspec.Struct):
    """What a collection has done so far; `due` is when the first list may be swept, in seconds since the epoch."""

    deleted: int = 0
    freed: int = 0
    condemned: int = 0
    condemned_bytes: int = 0
    pending: int = 0
    pending_bytes: int = 0
    due: float = 0.0
    foreign: int = 0


class Collector:
    """One collection. `tally` tells what was done, also where it ended early.

    Args:
        keep_s: how long runs and records are kept for their own sake.
        grace_s: how old is old, and from condemning to sweeping; longer than any put takes.
        tell: is called with what is being done and how much of it was.
    """

    def __init__(
        self, objects: Objects, url: str, keep_s: float, grace_s: float, tell: Tell = lambda what, n: None
    ) -> None:
        self.objects = objects
        self.url = url
        self.keep_s = keep_s
        self.grace_s = grace_s
        self.tally = Tally()
        self._tell = tell

    def collect(self) -> Tally:
        """Sweep the lists that are ripe, then condemn anew.

        Raises:
            Unacceptable: no store, or one that cannot be written.
            Damaged: a manifest that is reached; nothing was touched.
            PermissionError, Unreachable: in the middle; what is left is whole.
        """
        require_format(self.objects, self.url)
        clock = Clock(read_clock(self.objects, self.url), self.keep_s, self.grace_s)
        self._tell("listing", 0)
        garbage = Garbage(self.objects, clock)
        lists = self.read_lists(garbage)
        ripe = {time: one for time, one in lists.items() if not clock.is_young(garbage.survey.lists[time])}
        gone = self._sweep(garbage, ripe) if ripe else set()
        self._condemn(garbage, {time: one for time, one in lists.items() if time not in ripe}, gone)
        self._tidy(garbage)
        self.tally.foreign = len(garbage.survey.foreign)
        return self.tally

    def read_lists(self, garbage: Garbage) -> dict[str, condemned.List]:
        """Return the lists that are there, by the time of their writing; a torn one names nothing."""
        lists = {}
        for time, found in garbage.survey.lists.items():
            try:
                listed = condemned.decode(self.objects.read(found.name))
            except FileNotFoundError:
                continue
            lists[time] = listed or condemned.List(0.0, [])
        return lists

    def _sweep(self, garbage: Garbage, lists: dict[str, condemned.List]) -> set[str]:
        """Delete what is in these lists and still garbage, then drop them; return the names that are gone."""
        sweep = Sweep(garbage, lists, self.tally, self._tell)
        sweep.run()
        for time in lists:
            self.objects.write(f"condemned/{time}{condemned.SWEPT}", b"")
        for time in lists:
            self.objects.delete(f"condemned/{time}")
        for time in sorted({*garbage.survey.swept, *lists})[:-1]:
            self.objects.delete(f"condemned/{time}{condemned.SWEPT}")
        return sweep.gone

    def _condemn(self, garbage: Garbage, pending: dict[str, condemned.List], gone: set[str]) -> None:
        """Write lists of what is garbage now and in no list yet."""
        clock, tally = garbage.clock, self.tally
        listed = {name for one in pending.values() for name in one.names}
        sizes = {found.name: found.size for found in garbage.survey.found() if found.name in listed}
        tally.pending, tally.pending_bytes = len(sizes), sum(sizes.values())
        doomed = garbage.find(lambda found: not clock.is_young(found))
        names = [found for found in in_order(garbage, doomed) if found.name not in listed and found.name not in gone]
        for start in range(0, len(names), LISTED):
            part = names[start : start + LISTED]
            one = condemned.List(clock.now - clock.grace_s, [found.name for found in part])
            self.objects.create(f"condemned/{_list_name(clock.now)}", condemned.encode(one))
            tally.condemned += len(part)
            tally.condemned_bytes += sum(found.size for found in part)
        written = [garbage.survey.lists[time].modified for time in pending] or ([clock.now] if names else [])
        tally.due = min(written) + clock.grace_s if written else 0.0

    def _tidy(self, garbage: Garbage) -> None:
        """Delete what is no content: old runs, packs, leases, what killed writers left."""
        limit = garbage.clock.now - garbage.clock.grace_s
        gone = list(leftovers.delete_local(garbage))
        for batch in leftovers.find(garbage):
            deleted = each(self.objects, lambda found: self.objects.delete(found.name, limit), batch)
            gone += [found for found, is_gone in deleted if is_gone]
        self.tally.deleted += len(gone)
        self.tally.freed += sum(found.size for found in gone)


class Sweep:
    """The deletion of what lists name. `gone` has the names that are not there any more."""

    def __init__(self, garbage: Garbage, lists: dict[str, condemned.List], tally: Tally, tell: Tell) -> None:
        self.gone: set[str] = set()
        self._garbage = garbage
        self._objects = garbage.objects
        self._before = {name: one.before for one in lists.values() for name in one.names}
        self._spared: set[str] = set()  # digests: somebody has made new what leads to them
        self._tally = tally
        self._tell = tell

    def run(self) -> None:
        """Delete in the order that leaves nothing that leads to nothing."""
        doomed = self._garbage.find(self._may_go)
        self._delete_packs(doomed)
        for leads, gone in each(self._objects, self._delete_records, doomed.records):
            for lead, is_gone in zip(leads, gone, strict=True):
                self._note(lead.found, is_gone, [*lead.outputs, *lead.beside])
        for level in self._garbage.reach.levels(doomed.manifests):
            names = [name for name in level if name not in self._spared]
            found = {self._garbage.survey.manifests[name]: name for name in names}
            for one, is_gone in each(self._objects, self._delete, found):
                self._note(one, is_gone, [found[one]])
        blobs = [found for found in doomed.blobs if _digest_of(found) not in self._spared]
        for one, is_gone in each(self._objects, self._delete, blobs):
            self._note(one, is_gone, [])

    def _may_go(self, found: Found) -> bool:
        return found.modified < self._before.get(found.name, float("-inf"))

    def _delete(self, found: Found) -> bool:
        """Delete an object unless it was made new; tell whether it is gone."""
        return self._objects.delete(found.name, self._before[found.name])

    def _delete_records(self, leads: list[Lead]) -> list[bool]:
        return [self._delete(lead.found) for lead in leads]  # in order: a lower number must not speak again

    def _pack_names(self, found: Found) -> set[str]:
        try:
            payload = unseal(self._objects.read(found.name))
        except FileNotFoundError:
            return set()
        return {name for name, _ in decode_pack(payload or b"") or ()}

    def _note(self, found: Found, is_gone: bool, leads_to: list[str]) -> None:
        if is_gone:
            self.gone.add(found.name)
            self._tally.deleted += 1
            self._tally.freed += found.size
            self._tell("deleted", self._tally.deleted)
        else:
            self._garbage.reach.closure(leads_to, self._spared)

    def _delete_packs(self, doomed: Doomed) -> None:
        """Delete the packs with copies of what goes: they would lead to bytes that are gone."""
        names = {lead.found.name for leads in doomed.records for lead in leads}
        names |= {self._garbage.survey.manifests[name].name for name in doomed.manifests}
        packs = [found for numbers in self._garbage.survey.packs.values() for _, found in numbers] if names else []
        for found, inside in each(self._objects, self._pack_names, packs):
            if not names.isdisjoint(inside):
                self._objects.delete(found.name)


def read_clock(objects: Objects, url: str) -> float:
    """Return what time it is where the store lies, by an object written now; this machine's clock may differ by hours.

    Raises:
        Unacceptable: nothing can be written or deleted there.
    """
    name = f"condemned/clock-{os.urandom(4).hex()}"
    try:
        objects.write(name, b"")
        now = next(found.modified for found in objects.walk("condemned") if found.name == name)
        objects.delete(name)
    except OSError as error:
        if error.errno not in FORBIDDEN:
            raise
        what = (error.strerror or str(error)).lower()
        raise Unacceptable(f"store {url} is read-only here ({what}): gc needs to write and delete there") from None
    return now


def in_order(garbage: Garbage, doomed: Doomed) -> list[Found]:
    """Return all that is doomed: records, manifests, blobs."""
    records = [lead.found for leads in doomed.records for lead in leads]
    return [*records, *(garbage.survey.manifests[name] for name in doomed.manifests), *doomed.blobs]


def _digest_of(found: Found) -> str:
    return found.name.rpartition("/")[2].removesuffix(".zst")


def _list_name(now: float) -> str:
    at = datetime.datetime.fromtimestamp(now, datetime.UTC)
    return f"{at:%Y%m%dT%H%M%S}{at.microsecond // 1000:03d}-{os.urandom(2).hex()}"
