"""Immutable bytes named by the digest of the raw bytes, however they are compressed at rest.

A blob lies at `cas/ab/<digest>`, or at `cas/ab/<digest>.zst` as one zstandard frame where that saves space. Both
names mean the same bytes. Every read is verified against the digest and the size that the manifest gives, and nothing
larger than that is read or unpacked, whatever lies there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from store.condemned import Condemned
from store.digest import check_digest, digest, is_digest
from store.errors import Damaged, Missing, StoreError, TooLarge, Unacceptable
from store.objects import Objects

T = TypeVar("T")
BLOB_BYTES = 1 << 30  # more is in no blob: what is read by name is held in memory whole
TRIAL_BYTES = 1 << 14
WORTHWHILE = 0.7  # compressed / raw, on a trial piece: weights in float32 are at .92, in bfloat16 at .78


class Blobs:
    """The blobs of one store.

    With `rewrite`, a blob that seems to be there is written again (it may be damaged). `fetch` returns the verified
    bytes of one that is not whole here, by name and size; None if nobody has them.
    """

    def __init__(
        self,
        objects: Objects,
        rewrite: bool = False,
        fetch: Callable[[str, int], bytes | None] | None = None,
        condemned: Condemned | None = None,
    ) -> None:
        self.objects = objects
        self.rewrite = rewrite
        self.condemned = condemned or Condemned(objects)
        self._fetch = fetch

    def put(self, data: bytes | memoryview) -> str:
        """Store bytes and return their digest; nothing is written if they are there already, and stay there.

        Raises:
            Unacceptable: more than BLOB_BYTES, which nobody would read.
        """
        if len(data) > BLOB_BYTES:
            raise Unacceptable(f"a blob of {len(data)} bytes: at most {BLOB_BYTES}")
        name = digest(data)
        if not self.rewrite and self.keep(name):
            return name
        self._write(name, data)
        return name

    def get(self, name: str, size: int) -> bytes:
        """Return the verified bytes of a blob.

        Args:
            name: the digest of the raw bytes.
            size: their number, as the manifest gives it; bounds decompression.
        Raises:
            Missing: no such blob.
            Damaged: other bytes lie under its name.
            Unacceptable: it is no digest, or no blob has that size.
        """
        try:
            return self._read(name, size)[2]
        except (Missing, Damaged):
            return self._bring(name, size)

    def read_into(self, name: str, buffer: memoryview) -> None:
        """Fill `buffer`, which is as long as the blob, with its verified bytes. Raises as `get` does."""
        size = len(buffer)

        def read_packed(path: str) -> None:
            buffer[:] = _verify(name, _decompress(name, self.objects.read(path, size), size), size)

        def read_raw(path: str) -> None:
            _check_size(name, self.objects.read_into(path, buffer), size)
            _check_bytes(name, buffer)

        try:
            self._first_whole(name, size, read_packed, read_raw)
        except (Missing, Damaged):
            buffer[:] = self._bring(name, size)

    def at_rest(self, name: str, size: int) -> tuple[str, bytes]:
        """Return the suffix and the bytes under which a blob lies here, verified. Raises as `get` does."""
        try:
            return self._read(name, size)[:2]
        except (Missing, Damaged):
            self._bring(name, size)
        return self._read(name, size)[:2]

    def place(self, name: str, suffix: str, data: bytes) -> None:
        """Write what `at_rest` of another store gave."""
        self.objects.write(blob_path(name) + suffix, data)

    def _bring(self, name: str, size: int) -> bytes:
        """Fetch a blob that is not whole here, and keep it; the error that is under way goes on if nobody has it."""
        data = self._fetch(name, size) if self._fetch is not None else None
        if data is None:
            raise
        self._write(name, data)
        return data

    def _read(self, name: str, size: int) -> tuple[str, bytes, bytes]:
        """Return suffix, bytes at rest and raw bytes of a blob that is here."""

        def read_packed(path: str) -> tuple[str, bytes, bytes]:
            data = self.objects.read(path, size)  # a frame is kept only where it is shorter than what it holds
            return ".zst", data, _verify(name, _decompress(name, data, size), size)

        def read_raw(path: str) -> tuple[str, bytes, bytes]:
            data = self.objects.read(path, size)
            return "", data, _verify(name, data, size)

        return self._first_whole(name, size, read_packed, read_raw)

    def _first_whole(self, name: str, size: int, read_packed: Callable[[str], T], read_raw: Callable[[str], T]) -> T:
        check_digest(name)
        if not 0 <= size <= BLOB_BYTES:
            raise Unacceptable(f"blob {name} of {size} bytes: expected 0 to {BLOB_BYTES}")
        # Both names may be there, and one of them damaged: what is whole wins.
        error: StoreError = Missing("blob", name)
        for path, read in ((blob_path(name) + ".zst", read_packed), (blob_path(name), read_raw)):
            try:
                return read(path)
            except FileNotFoundError:
                continue
            except TooLarge as found:
                error = Damaged("blob", name, f"{found.size} bytes at rest, expected {found.limit} at most")
            except Damaged as damaged:
                error = damaged
        raise error

    def _write(self, name: str, data: bytes | memoryview) -> None:
        packed = _compress(data)
        if packed is None:
            self.objects.write(blob_path(name), data)
        else:
            self.objects.write(blob_path(name) + ".zst", packed)

    def keep(self, name: str, suffixes: tuple[str, ...] = (".zst", "")) -> bool:
        """See to it that gc leaves a blob where it is; tell whether it is here, unread, under any of these suffixes."""
        return any(self.condemned.keep(blob_path(name) + suffix) for suffix in suffixes)

    def has(self, name: str) -> bool:
        """Tell whether a blob of that name is here, unread."""
        path = blob_path(name)
        return is_digest(name) and (self.objects.exists(path + ".zst") or self.objects.exists(path))


def blob_path(name: str) -> str:
    """Return where the blob of that digest lies raw; `.zst` is added where it is compressed."""
    return f"cas/{name[:2]}/{name}"


def check_blob(name: str, data: bytes, is_packed: bool, size: int | None) -> str:
    """Return what is wrong with the bytes of a blob at rest, "" if nothing is.

    Args:
        size: as a manifest gives it; None where none does. Then the bytes are unpacked piece by piece, as many as
            their frame declares, and not held.
    """
    try:
        if size is None and is_packed:
            _verify_unbounded(name, data)
        else:
            size = len(data) if size is None else size
            _verify(name, _decompress(name, data, size) if is_packed else data, size)
    except Damaged as error:
        return error.found
    return ""


def _verify_unbounded(name: str, packed: bytes) -> None:
    import zstandard
    from blake3 import blake3

    hasher, n = blake3(), 0
    try:
        declared = zstandard.get_frame_parameters(packed).content_size
        reader = zstandard.ZstdDecompressor().stream_reader(packed)
        while n <= declared and (piece := reader.read(TRIAL_BYTES)):
            n += len(piece)
            hasher.update(piece)
    except zstandard.ZstdError as error:
        raise Damaged("blob", name, str(error)) from None
    if n != declared:
        raise Damaged("blob", name, f"its frame declares {declared} bytes and holds {'more' if n > declared else n}")
    if hasher.hexdigest() != name:
        raise Damaged("blob", name, "its bytes have another digest")


def _verify(name: str, data: bytes, size: int) -> bytes:
    _check_size(name, len(data), size)
    _check_bytes(name, data)
    return data


def _check_size(name: str, found: int, size: int) -> None:
    if found != size:
        raise Damaged("blob", name, f"{found} bytes, expected {size}")


def _check_bytes(name: str, data: bytes | memoryview) -> None:
    if digest(data) != name:
        raise Damaged("blob", name, "its bytes have another digest")


def _compress(data: bytes | memoryview) -> bytes | None:
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
