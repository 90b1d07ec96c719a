"""Repair: lost bytes, whose action gave them, and what waits until they are made again.

Bytes are lost where a digest that a manifest or a record names is missing or damaged. The driver notices when someone
reads them; the action that gave them runs again, with `rewrite`, and what could not go on goes on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from graph.lookup import Lookup, Work, put_collection
from graph.task import Call
from store.errors import Damaged, Missing, StoreError
from store.manifest import Entry
from store.open import Store, type_name
from store.records import Record
from store.transfer import pull

Resume = Callable[[], object]


class Repairs:
    """The lost digests of one run; each is made again once, so a repair that does not help ends.

    What one action gave may be lost in many pieces: it runs again once for all of them. Whoever tells of a loss may
    have read before its repair: each goes on once after it.
    """

    def __init__(self, lookup: Lookup, submit: Callable[[Work, list[Call], str], None]) -> None:
        self._lookup = lookup
        self._submit = submit
        self._tried: set[str] = set()
        self._fetched: set[str] = set()
        self._calls: dict[str, int] = {}  # lost digest -> calls of its repair that are not back yet
        self._making: dict[str, list[str]] = {}  # key of a call that is not back -> the lost digests that it makes
        self._made: set[str] = set()  # keys of the calls that are
        self._works: dict[str, Work] = {}
        self._resumes: dict[str, list[tuple[str, Resume]]] = {}  # lost digest -> who goes on after its repair
        self._mended: dict[str, set[str]] = {}  # lost digest -> who has gone on since it was there again

    def begin(self, lost: str, reader: str, resume: Resume) -> bool:
        """See to it that `resume` is called once lost bytes were made again; False if nothing more can be done.

        Args:
            reader: who could not read them, an action's key or an instance's label.
        """
        if lost in self._resumes:
            self._resumes[lost].append((reader, resume))
            return True
        read_before = lost in self._mended and reader not in self._mended[lost]
        if read_before or self._fetch(lost):
            self._go_on(lost, [(reader, resume)])
            return True
        try:
            producer = None if lost in self._tried else find_producer(self._lookup, lost)
        except (Missing, Damaged) as error:  # what the producer reads is lost too: that first
            deeper = error.digest
            return deeper != lost and self.begin(deeper, reader, lambda: self.begin(lost, reader, resume) or resume())
        if producer is None:
            return False
        self._tried.add(lost)
        work, calls = producer
        if not calls:  # the collection's own manifest: its entries are all there
            _restore_collection(self._lookup, work)
            self._go_on(lost, [(reader, resume)])
            return True
        self._works[lost] = work
        self._resumes[lost] = [(reader, resume)]
        awaited = [call for call in calls if call.key not in self._made]
        fresh = [call for call in awaited if call.key not in self._making]
        for call in awaited:
            self._making.setdefault(call.key, []).append(lost)
        self._calls[lost] = len(awaited)
        if fresh:
            self._submit(work, fresh, lost)
        elif not awaited:
            self._end(lost)
        return True

    def _fetch(self, lost: str) -> bool:
        """Bring lost bytes from a shared store, once; tell whether that was of use."""
        lookup = self._lookup
        if not lookup.store.tiers or lost in self._fetched:
            return False
        self._fetched.add(lost)
        with contextlib.suppress(StoreError):
            for output in dict.fromkeys(lookup.outputs.values()):
                if holds(lookup.store, output, lost):
                    pull(lookup.store, [output])
                    return True
        return False

    def take(self, key: str) -> None:
        """Note that a call of a repair is back, well or not; after the last one go on with what waits."""
        self._made.add(key)
        for lost in self._making.pop(key):
            self._calls[lost] -= 1
            if not self._calls[lost]:
                self._end(lost)

    def _end(self, lost: str) -> None:
        del self._calls[lost]
        _restore_collection(self._lookup, self._works.pop(lost))
        self._go_on(lost, self._resumes.pop(lost))

    def _go_on(self, lost: str, waiting: list[tuple[str, Resume]]) -> None:
        self._mended.setdefault(lost, set()).update(reader for reader, _ in waiting)
        for _, resume in waiting:
            resume()


def find_producer(lookup: Lookup, lost: str) -> tuple[Work, list[Call]] | None:
    """Return the first instance, in graph order, whose output holds the lost digest, with the calls that do.

    Running these calls again, with `rewrite`, puts the bytes back. There may be none where only the manifest of a map's
    collection is lost. None: nothing of this run made them.
    """
    for label, instance in lookup.instances.items():
        output = lookup.outputs.get(label)
        if output is None or instance.node.kind is None or not holds(lookup.store, output, lost):
            continue
        work = lookup.work(instance)
        calls = list(work.calls())
        if not work.action.is_map:
            return work, calls
        return work, [call for call in calls if _gave(lookup.store, lookup.record(call.key), lost)]
    return None


def holds(store: Store, artifact: str, lost: str) -> bool:
    """Tell whether an artifact is, or has anywhere inside, the lost digest.

    Artifacts may stand inside each other to any depth, and by more paths than could be walked: each is read once.
    """
    seen, pending = {artifact}, [artifact]
    while pending:
        name = pending.pop()
        if name == lost:
            return True
        try:
            entries = store.manifests.get(name).entries
        except StoreError:
            continue
        if any(entry.digest == lost for entry in entries):
            return True
        fresh = {entry.digest for entry in entries if entry.kind in ("artifact", "part")} - seen
        seen |= fresh
        pending += fresh
    return False


def _gave(store: Store, record: Record | None, lost: str) -> bool:
    return record is None or holds(store, record.output, lost)


def _restore_collection(lookup: Lookup, work: Work) -> None:
    """Put the manifest of a map's collection back, if all its elements have records."""
    if not work.action.is_map:
        return
    held = [(call.element or "", lookup.record(call.key)) for call in work.calls()]
    entries = [Entry(key, "artifact", record.output, record.size) for key, record in held if record is not None]
    if len(entries) == len(held):
        put_collection(lookup.store.rewriting(), type_name(work.kind.output), entries)
