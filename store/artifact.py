"""Artifacts: immutable typed outputs, written once through a Writer and read lazily through a Reader.

An artifact is a zarr v3 group: `zarr.json` holds its attributes, arrays are encoded as zarr does, other files lie
under `files/`, and whole artifacts may stand inside it by digest. A type is a subclass of `Artifact` with a versioned
name; a changed layout is a new version, never a reinterpretation.
"""

from __future__ import annotations

import builtins
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import msgspec

from store.attributes import ATTRIBUTES_BYTES, decode_group, encode_group, encode_json, is_group
from store.digest import digest
from store.encoding import METADATA_BYTES, ArrayMeta, chunk_keys, decode_metadata, encode_array, text_list
from store.errors import TooLarge, Unacceptable
from store.manifest import INLINE_BELOW, SPLIT_ABOVE, Entry, check_key, check_nesting
from store.span import Span
from store.threads import map_blobs

if TYPE_CHECKING:
    import numpy as np
    import xarray
    import zarr

    from store.blobs import Blobs
    from store.open import Store

FILES = "files/"  # below it lies what is no array

A = TypeVar("A", bound="Artifact")
Row = TypeVar("Row", bound=msgspec.Struct)


class Artifact:
    """Base of all artifact types.

    `type` names the type with its version, `parts` the typed artifacts that stand inside it. `digest` is None until
    the artifact has been opened from a store, and `home`, the url of that store, is empty.

    `plain` names, as `module:function` (or `:function` of the type's own module), what writes its plain form: called
    with all artifacts of the type that are exported together, by their place, and the folder for them. It is a name
    and no method, so that how pictures are saved is no part of the key of whatever makes them. `forms` names the
    writers of further plain forms likewise, by the form's name. `page` names what draws them for people: called with
    the same artifacts, with what finds those that they were made from (by type), and with the number of items wanted;
    it returns one self-contained HTML text.
    """

    type: ClassVar[str]
    parts: ClassVar[dict[str, builtins.type[Artifact]]] = {}
    plain: ClassVar[str] = ""
    forms: ClassVar[Mapping[str, str]] = {}
    page: ClassVar[str] = ""
    digest: str | None = None
    home: str = ""

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
        self.arrays([(name, values, dims, rows)])

    def arrays(self, arrays: Sequence[tuple[str, Any, tuple[str, ...], int | None]]) -> None:
        """Write arrays, each given as the arguments of `array`; large ones in a few threads."""
        n_bytes = sum(getattr(values, "nbytes", 0) for _, values, *_ in arrays)
        for entry in map_blobs(lambda chunk: make_entry(self._store.blobs, *chunk), self._chunks(arrays), n_bytes):
            self._add(entry)

    def table(self, name: str, rows: Sequence[Row], row_type: type[Row]) -> None:
        """Write structs as one column array a field: str, int, float and bool as such, anything else as JSON text."""
        import numpy as np

        self._group(name)
        for field in _fields_of(row_type):
            column = [getattr(row, field.name) for row in rows]
            dtype = _COLUMN.get(field.type)
            if dtype is None and field.type is not str:
                column = [encode_json(value, f"{name}/{field.encode_name}").decode() for value in column]
            values = column if dtype is None else np.array(column, dtype=dtype)
            self.array(f"{name}/{field.encode_name}", values, dims=("row",))

    def file(self, name: str, data: bytes) -> None:
        """Write a file that is no array (a tokenizer, a picture), under `files/`."""
        self._bytes(FILES + name, data)

    def artifact(self, name: str, value: Artifact) -> str:
        """Place a whole artifact inside this one and return its digest; an opened one is not written again."""
        written, size = self._store.put_sized(value)
        self._add(Entry(name, "artifact", written, size))
        return written

    def entries(self) -> list[Entry]:
        """Return all entries, the group's own zarr.json among them."""
        own = encode_group(self.attrs)
        return [*self._entries.values(), make_entry(self._store.blobs, "zarr.json", own)]

    def _chunks(self, arrays: Sequence[tuple]) -> Iterator[tuple[str, bytes | memoryview]]:
        for name, values, dims, rows in arrays:
            metadata, chunks = encode_array(values, dims, rows)
            self._groups(name)
            self._bytes(f"{name}/zarr.json", metadata)
            yield from ((f"{name}/{key}", data) for key, data in chunks)

    def _groups(self, name: str) -> None:
        parents = name.split("/")[:-1]
        for depth in range(1, len(parents) + 1):
            self._group("/".join(parents[:depth]))

    def _group(self, name: str) -> None:
        if f"{name}/zarr.json" not in self._entries:
            self._bytes(f"{name}/zarr.json", encode_group({}))

    def _bytes(self, key: str, data: bytes | memoryview) -> None:
        self._add(make_entry(self._store.blobs, key, data))

    def _add(self, entry: Entry) -> None:
        check_key(entry.key)
        if entry.key in self._entries:
            raise Unacceptable(f"entry {entry.key!r} written twice")
        self._entries[entry.key] = entry


class Reader:
    """Lazy, verified access to one stored artifact, whoever wrote it. `size` is its manifest's, where one is known."""

    def __init__(self, store: Store, name: str, size: int | None = None) -> None:
        self.digest = name
        self._store = store
        self._manifest = manifest = store.manifests.get(name, size)
        self.type = manifest.type
        named = {entry.key: entry for entry in manifest.entries}
        self._parts = named if manifest.is_split else {}
        self._entries = {} if manifest.is_split else named
        self._is_whole = not manifest.is_split

    @property
    def attrs(self) -> dict[str, Any]:
        """The group's attributes."""
        return decode_group(self.bytes("zarr.json", ATTRIBUTES_BYTES))

    def array(self, name: str) -> np.ndarray:
        """Return a whole array, read-only; text comes as an object array of str."""
        return self.arrays([name])[name]

    def arrays(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Return whole arrays by name, as `array` does; large ones are read in a few threads.

        They share one piece of memory, which lives as long as any of them.
        """
        metas = [self._meta(name) for name in names]
        wanted = [(name, meta, 0, meta.shape[0] if meta.shape else 1) for name, meta in zip(names, metas, strict=True)]
        return dict(zip(names, self._read(wanted), strict=True))

    def rows(self, name: str, start: int, stop: int) -> np.ndarray:
        """Return rows start..stop of the first dimension, reading only the chunks that hold them.

        Raises:
            IndexError: not 0 <= start <= stop <= length.
        """
        meta = self._meta(name)
        if not meta.shape or not 0 <= start <= stop <= meta.shape[0]:
            raise IndexError(f"{name}: rows {start}..{stop} of shape {meta.shape}")
        return self._read([(name, meta, start, stop)])[0]

    def chunk_rows(self, name: str, row: int) -> tuple[int, int]:
        """Return where the chunk that holds a row begins and ends: reading all of it costs what that row does."""
        meta = self._meta(name)
        start = row - row % meta.chunk_rows
        return start, min(start + meta.chunk_rows, meta.shape[0])

    def table(self, name: str, row_type: type[Row]) -> list[Row]:
        """Return a table's rows as structs. Raises Unacceptable where its columns hold no such rows."""
        fields = _fields_of(row_type)
        columns = [self._column(f"{name}/{field.encode_name}", field.type) for field in fields]
        if len({len(column) for column in columns}) > 1:
            raise Unacceptable(f"{name}: columns of {', '.join(str(len(column)) for column in columns)} rows")
        return [row_type(*values) for values in zip(*columns)]

    def file(self, name: str) -> bytes:
        """Return a file from under `files/`."""
        return self.bytes(FILES + name)

    def files(self) -> list[str]:
        """Return the names under `files/`, sorted."""
        return [key.removeprefix(FILES) for key in self.keys() if key.startswith(FILES)]

    def artifact(self, name: str, cls: type[A]) -> A:
        """Open an artifact that stands inside this one."""
        entry = self.artifact_entry(name)
        return self._store.open(entry.digest, cls, entry.size)

    def elsewhere(self, name: str, cls: type[A]) -> A:
        """Open an artifact of the same store by its digest: one that this one refers to and does not hold."""
        return self._store.open(name, cls)

    def keys(self) -> list[str]:
        """Return every entry's key, sorted by its bytes."""
        for part in list(self._parts):
            self._load_part(part)
        if not self._is_whole:
            if len(self._entries) <= SPLIT_ABOVE:  # the same content has another digest then
                raise Unacceptable(
                    f"{self.type} {self.digest[:12]}: {len(self._entries)} entries in parts, expected more"
                )
            check_nesting(self._entries)
            self._is_whole = True
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

    def artifact_entry(self, key: str) -> Entry:
        """Return the entry of an artifact that stands inside. Raises Unacceptable: there is none, or it is data."""
        entry = self.entry(key)
        if entry.kind != "artifact":
            raise Unacceptable(f"entry {key!r} is {entry.kind}, expected an artifact")
        return entry

    def bytes(self, key: str, limit: int | None = None) -> bytes:
        """Return the verified bytes of an entry. Raises TooLarge, unread, where there are over `limit`."""
        entry = self.entry(key)
        if entry.kind == "artifact":
            raise Unacceptable(f"entry {key!r} is an artifact, expected bytes")
        if limit is not None and entry.size > limit:
            raise TooLarge(f"entry {key!r}", entry.size, limit)
        return entry.data if entry.data is not None else self._store.blobs.get(entry.digest, entry.size)

    def metadata(self, key: str) -> builtins.bytes:
        """Return a zarr.json, the artifact's own, a group's or an array's, for readers that know more forms than ours.

        Raises:
            Unacceptable: it is not in this store's form.
        """
        data = self.bytes(key, ATTRIBUTES_BYTES)
        if key == "zarr.json" or is_group(data):
            decode_group(data)
        else:
            decode_metadata(data)
        return data

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
        return decode_metadata(self.bytes(f"{name}/zarr.json", METADATA_BYTES))

    def _column(self, name: str, kind: Any) -> list[Any]:
        """Return a table's column: numbers, text, or what stands there as JSON."""
        meta = self._meta(name)
        expected = _COLUMN.get(kind, "string")
        if meta.data_type != expected or len(meta.shape) != 1:
            raise Unacceptable(f"{name}: {meta.data_type} {meta.shape}, expected {expected}, one value a row")
        inline = self.entry(f"{name}/c/0").data if meta.shape == (meta.chunk_rows,) else None
        if meta.data_type == "string" and inline is not None:  # most columns of a scene: no array in between
            values = text_list(inline, meta)
        else:
            values = self._read([(name, meta, 0, meta.shape[0])])[0].tolist()
        if kind is str or kind in _COLUMN:
            return values
        try:
            return [msgspec.json.decode(text, type=kind) for text in values]
        except (msgspec.MsgspecError, RecursionError) as error:
            raise Unacceptable(f"{name}: {error}") from None

    def _read(self, wanted: Sequence[tuple[str, ArrayMeta, int, int]]) -> list[np.ndarray]:
        """Return rows start..stop of arrays, each given as (name, its metadata, start, stop)."""
        spans = []
        for name, meta, start, stop in wanted:
            chunks = [self.entry(f"{name}/{key}") for key in chunk_keys(meta, start, stop)]
            spans.append(Span(meta, start, stop, chunks))
        if missing := [span for span in spans if span.data is None]:
            Span.fill(missing, self._read_into)
        return [span.values() for span in spans]

    def _read_into(self, entry: Entry, buffer: memoryview) -> None:
        if entry.data is not None:
            buffer[:] = entry.data
        else:
            self._store.blobs.read_into(entry.digest, buffer)

    def _load_part(self, part: str) -> None:
        named = self._parts.get(part)
        if named is not None:
            manifest = self._store.manifests.get_part(self._manifest, named)
            self._entries.update((entry.key, entry) for entry in manifest.entries)
            self._parts.pop(part, None)  # last: another thread may read meanwhile


@functools.cache
def _fields_of(row_type: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(row_type)  # it resolves all annotations: as slow as to read a small table


def make_entry(blobs: Blobs, key: str, data: bytes | memoryview) -> Entry:
    """Return the entry of some bytes; they are put unless they stand in the entry itself."""
    if len(data) < INLINE_BELOW:
        return Entry(key, "inline", digest(data), len(data), bytes(data))
    return Entry(key, "blob", blobs.put(data), len(data))


_COLUMN: dict[Any, str] = {int: "int64", float: "float64", bool: "bool"}
