"""Immutable bytes named by the digest of the raw bytes, however they are compressed at rest.

A blob lies at `cas/ab/<digest>`, or at `cas/ab/<digest>.zst` as one zstandard frame where that saves space. Both
names mean the same bytes. Every read is verified against the digest and the size that the manifest gives.
"""

from __future__ import annotations

from store.digest import digest
from store.errors import Damaged, Missing, StoreError
from store.objects import Objects

TRIAL_BYTES = 1 << 16
WORTHWHILE = 0.9  # compressed / raw, on a trial piece; random mantissas of weights stay above it


class Blobs:
    """The blobs of one store. With `rewrite`, a blob that seems to be there is written again (it may be damaged)."""

    def __init__(self, objects: Objects, rewrite: bool = False) -> None:
        self.objects = objects
        self.rewrite = rewrite

    def put(self, data: bytes) -> str:
        """Store bytes and return their digest; nothing is written if they are there already."""
        name = digest(data)
        if not self.rewrite and self.has(name):
            return name
        path = _path(name)
        packed = _compress(data)
        if packed is None:
            self.objects.write(path, data)
        else:
            self.objects.write(path + ".zst", packed)
        return name

    def get(self, name: str, size: int) -> bytes:
        """Return the verified bytes of a blob.

        Args:
            name: the digest of the raw bytes.
            size: their number, as the manifest gives it; bounds decompression.
        Raises:
            Missing: no such blob.
            Damaged: other bytes lie under its name.
        """
        # Both names may be there, and one of them damaged: what is whole wins.
        error: StoreError = Missing("blob", name)
        for is_packed in (True, False):
            try:
                data = self.objects.read(_path(name) + (".zst" if is_packed else ""))
                return _verify(name, _decompress(name, data, size) if is_packed else data, size)
            except FileNotFoundError:
                continue
            except Damaged as damaged:
                error = damaged
        raise error

    def has(self, name: str) -> bool:
        """Tell whether a blob of that name is there, unread."""
        path = _path(name)
        return self.objects.exists(path + ".zst") or self.objects.exists(path)


def _path(name: str) -> str:
    return f"cas/{name[:2]}/{name}"


def _verify(name: str, data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise Damaged("blob", name, f"{len(data)} bytes, expected {size}")
    if digest(data) != name:
        raise Damaged("blob", name, "its bytes have another digest")
    return data


def _compress(data: bytes) -> bytes | None:
    """Return one zstandard frame, or None where compression does not pay on the middle of the data."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=1)
    middle = len(data) // 2
    trial = data[max(0, middle - TRIAL_BYTES // 2) : middle + TRIAL_BYTES // 2]
    if len(compressor.compress(trial)) > WORTHWHILE * len(trial):
        return None
    packed = compressor.compress(data)
    return packed if len(packed) < len(data) else None


def _decompress(name: str, packed: bytes, size: int) -> bytes:
    import zstandard

    try:
        declared = zstandard.get_frame_parameters(packed).content_size
        if declared != size:
            raise Damaged("blob", name, f"its frame declares {declared} bytes, expected {size}")
        return zstandard.ZstdDecompressor().decompress(packed, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Damaged("blob", name, str(error)) from None
