"""Artifacts: immutable typed outputs, written once through a Writer and read lazily through a Reader.

An artifact is a zarr v3 group: `zarr.json` holds its attributes, arrays are encoded as zarr does, other files lie
under `files/`, and whole artifacts may stand inside it by digest. A type is a subclass of `Artifact` with a versioned
name; a changed layout is a new version, never a reinterpretation.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import msgspec

from store.digest import digest
from store.encoding import ArrayMeta, decode_chunk, decode_metadata, encode_array
from store.errors import Unacceptable
from store.manifest import INLINE_BELOW, Entry, check_key

if TYPE_CHECKING:
    import numpy as np
    import xarray
    import zarr

    from store.open import Store

A = TypeVar("A", bound="Artifact")
Row = TypeVar("Row", bound=msgspec.Struct)


class Artifact:
    """Base of all artifact types.

    `type` names the type with its version, `parts` the typed artifacts that stand inside it. `digest` is None until
    the artifact has been opened from a store.
    """

    type: ClassVar[str]
    parts: ClassVar[dict[str, builtins.type[Artifact]]] = {}
    digest: str | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        # Its digest would go on naming the old content. Names with an underscore are for what is read late.
        if self.digest is not None and name != "digest" and not name.startswith("_"):
            raise AttributeError(f"{self.type} {self.digest[:12]} is stored and cannot change: make a new one")
        super().__setattr__(name, value)

    def write(self, w: Writer) -> None:
        """Write the content; must be a function of the content alone (no time, no host, no dict order)."""
        raise NotImplementedError

    @classmethod
    def open(cls, r: Reader) -> Self:
        """Return the artifact that `r` holds; arrays are read when asked for."""
        raise NotImplementedError

    def summary(self) -> dict[str, Any]:
        """Return a few JSON-able facts for people."""
        return {}

    @classmethod
    def summarise(cls, entries: Mapping[str, Any]) -> dict[str, Any]:
        """Return a few JSON-able facts of a whole collection of this type."""
        return {}


class Writer:
    """Collects the entries of one artifact; blobs go to the store at once, so large arrays need not be held."""

    def __init__(self, store: Store) -> None:
        self.attrs: dict[str, Any] = {}
        self._store = store
        self._entries: dict[str, Entry] = {}

    def array(self, name: str, values: Any, dims: tuple[str, ...], rows: int | None = None) -> None:
        """Write an array.

        Args:
            name: its path in the group; `a/b` makes the group `a`.
            values: numpy array of numbers, or a list of str.
            dims: a name for each dimension.
            rows: rows of the first dimension in a chunk; by default as many as fit 4 MiB.
        """
        metadata, chunks = encode_array(values, dims, rows)
        self._groups(name)
        self._bytes(f"{name}/zarr.json", metadata)
        for key, data in chunks:
            self._bytes(f"{name}/{key}", data)

    def table(self, name: str, rows: Sequence[Row], row_type: type[Row]) -> None:
        """Write structs as one column array a field: str, int, float and bool as such, anything else as JSON text."""
        import numpy as np

        self._group(name)
        for field in msgspec.structs.fields(row_type):
            column = [getattr(row, field.name) for row in rows]
            dtype = _COLUMN.get(field.type)
            if dtype is None and field.type is not str:
                column = [_encode_json(value, f"{name}/{field.encode_name}").decode() for value in column]
            values = column if dtype is None else np.array(column, dtype=dtype)
            self.array(f"{name}/{field.encode_name}", values, dims=("row",))

    def file(self, name: str, data: bytes) -> None:
        """Write a file that is no array (a tokenizer, a picture), under `files/`."""
        self._bytes(f"files/{name}", data)

    def artifact(self, name: str, value: Artifact) -> None:
        """Place a whole artifact inside this one; an opened one goes by its digest and is not written again."""
        written, size = self._store.put_sized(value)
        self._add(Entry(name, "artifact", written, size))

    def entries(self) -> list[Entry]:
        """Return all entries, the group's own zarr.json among them."""
        own = _group_metadata(self.attrs)
        return [*self._entries.values(), self._entry("zarr.json", own)]

    def _groups(self, name: str) -> None:
        parents = name.split("/")[:-1]
        for depth in range(1, len(parents) + 1):
            self._group("/".join(parents[:depth]))

    def _group(self, name: str) -> None:
        if f"{name}/zarr.json" not in self._entries:
            self._bytes(f"{name}/zarr.json", _group_metadata({}))

    def _bytes(self, key: str, data: bytes) -> None:
        self._add(self._entry(key, data))

    def _entry(self, key: str, data: bytes) -> Entry:
        if len(data) < INLINE_BELOW:
            return Entry(key, "inline", digest(data), len(data), data)
        return Entry(key, "blob", self._store.blobs.put(data), len(data))

    def _add(self, entry: Entry) -> None:
        check_key(entry.key)
        if entry.key in self._entries:
            raise Unacceptable(f"entry {entry.key!r} written twice")
        self._entries[entry.key] = entry


class Reader:
    """Lazy, verified access to one stored artifact."""

    def __init__(self, store: Store, name: str) -> None:
        self.digest = name
        self._store = store
        self._manifest = manifest = store.manifests.get(name)
        self.type = manifest.type
        named = {entry.key: entry for entry in manifest.entries}
        self._parts = named if manifest.is_split else {}
        self._entries = {} if manifest.is_split else named

    @property
    def attrs(self) -> dict[str, Any]:
        """The group's attributes."""
        return msgspec.json.decode(self.bytes("zarr.json"))["attributes"]

    def array(self, name: str) -> np.ndarray:
        """Return a whole array, read-only; text comes as an object array of str."""
        meta = self._meta(name)
        return self._rows(name, meta, 0, meta.shape[0] if meta.shape else 1)

    def rows(self, name: str, start: int, stop: int) -> np.ndarray:
        """Return rows start..stop of the first dimension, reading only the chunks that hold them.

        Raises:
            IndexError: not 0 <= start <= stop <= length.
        """
        meta = self._meta(name)
        if not meta.shape or not 0 <= start <= stop <= meta.shape[0]:
            raise IndexError(f"{name}: rows {start}..{stop} of shape {meta.shape}")
        return self._rows(name, meta, start, stop)

    def table(self, name: str, row_type: type[Row]) -> list[Row]:
        """Return a table's rows as structs."""
        columns = []
        for field in msgspec.structs.fields(row_type):
            values = self.array(f"{name}/{field.encode_name}").tolist()
            if field.type is not str and field.type not in _COLUMN:
                values = [msgspec.json.decode(text, type=field.type) for text in values]
            columns.append(values)
        return [row_type(*values) for values in zip(*columns, strict=True)]

    def file(self, name: str) -> bytes:
        """Return a file from under `files/`."""
        return self.bytes(f"files/{name}")

    def files(self) -> list[str]:
        """Return the names under `files/`, sorted."""
        return [key.removeprefix("files/") for key in self.keys() if key.startswith("files/")]

    def artifact(self, name: str, cls: type[A]) -> A:
        """Open an artifact that stands inside this one."""
        return self._store.open(self.entry(name).digest, cls)

    def elsewhere(self, name: str, cls: type[A]) -> A:
        """Open an artifact of the same store by its digest: one that this one refers to and does not hold."""
        return self._store.open(name, cls)

    def keys(self) -> list[str]:
        """Return every entry's key, sorted by its bytes."""
        for part in list(self._parts):
            self._load_part(part)
        return sorted(self._entries, key=str.encode)

    def artifacts(self) -> dict[str, str]:
        """Return key -> digest of the artifacts that stand inside, in the order of the keys."""
        return {key: self._entries[key].digest for key in self.keys() if self._entries[key].kind == "artifact"}

    def has(self, key: str) -> bool:
        """Tell whether there is an entry of that key."""
        if key not in self._entries:
            self._load_part(digest(key.encode())[:2])
        return key in self._entries

    def entry(self, key: str) -> Entry:
        """Return an entry. Raises Unacceptable: there is none of that key (nothing is lost, so not Missing)."""
        if not self.has(key):
            raise Unacceptable(f"{self.type} {self.digest[:12]} has no entry {key!r}")
        return self._entries[key]

    def bytes(self, key: str) -> bytes:
        """Return the verified bytes of an entry."""
        entry = self.entry(key)
        if entry.kind == "artifact":
            raise Unacceptable(f"entry {key!r} is an artifact, expected bytes")
        return entry.data if entry.data is not None else self._store.blobs.get(entry.digest, entry.size)

    def zarr(self) -> zarr.Group:
        """Open the artifact as a read-only zarr group."""
        import zarr

        from store.zarr_store import ReaderStore

        return zarr.open_group(ReaderStore(self), mode="r", zarr_format=3, use_consolidated=False)

    def xarray(self, group: str | None = None) -> xarray.Dataset:
        """Open the artifact, or a group in it (a table), as a lazy xarray Dataset."""
        import xarray

        from store.zarr_store import ReaderStore

        return xarray.open_zarr(ReaderStore(self), group=group, consolidated=False, zarr_format=3, chunks=None)

    def _meta(self, name: str) -> ArrayMeta:
        return decode_metadata(self.bytes(f"{name}/zarr.json"))

    def _rows(self, name: str, meta: ArrayMeta, start: int, stop: int) -> np.ndarray:
        import numpy as np

        if not meta.shape:
            return decode_chunk(self.bytes(f"{name}/c"), meta)
        if start == stop or 0 in meta.shape:
            dtype = object if meta.data_type == "string" else meta.data_type
            return np.empty((stop - start, *meta.shape[1:]), dtype=dtype)
        first, last = start // meta.chunk_rows, (stop - 1) // meta.chunk_rows
        tail = "/0" * (len(meta.shape) - 1)
        chunks = [decode_chunk(self.bytes(f"{name}/c/{n}{tail}"), meta) for n in range(first, last + 1)]
        joined = chunks[0] if len(chunks) == 1 else np.concatenate(chunks)
        joined.flags.writeable = False
        offset = first * meta.chunk_rows
        return joined[start - offset : stop - offset]

    def _load_part(self, part: str) -> None:
        named = self._parts.get(part)
        if named is not None:
            manifest = self._store.manifests.get_part(self._manifest, named)
            self._entries.update((entry.key, entry) for entry in manifest.entries)
            self._parts.pop(part, None)  # last: another thread may read meanwhile


_COLUMN: dict[Any, str] = {int: "int64", float: "float64", bool: "bool"}


def _group_metadata(attrs: dict[str, Any]) -> bytes:
    return _encode_json({"attributes": attrs, "zarr_format": 3, "node_type": "group"}, "attrs")


def _encode_json(value: Any, where: str) -> bytes:
    """Return JSON with sorted keys. Raises Unacceptable for NaN and infinities: JSON would turn them into null."""
    if not _is_finite(msgspec.to_builtins(value)):
        raise Unacceptable(f"{where}: JSON has no NaN and no infinity; write an array, or None")
    return msgspec.json.encode(value, order="deterministic")


def _is_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_finite(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return all(_is_finite(item) for item in value)
    return not isinstance(value, float) or math.isfinite(value)
