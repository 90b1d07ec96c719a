"""Frames of a video by number or by time, decoded one after another: no more than one picture is in memory.

What a video holds is read from its packets, without decoding: presentation times give every frame its number, also
where the rate varies, as phones record. Rotation that a file asks for is done, as players and ffmpeg do it. Fails with
the path and the byte where a file is broken or ends too early. Knows nothing of cameras.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodes.scenes.scans.upright import turn_picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

QUALITY = 95


@dataclass(frozen=True)
class Video:
    """What a video file holds: n frames, by their presentation times (n,) and those that need no other (k,), ascending.

    Times are counted in `time_base` seconds.
    """

    path: Path
    pts: NDArray[np.int64]
    keys: NDArray[np.int64]
    time_base: Fraction

    def __len__(self) -> int:
        return len(self.pts)

    def time_s(self, number: int) -> float:
        """Return when a frame is shown, seconds from the first."""
        return float(int(self.pts[number] - self.pts[0]) * self.time_base)

    def nearest(self, time_s: float) -> int:
        """Return the number of the frame shown nearest to a time; the earlier of two as near."""
        import numpy as np

        return int(np.abs((self.pts - self.pts[0]) * float(self.time_base) - time_s).argmin())

    def frames(self, numbers: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield (number, picture (H, W, 3)) for numbers in ascending order, upright as the file asks.

        Seeks to the key frame before, unless decoding on is as short. Raises ValueError: the file is broken there.
        """
        import numpy as np

        with _opened(self.path) as container:
            stream = container.streams.video[0]
            shown: int | None = None
            decoded: Iterator[Any] = iter(())
            for number in numbers:
                if not 0 <= number < len(self):
                    raise ValueError(f"{self.path}: no frame {number}, it holds {len(self)} ({self._extent()})")
                wanted = int(self.pts[number])
                key = int(self.keys[max(int(np.searchsorted(self.keys, wanted, side="right")) - 1, 0)])
                if shown is None or key > shown:
                    container.seek(key, stream=stream, backward=True)
                    decoded = _decode(container, stream, self.path)
                frame = next((f for f in decoded if f.pts is not None and f.pts >= wanted), None)
                if frame is None or frame.pts != wanted:
                    raise ValueError(f"{self.path}: frame {number} at {self.time_s(number):.3f} s cannot be decoded")
                shown = wanted
                # a display matrix says how far to turn counter-clockwise
                yield number, turn_picture(frame.to_ndarray(format="rgb24"), round(-frame.rotation / 90) % 4)

    def _extent(self) -> str:
        return f"{self.time_s(len(self) - 1):.3f} s"


def open_video(path: Path) -> Video:
    """Return what the file's first video stream holds.

    Raises:
        ValueError: it is no video, holds no frame, or ends before what its header promises; with the byte.
    """
    import numpy as np

    with _opened(path) as container:
        stream = container.streams.video[0]
        pts, keys, n, end = [], [], 0, 0
        try:
            for packet in container.demux(stream):
                if packet.size == 0:
                    continue
                n, end = n + 1, max(end, (packet.pos or 0) + packet.size)
                if packet.is_corrupt:
                    raise ValueError(f"{path}: byte {packet.pos}: packet {n - 1} is cut off")
                time = packet.pts if packet.pts is not None else packet.dts
                if time is None or packet.is_discard:
                    continue
                pts.append(time)
                if packet.is_keyframe:
                    keys.append(time)
        except _errors() as e:
            raise ValueError(f"{path}: byte {end}: {_said(e)}") from None
        if n < stream.frames:
            raise ValueError(f"{path}: byte {end}: ends after {n} of {stream.frames} frames")
        if not pts or not keys:
            raise ValueError(f"{path}: holds no {'frame' if not pts else 'key frame'}")
        times = np.unique(np.array(pts, np.int64))
        return Video(path, times, np.unique(np.array(keys, np.int64)), Fraction(stream.time_base))


def encode_jpeg(rgb: NDArray[np.uint8]) -> bytes:
    """Return a picture (H, W, 3) as a JPEG file of quality 95: the one time that it is encoded."""
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(rgb).save(file, format="JPEG", quality=QUALITY)
    return file.getvalue()


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import av

    try:
        container = av.open(str(path))
    except _errors() as e:
        raise ValueError(f"{path}: {_said(e)}, expected a video") from None
    with container:
        if not container.streams.video:
            raise ValueError(f"{path}: holds no video stream")
        codec = container.streams.video[0].codec_context
        codec.options = {"err_detect": "explode"}  # what a broken packet decodes to is never guessed
        codec.thread_count = 1  # more threads hold a frame each
        yield container


def _decode(container: Any, stream: Any, path: Path) -> Iterator[Any]:
    """Yield the frames from where the container stands."""
    at = 0
    try:
        for packet in container.demux(stream):
            at = packet.pos if packet.pos is not None else at
            for frame in packet.decode():
                if frame.is_corrupt:
                    raise ValueError(f"{path}: byte {at}: the frame at {frame.time:.3f} s is damaged")
                yield frame
    except _errors() as e:
        raise ValueError(f"{path}: byte {at}: {_said(e)}") from None


def _errors() -> tuple[type[Exception], ...]:
    import av

    return (av.FFmpegError, OSError)


def _said(e: Exception) -> str:
    return str(getattr(e, "strerror", None) or e)
