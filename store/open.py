"""A store: one root with its blobs, manifests, records and refs."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import TypeVar

from store.artifact import Artifact, Reader, Writer
from store.blobs import Blobs
from store.collection import Collection
from store.errors import StoreError, Unacceptable
from store.manifest import Manifests
from store.objects import LocalObjects, Objects
from store.records import Record, Records
from store.refs import Refs

A = TypeVar("A", bound=Artifact)


class Store:
    """Content-addressed artifacts on one root, which `url` opens again.

    With `rewrite`, what is put replaces bytes of the same name.
    """

    def __init__(self, objects: Objects, url: str, rewrite: bool = False) -> None:
        self.objects = objects
        self.url = url
        self.rewrite = rewrite
        self.blobs = Blobs(objects, rewrite)
        self.manifests = Manifests(objects, rewrite)
        self.records = Records(objects)
        self.refs = Refs(objects)

    def put(self, artifact: Artifact) -> str:
        """Write an artifact, blobs first, and return its digest."""
        return self.put_sized(artifact)[0]

    def put_sized(self, artifact: Artifact) -> tuple[str, int]:
        """Write an artifact; return its digest and the size of its manifest in bytes."""
        # With `rewrite` too: what was opened is whole in the store, or its own producer is run again.
        if artifact.digest is not None and self.manifests.has(artifact.digest):
            return artifact.digest, self.manifests.size(artifact.digest)
        writer = Writer(self)
        artifact.write(writer)
        return self.manifests.put(artifact.type, writer.entries())

    def open(self, digest: str, cls: type[A]) -> A:
        """Open an artifact as `cls`, a type or `Collection[type]`.

        Raises:
            Missing, Damaged: its manifest is not there, or not whole.
            Unacceptable: it is of another type.
        """
        reader = Reader(self, digest)
        if reader.type != type_name(cls):
            raise Unacceptable(f"artifact {digest[:12]} is {reader.type}, expected {type_name(cls)}")
        item = item_type(cls)
        artifact = typing.cast(A, Collection.of(item, reader)) if item is not None else cls.open(reader)
        artifact.digest = digest
        return artifact

    def commit(self, record: Record) -> Record:
        """Add the record of what has been put, last of all; return the one that holds.

        That is an earlier one if another writer came first and its output is there; with `rewrite`, only if it has
        the same output.
        """
        if self.records.add_first(record):
            return record
        held = self.records.find(record.key)
        if held is not None and (held.output == record.output or (not self.rewrite and self._is_whole(held.output))):
            return held
        return self.records.add(record)

    def _is_whole(self, digest: str) -> bool:
        try:
            self.manifests.get(digest)
        except StoreError:
            return False
        return True

    def reader(self, digest: str) -> Reader:
        """Return the lazy reader of an artifact of whatever type."""
        return Reader(self, digest)


def open_store(url: str) -> Store:
    """Open the store at a local path or `file://` URL; it is made by its first write.

    Raises:
        Unacceptable: a URL of another protocol, or a path to a file.
    """
    protocol, separator, rest = url.partition("://")
    if separator and protocol != "file":
        raise Unacceptable(f"store {url!r}: expected a local path, protocol {protocol!r} is not supported")
    root = Path(rest if separator else url).expanduser().absolute()
    if root.exists() and not root.is_dir():
        raise Unacceptable(f"store {str(root)!r}: expected a folder, or nothing there yet")
    return Store(LocalObjects(root), str(root))


def item_type(cls: type[Artifact]) -> type[Artifact] | None:
    """Return `X` of `Collection[X]`, None for any other type."""
    return typing.get_args(cls)[0] if typing.get_origin(cls) is Collection else None


def type_name(cls: type[Artifact]) -> str:
    """Return the name that a manifest of this type carries."""
    item = item_type(cls)
    return f"collection of {type_name(item)}" if item is not None else cls.type
