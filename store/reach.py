"""Reach: what artifacts lead to, by their manifests, however deep; each manifest is read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from typing import NamedTuple

import msgspec

from store.digest import digest
from store.errors import Damaged
from store.manifest import Entry, path_of, read_entries
from store.many import each
from store.objects import Objects


class Below(NamedTuple):
    """What a manifest names directly: digests of other manifests (artifacts, parts), and of blobs."""

    manifests: tuple[str, ...]
    blobs: tuple[str, ...]


NOTHING = Below((), ())


class Reach:
    """The graph of one store's manifests. `damaged` has those that are there and could not be understood."""

    def __init__(self, objects: Objects, known: Container[str] | None = None) -> None:
        """With `known`, the digests of all manifests that are there, others are not looked for."""
        self.damaged: dict[str, Damaged] = {}
        self.sizes: dict[str, int] | None = None  # of blobs; a dict here is filled from then on
        self._objects = objects
        self._known = known
        self._below: dict[str, Below | None] = {}
        self._texts: dict[str, str] = {}  # one text a digest, however many name it

    def load(self, names: Iterable[str]) -> None:
        """Read those of these manifests that were not read yet."""
        wanted = {name for name in names if name not in self._below and (self._known is None or name in self._known)}
        for name, found in each(self._objects, self._read, wanted):
            self._below[name] = found

    def below(self, name: str) -> Below:
        """Return what a loaded manifest names; nothing for what is no manifest."""
        return self._below.get(name) or NOTHING

    def is_manifest(self, name: str) -> bool:
        """Tell whether a manifest of that name was read."""
        return self._below.get(name) is not None

    def closure(self, roots: Iterable[str], reached: set[str]) -> None:
        """Add to `reached` the roots and all that they lead to. Depth costs no stack."""
        frontier = {name for name in roots if name not in reached}
        while frontier:
            reached |= frontier
            self.load(frontier)
            inside: set[str] = set()
            for name in frontier:
                manifests, blobs = self.below(name)
                reached.update(blobs)
                inside.update(manifests)
            frontier = inside - reached

    def levels(self, names: set[str]) -> Iterator[list[str]]:
        """Yield manifests so that each comes before those that it names."""
        self.load(names)
        below = {name: set(self.below(name).manifests) & names for name in names}
        above = Counter(child for children in below.values() for child in children)
        level = [name for name in names if not above[name]]
        while level:
            yield level
            following = []
            for child in (child for name in level for child in below[name]):
                above[child] -= 1
                if not above[child]:
                    following.append(child)
            level = following

    def _read(self, name: str) -> Below | None:
        try:
            entries = read_manifest(self._objects, name)
        except FileNotFoundError:
            return None
        except Damaged as error:
            self.damaged[name] = error
            return None
        if self.sizes is not None:
            self.sizes.update((self._text(entry.digest), entry.size) for entry in entries if entry.kind == "blob")
        manifests = (entry.digest for entry in entries if entry.kind in ("artifact", "part"))
        blobs = (entry.digest for entry in entries if entry.kind == "blob")
        return Below(tuple(map(self._text, manifests)), tuple(map(self._text, blobs)))

    def _text(self, name: str) -> str:
        return self._texts.setdefault(name, name)


def read_manifest(objects: Objects, name: str) -> list[Entry]:
    """Return the entries of a manifest. Raises FileNotFoundError, Damaged."""
    data = objects.read(path_of(name))
    if digest(data) != name:
        raise Damaged("manifest", name, "its bytes have another digest")
    try:
        return read_entries(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Damaged("manifest", name, str(error)) from None
