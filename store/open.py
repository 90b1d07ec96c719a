"""A store: one root with its blobs, manifests, records and refs, and the shared stores behind it."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from store.artifact import Artifact, Reader, Writer
from store.blobs import Blobs, blob_path
from store.collection import Collection, item_type, type_name
from store.condemned import Condemned
from store.errors import Missing, StoreError, Unacceptable, one_line
from store.manifest import Manifests, path_of
from store.objects import LocalObjects, Objects
from store.places import check_format, open_objects
from store.reach import Reach
from store.records import Record, Records
from store.refs import Refs

if TYPE_CHECKING:
    from store.shared import SharedStore
    from store.tiers import Tiers
    from store.trust import Keyring

A = TypeVar("A", bound=Artifact)
ERROR = 200  # characters of what a type says of content that is not its own


class Store:
    """Content-addressed artifacts on one root, which `url` opens again.

    With `rewrite`, what is put replaces bytes of the same name. What is not here is looked for in `tiers`.
    """

    def __init__(self, objects: Objects, url: str, rewrite: bool = False, tiers: Tiers | None = None) -> None:
        self.objects = objects
        self.url = url
        self.rewrite = rewrite
        self.tiers = tiers
        self.condemned = Condemned(objects)
        self.blobs = Blobs(objects, rewrite, tiers.blob if tiers else None, self.condemned)
        self.manifests = Manifests(objects, rewrite, tiers.manifest if tiers else None, self.condemned)
        self.records = Records(objects, self.condemned)
        self.refs = Refs(objects, self.condemned)

    def rewriting(self) -> Store:
        """Return this store with `rewrite`."""
        return Store(self.objects, self.url, True, self.tiers)

    def find(self, key: str) -> Record | None:
        """Return the record of an action whose output is here, or in a shared store; None is a miss.

        Raises:
            Damaged: the output's manifest is here, and not whole.
        """
        record = self.records.use(key)
        if record is not None:
            try:
                self.manifests.check(record.output, record.size)
                return record
            except Missing:
                pass
        return self.tiers.find(key) if self.tiers is not None else None

    def resolve(self, name: str) -> str | None:
        """Return the digest that a ref or a published name stands for, here or in a shared store."""
        found = self.refs.find(name)
        if found is None and self.tiers is not None:
            found = self.tiers.resolve(name)
        return found

    def has(self, digest: str) -> bool:
        """Tell whether an artifact's manifest is here, or in a shared store."""
        return self.manifests.has(digest) or bool(self.tiers and self.tiers.has_manifest(digest))

    def put(self, artifact: Artifact) -> str:
        """Write an artifact, blobs first, and return its digest."""
        return self.put_sized(artifact)[0]

    def put_sized(self, artifact: Artifact) -> tuple[str, int]:
        """Write an artifact; return its digest and the size of its manifest in bytes."""
        # With `rewrite` too: what was opened is whole in the store, or its own producer is run again.
        if artifact.digest is not None and self.manifests.keep(artifact.digest):
            return artifact.digest, self.manifests.size(artifact.digest)
        writer = Writer(self)
        artifact.write(writer)
        return self.manifests.put(artifact.type, writer.entries())

    def open(self, digest: str, cls: type[A], size: int | None = None) -> A:
        """Open an artifact as `cls`, a type or `Collection[type]`.

        Args:
            size: its manifest's, in bytes, where an entry says it.
        Raises:
            Missing, Damaged: its manifest is not there, or not whole.
            Unacceptable: it is of another type, of another size, or does not hold what its type says.
        """
        reader = Reader(self, digest, size)
        if reader.type != type_name(cls):
            raise Unacceptable(f"artifact {digest[:12]} is {reader.type}, expected {type_name(cls)}")
        item = item_type(cls)
        try:
            artifact = typing.cast(A, Collection.of(item, reader)) if item is not None else cls.open(reader)
        except (StoreError, OSError, ImportError, MemoryError):
            raise
        except Exception as error:  # a type takes what it opens for what it wrote; another may have written it
            found = one_line(f"{type(error).__name__}: {error}")[:ERROR]
            raise Unacceptable(f"artifact {digest[:12]} is no {reader.type} inside: {found}") from error
        artifact.home = self.url
        artifact.digest = digest
        return artifact

    def commit(self, record: Record) -> Record:
        """Add the record of what has been put, last of all; return the one that holds.

        That is an earlier one if another writer came first and its output is there; with `rewrite`, only if it has
        the same output.

        Raises:
            Missing: gc has deleted of the output what was there when it was put. To put it again helps.
        """
        lost = self.condemned.settle(lambda: self._objects_of(record.output))
        if lost is not None:
            raise Missing("object", lost.rpartition("/")[2])
        if self.records.add_first(record):
            return record
        held = self.records.use(record.key)
        is_same = held is not None and (held.output, held.size) == (record.output, record.size)
        if held is not None and (is_same or (not self.rewrite and self._is_whole(held))):
            return held
        return self.records.add(record)

    def _objects_of(self, artifact: str) -> Iterator[tuple[str, ...]]:
        """Yield the names of all that an artifact leads to, those of one blob together."""
        inside: set[str] = set()
        reach = Reach(self.objects)
        reach.closure([artifact], inside)
        for name in inside:
            path = blob_path(name)
            yield (path_of(name),) if reach.is_manifest(name) else (path, path + ".zst")

    def _is_whole(self, record: Record) -> bool:
        try:
            self.manifests.get(record.output, record.size)
        except StoreError:
            return False
        return True

    def reader(self, digest: str) -> Reader:
        """Return the lazy reader of an artifact of whatever type."""
        return Reader(self, digest)


def open_store(
    url: str, shared: Iterable[SharedStore] = (), keyring: Keyring | None = None, is_offline: bool = False
) -> Store:
    """Open the store at a local path or a URL; it is made by its first write.

    Args:
        shared: the shared stores behind it, in the order in which they are asked.
        keyring: whom to believe; without it there is this store alone.
        is_offline: ask no shared store; what was kept of them is believed as before.
    Raises:
        Unacceptable: a URL that no library at hand knows, a path to a file, a store of another version.
    """
    objects = open_objects(url)
    where = str(objects.root) if isinstance(objects, LocalObjects) else url
    check_format(objects, where)
    if keyring is None:
        return Store(objects, where)
    from store.tiers import Tiers

    return Store(objects, where, tiers=Tiers(objects, list(shared), keyring, is_offline))
