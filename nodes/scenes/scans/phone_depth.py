"""Depth as ScanNet++ packs that of its iPhones: depth.bin, pictures of 192 x 256.

One after another, each with its size before it, or all deflated as one. A picture is 16-bit millimetres in LZ4, or
deflated 32-bit metres; all as one is the latter. 0 is unknown.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DEPTH_SHAPE = (192, 256)
DEPTH_M = (0.1, 20.0)  # the median of a picture of a room


class PhoneDepth:
    """The pictures of a depth.bin, by number."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.starts = self._walk()

    def frames(self, numbers: Sequence[int]) -> Iterator[NDArray[np.float32]]:
        """Yield depth (192, 256) in metres, 0 unknown, of frames in ascending order."""
        for number, raw in self._apart(numbers) if self.starts else self._as_one(numbers):
            yield self._checked(number, raw)

    def _walk(self) -> list[int]:
        """Return where each picture's size stands; nothing if the file is no chain of sizes."""
        total, at = self.path.stat().st_size, 0
        starts: list[int] = []
        with self.path.open("rb") as file:
            while at < total:
                file.seek(at)
                size = int.from_bytes(file.read(4), "little")
                if not 0 < size <= total - at - 4:
                    # one deflated stream does not begin as a chain does; a chain that was cut does
                    if len(starts) > 2:
                        raise ValueError(f"{self.path}: byte {at}: cut off after {len(starts)} pictures")
                    return []
                starts.append(at)
                at += 4 + size
        return starts

    def _apart(self, numbers: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        import lz4.block

        height, width = DEPTH_SHAPE
        with self.path.open("rb") as file:
            for number in numbers:
                if number >= len(self.starts):
                    raise ValueError(f"{self.path}: no picture {number}, it holds {len(self.starts)}")
                file.seek(self.starts[number])
                coded = file.read(int.from_bytes(file.read(4), "little"))
                try:
                    yield number, lz4.block.decompress(coded, uncompressed_size=2 * height * width)
                except lz4.block.LZ4BlockError:
                    yield number, self._inflated(self.starts[number], coded)

    def _inflated(self, at: int, coded: bytes) -> bytes:
        try:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(coded, 4 * DEPTH_SHAPE[0] * DEPTH_SHAPE[1])
        except zlib.error as e:
            raise ValueError(f"{self.path}: byte {at}: neither LZ4 nor deflate: {e}") from None

    def _as_one(self, numbers: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Inflate from the beginning, one picture in memory."""
        size = 4 * DEPTH_SHAPE[0] * DEPTH_SHAPE[1]
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        with self.path.open("rb") as file:
            for number in range(max(numbers, default=-1) + 1):
                picture = bytearray()
                while len(picture) < size:
                    coded = inflate.unconsumed_tail or file.read(1 << 16)
                    try:
                        part = inflate.decompress(coded, size - len(picture))
                    except zlib.error as e:
                        raise ValueError(f"{self.path}: byte {file.tell()}: {e}") from None
                    if not part and (not coded or inflate.eof):
                        raise ValueError(f"{self.path}: byte {file.tell()}: ends within picture {number}")
                    picture += part
                if number in numbers:
                    yield number, bytes(picture)

    def _checked(self, number: int, raw: bytes) -> NDArray[np.float32]:
        import numpy as np

        n = DEPTH_SHAPE[0] * DEPTH_SHAPE[1]
        if len(raw) not in (2 * n, 4 * n):
            raise ValueError(f"{self.path}: picture {number}: {len(raw)} bytes, expected {2 * n} or {4 * n}")
        wide = len(raw) == 4 * n
        values = np.frombuffer(raw, "<f4" if wide else "<u2").astype(np.float32).reshape(DEPTH_SHAPE)
        depth = np.where(np.isfinite(values) & (values > 0), values, 0) / np.float32(1 if wide else 1000)
        known = depth[depth > 0]
        if len(known) and not DEPTH_M[0] <= (middle := float(np.median(known))) <= DEPTH_M[1]:
            raise ValueError(
                f"{self.path}: picture {number}: median {middle:g} m, expected {DEPTH_M[0]:g} to {DEPTH_M[1]:g}"
            )
        return depth.astype(np.float32)
