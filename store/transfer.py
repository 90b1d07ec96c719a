"""Transfer: whole artifacts from a shared store and to it. Only what is missing there travels, many pieces at a time.

What goes up goes in an order that lets nobody see half of it: blobs, then manifests from the inside out. So a
manifest that is there has all its bytes, and where one is there nothing below it is looked at again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

from store.errors import Damaged, Missing, Unacceptable, Unreachable
from store.manifest import Entry, Manifest, decode, path_of
from store.many import many
from store.open import Store
from store.terms import withheld_by
from store.tiers import Tier

ASK_ABOVE = 1 << 16  # bytes of a blob from which asking whether it is there is cheaper than sending it again

Tell = Callable[[int, int], None]  # bytes done, bytes to do


class Traffic:
    """What one transfer sent or brought: blobs and manifests, their raw bytes, and what was there already."""

    def __init__(self, tell: Tell | None = None) -> None:
        self.objects = self.bytes = self.saved = self.planned = 0
        self._lock = threading.Lock()
        self._tell = tell

    def plan(self, size: int) -> None:
        """Take note of bytes that are about to travel, or to be found there."""
        with self._lock:
            self.planned += size

    def count(self, size: int, is_sent: bool) -> None:
        """Take note of one object that travelled, or did not have to."""
        with self._lock:
            self.objects += is_sent
            self.bytes += size if is_sent else 0
            self.saved += 0 if is_sent else size
            if self._tell is not None:
                self._tell(self.bytes + self.saved, self.planned)


class Withheld(Unacceptable):
    """An artifact whose terms forbid to pass it on; `terms` names them."""

    def __init__(self, digest: str, terms: str) -> None:
        super().__init__(f"artifact {digest[:12]} may not be passed on: {terms}")
        self.terms = terms


def pull(store: Store, artifacts: Iterable[str], traffic: Traffic | None = None) -> Traffic:
    """Bring whole artifacts, so that they can be read without any shared store.

    Raises:
        Missing, Damaged: some of it is nowhere whole; the rest has been brought.
        Unreachable: the same, and a shared store that may have it does not answer.
    """
    traffic = traffic or Traffic()
    errors: list[Exception] = []
    fresh: set[str] = set()

    def note(name: str) -> bool:
        if not store.manifests.has(name):
            fresh.add(name)
        return True

    for level in _levels(store, artifacts, note, errors):
        for name in fresh.intersection(name for name, _ in level):
            size = store.manifests.size(name)
            traffic.plan(size)
            traffic.count(size, True)
        blobs = {entry.digest: entry for _, manifest in level for entry in manifest.entries if entry.kind == "blob"}
        lacking = [entry for entry in blobs.values() if not store.blobs.has(entry.digest)]
        traffic.plan(sum(entry.size for entry in lacking))

        def bring(entry: Entry) -> None:
            try:
                store.blobs.get(entry.digest, entry.size)
                traffic.count(entry.size, True)
            except Missing as error:
                errors.append(error)

        many(bring, lacking)
    if errors:
        failed = [tier.failure for tier in store.tiers.all if tier.failure] if store.tiers else []
        raise Unreachable(f"{errors[0]}; {failed[0]}") if failed else errors[0]
    return traffic


def push(store: Store, tier: Tier, artifact: str, traffic: Traffic | None = None, rewrite: bool = False) -> Traffic:
    """Send a whole artifact.

    Args:
        rewrite: send also what seems to be there: it is damaged, or was.
    Raises:
        Withheld: its terms, or those of a part, forbid it; nothing was sent.
        Missing, Damaged: some of it is not whole here.
        Unreachable, PermissionError: the shared store failed; what has arrived stays.
    """
    traffic = traffic or Traffic()

    def is_lacking(name: str) -> bool:
        if not rewrite and (name in tier.whole or tier.manifests.keep(name)):
            tier.whole.add(name)
            return False
        return True

    levels = list(_levels(store, [artifact], is_lacking))
    for level in levels:
        for name, manifest in level:
            terms = withheld_by(_attributes(store, manifest), tier.settings.allow)
            if terms:
                raise Withheld(name, terms)
    manifests = [(name, manifest) for level in levels for name, manifest in level]
    blobs = {entry.digest: entry for _, manifest in manifests for entry in manifest.entries if entry.kind == "blob"}
    traffic.plan(sum(entry.size for entry in blobs.values()))

    def send_blob(entry: Entry) -> None:
        suffix, data = store.blobs.at_rest(entry.digest, entry.size)
        is_there = not rewrite and entry.size > ASK_ABOVE and tier.blobs.keep(entry.digest, (suffix,))
        if not is_there:
            tier.blobs.place(entry.digest, suffix, data)
        traffic.count(entry.size, not is_there)

    def send_manifest(name: str) -> None:
        data = store.manifests.read(name)
        tier.manifests.place(name, data)
        tier.whole.add(name)
        traffic.count(len(data), True)

    many(send_blob, blobs.values())
    for level in reversed(levels):
        many(send_manifest, [name for name, _ in level])
    return traffic


def _levels(
    store: Store,
    artifacts: Iterable[str],
    is_wanted: Callable[[str], bool],
    errors: list[Exception] | None = None,
) -> Iterator[list[tuple[str, Manifest]]]:
    """Yield the manifests below artifacts that are wanted, level by level from the outside in, each once.

    With `errors`, those that are missing are noted there and passed over.
    """

    def read(name: str) -> Manifest | None:
        try:
            return store.manifests.get(name)
        except Missing as error:
            if errors is None:
                raise
            errors.append(error)
            return None

    names, seen = list(dict.fromkeys(artifacts)), set[str]()
    while names:
        seen.update(names)
        wanted = [name for name, is_one in zip(names, many(is_wanted, names)) if is_one]
        level = [(name, found) for name, found in zip(wanted, many(read, wanted)) if found is not None]
        if level:
            yield level
        inner = (entry for _, manifest in level for entry in manifest.entries if entry.kind in ("artifact", "part"))
        names = list(dict.fromkeys(entry.digest for entry in inner if entry.digest not in seen))


def _attributes(store: Store, manifest: Manifest) -> bytes:
    entry = next((entry for entry in manifest.entries if entry.key == "zarr.json"), None)
    if entry is None:
        return b""
    return entry.data if entry.data is not None else store.blobs.get(entry.digest, entry.size)


def small_manifest(store: Store, tier: Tier, artifact: str, limit: int) -> tuple[str, bytes] | None:
    """Return the place and bytes of an artifact's manifest if it is small, and all of it may be passed on."""
    try:
        data = store.manifests.read(artifact)
        if len(data) > limit or _is_withheld(store, tier, decode(data)):
            return None
    except (Missing, Damaged):  # some of it is not here to be looked at
        return None
    return path_of(artifact), data


def _is_withheld(store: Store, tier: Tier, manifest: Manifest) -> bool:
    pending, seen = [manifest], set[str]()
    while pending:
        one = pending.pop()
        if withheld_by(_attributes(store, one), tier.settings.allow):
            return True
        inner = {entry.digest for entry in one.entries if entry.kind in ("artifact", "part")} - seen
        seen |= inner
        pending += [decode(store.manifests.read(name)) for name in inner]
    return False
