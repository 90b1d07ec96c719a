"""A stored artifact as a read-only zarr v3 Store, so that zarr and xarray open it like any other group.

zarr knows codecs and extensions that this store refuses, and takes an absent chunk for one of fill values: who wrote
the artifact may count on either. So metadata is checked before zarr sees it, and a chunk that is not there is an error.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype

import store.zarr_bfloat16  # noqa: F401 - zarr shall know the type
from store.artifact import FILES, Reader
from store.attributes import is_group


class ReaderStore(Store):
    """The entries of one artifact; every value is verified as it is read. Artifacts and files inside stay unseen."""

    supports_writes = False
    supports_deletes = False
    supports_listing = True

    def __init__(self, reader: Reader) -> None:
        super().__init__(read_only=True)
        self._reader = reader
        self._keys = {
            key: None for key in reader.keys() if not key.startswith(FILES) and reader.entry(key).kind != "artifact"
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReaderStore) and other._reader.digest == self._reader.digest

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        if key not in self._keys:
            if self._is_chunk(key):
                self._reader.entry(key)  # says that there is none
            return None
        read = self._reader.metadata if key.rpartition("/")[2] == "zarr.json" else self._reader.bytes
        data = await asyncio.to_thread(read, key)
        return prototype.buffer.from_bytes(_cut(data, byte_range))

    def _is_chunk(self, key: str) -> bool:
        """Tell whether a key stands below an array: `a/c/0`, or `a/c` where it has no dimension."""
        arrays = (key[: found.start()] + "/zarr.json" for found in re.finditer("/c(?=/|$)", key))
        return any(name in self._keys and not is_group(self._reader.bytes(name)) for name in arrays)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    async def exists(self, key: str) -> bool:
        return key in self._keys

    async def set(self, key: str, value: Buffer) -> None:
        raise PermissionError("an artifact is immutable")

    async def delete(self, key: str) -> None:
        raise PermissionError("an artifact is immutable")

    async def list(self) -> AsyncIterator[str]:
        for key in self._keys:
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        for key in self._keys:
            if key.startswith(prefix):
                yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        start = f"{prefix.rstrip('/')}/" if prefix else ""
        for name in dict.fromkeys(k[len(start) :].split("/")[0] for k in self._keys if k.startswith(start)):
            yield name


def _cut(data: bytes, byte_range: ByteRequest | None) -> bytes:
    match byte_range:
        case RangeByteRequest(start, end):
            return data[start:end]
        case OffsetByteRequest(offset):
            return data[offset:]
        case SuffixByteRequest(suffix):
            return data[max(0, len(data) - suffix) :]
    return data
