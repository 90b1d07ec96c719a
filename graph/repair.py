"""Repair: lost bytes, whose action gave them, and what waits until they are made again.

Bytes are lost where a digest that a manifest or a record names is missing or damaged. The driver notices when someone
reads them; the action that gave them runs again, with `rewrite`, and what could not go on goes on.
"""

from __future__ import annotations

from collections.abc import Callable

from graph.lookup import Lookup, Work, put_collection
from graph.task import Call
from store.errors import Damaged, Missing, StoreError
from store.manifest import Entry
from store.open import Store, type_name
from store.records import Record

Resume = Callable[[], object]


class Repairs:
    """The lost digests of one run; each is made again once, so a repair that does not help ends."""

    def __init__(self, lookup: Lookup, submit: Callable[[Work, list[Call], str], None]) -> None:
        self._lookup = lookup
        self._submit = submit
        self._tried: set[str] = set()
        self._calls: dict[str, int] = {}  # lost digest -> calls of its repair that are not back yet
        self._resumes: dict[str, list[Resume]] = {}  # lost digest -> what goes on after its repair

    def begin(self, lost: str, resume: Resume) -> bool:
        """See to it that `resume` is called once lost bytes were made again; False if nothing more can be done."""
        if lost in self._resumes:
            self._resumes[lost].append(resume)
            return True
        try:
            producer = None if lost in self._tried else find_producer(self._lookup, lost)
        except (Missing, Damaged) as error:  # what the producer reads is lost too: that first
            deeper = error.digest
            return deeper != lost and self.begin(deeper, lambda: self.begin(lost, resume) or resume())
        if producer is None:
            return False
        self._tried.add(lost)
        work, calls = producer
        if not calls:  # the collection's own manifest: its entries are all there
            resume()
            return True
        self._resumes[lost] = [resume]
        self._calls[lost] = len(calls)
        self._submit(work, calls, lost)
        return True

    def take(self, lost: str) -> None:
        """Note that a call of a repair is back, well or not; after the last one go on with what waits."""
        self._calls[lost] -= 1
        if not self._calls[lost]:
            for resume in self._resumes.pop(lost):
                resume()


def find_producer(lookup: Lookup, lost: str) -> tuple[Work, list[Call]] | None:
    """Return the first instance, in graph order, whose output holds the lost digest, with the calls that do.

    Running these calls again, with `rewrite`, puts the bytes back; the manifest of a map's collection is put back
    here, and then there may be no calls. None: nothing of this run made them.
    """
    for label, instance in lookup.instances.items():
        output = lookup.outputs.get(label)
        if output is None or instance.node.kind is None or not holds(lookup.store, output, lost, set()):
            continue
        work = lookup.work(instance)
        calls = list(work.calls())
        if not work.action.is_map:
            return work, calls
        records = {call.key: lookup.store.records.find(call.key) for call in calls}
        _restore_collection(lookup, work, calls, records)
        return work, [call for call in calls if _gave(lookup.store, records[call.key], lost)]
    return None


def holds(store: Store, artifact: str, lost: str, seen: set[str]) -> bool:
    """Tell whether an artifact is, or has anywhere inside, the lost digest."""
    if artifact == lost:
        return True
    if artifact in seen:
        return False
    seen.add(artifact)
    try:
        entries = store.manifests.get(artifact).entries
    except StoreError:
        return False
    return any(
        entry.digest == lost or (entry.kind in ("artifact", "part") and holds(store, entry.digest, lost, seen))
        for entry in entries
    )


def _gave(store: Store, record: Record | None, lost: str) -> bool:
    return record is None or holds(store, record.output, lost, set())


def _restore_collection(lookup: Lookup, work: Work, calls: list[Call], records: dict[str, Record | None]) -> None:
    held = [(call.element or "", records[call.key]) for call in calls]
    entries = [Entry(key, "artifact", record.output, record.size) for key, record in held if record is not None]
    if len(entries) == len(held):
        store = Store(lookup.store.objects, lookup.store.url, rewrite=True)
        put_collection(store, type_name(work.kind.output), entries)
