"""Collections: artifacts whose entries are artifacts of one type, keyed (by scene id, say) and opened lazily."""

from __future__ import annotations

import builtins
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from store.artifact import Artifact, Reader, Writer
from store.errors import Unacceptable
from store.manifest import check_key

T = TypeVar("T", bound=Artifact)
PREFIX = "collection of "


class Collection(Artifact, Mapping[str, T], Generic[T]):
    """A read-only mapping from key to artifact, in the order of the keys.

    `Collection(Questions, {"scene0011_00": ...})` makes one; opened from a store it opens an entry when it is asked
    for and keeps none. A key is one path segment.
    """

    def __init__(self, item: type[T], entries: Mapping[str, T] | Reader) -> None:
        self.item = item
        self._entries = entries
        keys: Any = entries.keys()
        if isinstance(entries, Reader):
            keys = [entries.artifact_entry(key).key for key in keys if key != "zarr.json"]
        else:
            for key in keys:
                _check_text(key)
            keys = sorted(keys, key=str.encode)
        for key in keys:
            if "/" in key:
                raise Unacceptable(f"collection key {key!r} holds a '/'")
        self._keys = keys
        self._known = frozenset(keys)

    @property
    def type(self) -> str:  # type: ignore[override]
        """The type's name: that of the entries, after `collection of`."""
        return PREFIX + type_name(self.item)

    def __getitem__(self, key: str) -> T:
        if key not in self._known:
            raise KeyError(key)
        if isinstance(self._entries, Reader):
            return self._entries.artifact(key, self.item)
        return self._entries[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._known

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def write(self, w: Writer) -> None:
        for key in self._keys:
            entry = self[key]
            found = entry.type if isinstance(entry, Artifact) else builtins.type(entry).__name__
            if found != type_name(self.item):
                raise Unacceptable(f"{self.type}: entry {key!r} is {found}")
            w.artifact(key, entry)

    def entry_digest(self, key: str) -> str:
        """Return an entry's digest without opening it. Raises Unacceptable in memory, where there is none yet."""
        if not isinstance(self._entries, Reader):
            raise Unacceptable("a collection in memory has no digests yet")
        return self._entries.entry(key).digest

    @classmethod
    def of(cls, item: builtins.type[T], reader: Reader) -> Collection[T]:
        """Open a stored collection of `item`."""
        return cls(item, reader)

    def summary(self) -> dict[str, Any]:
        return {"entries": len(self), **self.item.summarise(self)}


def _check_text(key: Any) -> None:
    if not isinstance(key, str):
        raise Unacceptable(f"collection key {key!r} is {builtins.type(key).__name__}, expected str")
    check_key(key)


def item_type(cls: type[Artifact]) -> type[Artifact] | None:
    """Return `X` of `Collection[X]`, None for any other type."""
    return typing.get_args(cls)[0] if typing.get_origin(cls) is Collection else None


def type_name(cls: type[Artifact]) -> str:
    """Return the name that a manifest of this type carries."""
    item = item_type(cls)
    return f"{PREFIX}{type_name(item)}" if item is not None else cls.type
