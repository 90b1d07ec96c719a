"""A stored artifact as a read-only zarr v3 Store, so that zarr and xarray open it like any other group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype

from store.artifact import Reader


class ReaderStore(Store):
    """The entries of one artifact; every value is verified as it is read. Artifacts and files inside stay unseen."""

    supports_writes = False
    supports_deletes = False
    supports_listing = True

    def __init__(self, reader: Reader) -> None:
        super().__init__(read_only=True)
        self._reader = reader
        self._keys = {
            key: None for key in reader.keys() if not key.startswith("files/") and reader.entry(key).kind != "artifact"
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReaderStore) and other._reader.digest == self._reader.digest

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        if key not in self._keys:
            return None
        data = await asyncio.to_thread(self._reader.bytes, key)
        return prototype.buffer.from_bytes(_cut(data, byte_range))

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
