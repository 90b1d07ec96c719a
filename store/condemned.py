"""What gc has condemned: lists of names that it deletes one grace later, unless somebody makes them new meanwhile.

    condemned/<time>          sealed zstd(msgpack [before, names]): what was reachable from no root, records first
    condemned/<time>.swept    empty: that list was worked off; only the newest of these is kept

A writer that wants to leave bytes as they lie, and a reader that goes on from a record, says so by `keep`. In a folder
that makes them new, which is as quick as to ask whether they are there; elsewhere it writes again what stands in a
list. gc deletes nothing that is newer than `before`.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable

import msgspec

from store.numbered import seal, unseal
from store.objects import Objects

NAME = re.compile(r"[0-9]{8}T[0-9]{9}-[0-9a-f]{4}")
SWEPT = ".swept"
VIEW_S = 0.5  # how old a writer's view may be; a list is swept after a grace that is longer
SHARED_VIEW_S = 300.0  # the same where others write too: there a grace is an hour or more
MAX_BYTES = 1 << 28


class List(msgspec.Struct, frozen=True, array_like=True):
    """Names that were reachable from no root, and written before `before` (seconds, by the clock of the store)."""

    before: float
    names: list[str]


def encode(listed: List) -> bytes:
    """Return the bytes of a list's object."""
    import zstandard

    return seal(zstandard.ZstdCompressor(level=3).compress(msgspec.msgpack.encode(listed)))


def decode(data: bytes) -> List | None:
    """Return the list that an object holds, None if it is not whole."""
    import zstandard

    payload = unseal(data)
    if payload is None:
        return None
    try:
        packed = zstandard.ZstdDecompressor().decompress(payload, max_output_size=MAX_BYTES)
        return msgspec.msgpack.decode(packed, type=List)
    except (zstandard.ZstdError, msgspec.MsgspecError):
        return None


class Condemned:
    """What a writer knows of the lists of one store."""

    def __init__(self, objects: Objects, view_s: float = VIEW_S) -> None:
        self.objects = objects
        self._view_s = view_s
        self._lists: dict[str, frozenset[str]] = {}
        self._known: set[str] = set()  # lists that were read once, and those swept before the first look
        self._kept: set[str] = set()
        self._has_missed = False  # a list came and went unseen: what it named cannot be known any more
        self._looked: float | None = None
        self._lock = threading.Lock()

    def keep(self, name: str) -> bool:
        """See to it that gc leaves `name` where it is; tell whether it is there."""
        return self.spare(name) and (self.objects.is_touched_freely or self.objects.exists(name))

    def spare(self, name: str) -> bool:
        """Do as `keep`, but do not ask whether `name` is there; False if it had to be made new, and is gone."""
        if self.objects.is_touched_freely:
            return self.objects.touch(name)
        self.refresh(self._view_s)
        if name not in self._kept and self.holds(name):
            if not self.objects.touch(name):
                return False
            self._kept.add(name)
        return True

    def holds(self, name: str) -> bool:
        """Tell whether a list that is known here has this name; `refresh` first."""
        return any(name in names for names in self._lists.values())

    def refresh(self, max_age: float = 0.0) -> None:
        """Read the lists that are new, and forget those that are gone, unless that was done a moment ago."""
        with self._lock:
            if self._looked is None or time.monotonic() - self._looked >= max_age:
                self._look()

    def _look(self) -> None:
        found = self.objects.list("condemned")
        swept = {name.removesuffix(SWEPT) for name in found if name.endswith(SWEPT)}
        if self._looked is None:
            self._known |= swept
        self._has_missed |= not swept <= self._known
        self._known |= swept
        current = {name for name in found if NAME.fullmatch(name)}
        lists = {name: names for name, names in self._lists.items() if name in current}
        for name in current - lists.keys():
            lists[name] = self._read(name)
            self._kept -= lists[name]  # what was kept from an earlier list
        self._lists = lists  # at once: other threads look into it
        self._looked = time.monotonic()

    def settle(self, leads_to: Callable[[], Iterable[tuple[str, ...]]]) -> str | None:
        """Keep what a record is about to lead to; return a name of it that is gone, if any.

        What was found before a list was written, and left as it lay, may stand in that list now.

        Args:
            leads_to: gives the names, those that mean the same bytes together.
        """
        if self.objects.is_touched_freely:
            return None
        self.refresh()
        has_missed, self._has_missed = self._has_missed, False
        if not self._lists and not has_missed:
            return None
        for names in leads_to():
            is_doubtful = has_missed or any(self.holds(name) for name in names)
            if is_doubtful and not any([self.keep(name) for name in names]):  # each, not only up to the first
                return names[0]
        return None

    def _read(self, name: str) -> frozenset[str]:
        try:
            listed = decode(self.objects.read(f"condemned/{name}"))
        except FileNotFoundError:  # swept just now
            return frozenset()
        self._known.add(name)
        return frozenset(listed.names if listed is not None else ())
