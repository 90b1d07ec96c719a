"""ScanNet's `.sens`, version 4: a header, then frame after frame, each a pose, colours and depth.

Little endian. u32 version; u64 length and the sensor's name; four (4, 4) f32, row by row: K and pose of the colour
camera, K and pose of the depth camera; i32 codes of colours (0 raw, 1 png, 2 jpeg) and of depth (0 u16, 1 u16 by zlib);
u32 widths and heights of colours and depth; f32 depth units a metre; u64 number of frames. A frame: (4, 4) f32
camera-to-world; u64 times of colours and depth in microseconds; u64 sizes of both; their bytes. What follows the frames
(inertial data) is not read. A pose of -inf: tracking was lost.

Its K counts pixels from the middle of the first one, ours from its corner: half a pixel is added. The file is read by
seeking, a frame at a time. Fails with path and byte.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from nodes.scenes.scans.recording import Shot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

VERSION = 4
FPS = 30.0  # of the scanner; times are read off the frame numbers where a file has none
NAME_MAX = 4096
EDGE_MAX_PX = 16384
RAW, PNG, JPEG = 0, 1, 2
DEPTH_RAW, DEPTH_ZLIB = 0, 1
QUALITY = 95
_MATRICES, _SHAPE, _FRAME = struct.Struct("<64f"), struct.Struct("<iiIIIIfQ"), struct.Struct("<16fQQQQ")


@dataclass(frozen=True)
class Header:
    """What a file says of all its frames; sizes (height, width) in px; K (3, 3) in our convention."""

    sensor: str
    K: Floats
    K_depth: Floats
    colour_code: int
    depth_code: int
    colour_size: tuple[int, int]
    depth_size: tuple[int, int]
    depth_unit: float
    n_frames: int
    end: int


class SensFilm:
    """The frames of a `.sens`, poses turned by an alignment (4, 4) of the room."""

    def __init__(self, path: Path, alignment: Floats) -> None:
        """Read the header and where each frame lies. Raises ValueError: broken or cut short."""
        import numpy as np

        self._path, self._alignment = path, alignment
        try:
            with path.open("rb") as file:
                self.header = read_header(path, file)
                frames = list(_index(path, file, self.header))
        except OSError as e:
            raise ValueError(f"{path}: {e.strerror or e}, expected a .sens file") from None
        self._offsets = [offset for offset, _ in frames]
        self._poses = np.array([values[:16] for _, values in frames], np.float64).reshape(-1, 4, 4)
        self._stamps = [values[16] for _, values in frames]
        self._sizes = [values[18:20] for _, values in frames]

    @cached_property
    def has_pose(self) -> NDArray[np.bool_]:
        """(n,): the frames in which the camera was tracked."""
        import numpy as np

        return np.asarray(np.isfinite(self._poses).all((1, 2)))

    @cached_property
    def time_s(self) -> list[float]:
        """(n,): seconds from the first frame; by the frames' numbers where the file's own do not ascend."""
        stamps = self._stamps
        if all(a < b for a, b in pairwise(stamps)):
            return [(stamp - stamps[0]) / 1e6 for stamp in stamps]
        return [number / FPS for number in range(len(stamps))]

    def shots(self, places: Sequence[int]) -> Iterator[Shot]:
        """Yield the frames at these places. Raises ValueError: a frame's pictures are broken."""
        with self._path.open("rb") as file:
            for place in places:
                file.seek(self._offsets[place] + _FRAME.size)
                colour, depth = (_read(self._path, file, size, "pictures") for size in self._sizes[place])
                where = f"{self._path}: frame {place} at byte {self._offsets[place]}"
                pose = self._alignment @ self._poses[place] if self.has_pose[place] else None
                shot = Shot(
                    number=place,
                    time_s=self.time_s[place],
                    jpeg=_as_jpeg(where, self.header, colour),
                    K=self.header.K,
                    T_wc=pose,
                    depth=_depth_m(where, self.header, depth),
                )
                _check_size(where, self.header, shot)
                yield shot


def read_header(path: Path, file: BinaryIO) -> Header:
    """Return the header of an open file at its start. Raises ValueError: not one of version 4."""
    version, length = struct.unpack("<IQ", _read(path, file, 12, "header"))
    if version != VERSION or length > NAME_MAX:
        raise ValueError(f"{path}: byte 0: version {version}, name of {length} bytes; expected a .sens of version 4")
    sensor = _read(path, file, length, "header").decode(errors="replace")
    matrices = _MATRICES.unpack(_read(path, file, _MATRICES.size, "header"))
    start = file.tell()
    colour, depth, *edges, unit, n_frames = _SHAPE.unpack(_read(path, file, _SHAPE.size, "header"))
    where = f"{path}: byte {start}"
    if colour not in (RAW, PNG, JPEG) or depth not in (DEPTH_RAW, DEPTH_ZLIB):
        raise ValueError(f"{where}: colours of code {colour}, depth of {depth}; expected 0, 1 or 2, and 0 or 1")
    if not all(0 < edge <= EDGE_MAX_PX for edge in edges) or not 0 < unit < 1e6:
        raise ValueError(f"{where}: pictures of {edges} px, {unit} depth units a metre; expected numbers above 0")
    return Header(
        sensor=sensor,
        K=_camera_matrix(path, "colours", matrices[0:16]),
        K_depth=_camera_matrix(path, "depth", matrices[32:48]),
        colour_code=colour,
        depth_code=depth,
        colour_size=(edges[1], edges[0]),
        depth_size=(edges[3], edges[2]),
        depth_unit=unit,
        n_frames=n_frames,
        end=file.tell(),
    )


def _camera_matrix(path: Path, of: str, values: Sequence[float]) -> Floats:
    import numpy as np

    K = np.array(values, np.float64).reshape(4, 4)[:3, :3]
    if not (np.isfinite(K).all() and K[0, 0] > 0 and K[1, 1] > 0):
        raise ValueError(f"{path}: focal lengths of {of} {K[0, 0]}, {K[1, 1]}: expected numbers above 0")
    K[:2, 2] += 0.5
    return K


def _index(path: Path, file: BinaryIO, header: Header) -> Iterator[tuple[int, tuple]]:
    """Yield where each frame starts, and the numbers before its pictures."""
    end = path.stat().st_size
    offset = header.end
    for number in range(header.n_frames):
        file.seek(offset)
        values = _FRAME.unpack(_read(path, file, _FRAME.size, f"frame {number} of {header.n_frames}"))
        yield offset, values
        offset += _FRAME.size + values[18] + values[19]
        if offset > end:
            raise ValueError(
                f"{path}: byte {end}: ends within frame {number} of {header.n_frames}, expected {offset} bytes or more"
            )


def _read(path: Path, file: BinaryIO, size: int, of: str) -> bytes:
    start = file.tell()
    data = file.read(size)
    if len(data) < size:
        raise ValueError(f"{path}: byte {start + len(data)}: ends within {of}, expected {size} bytes from {start}")
    return data


def _as_jpeg(where: str, header: Header, colour: bytes) -> bytes:
    """Return the colours as a JPEG: the file's own bytes, or encoded at QUALITY if it holds another kind."""
    if header.colour_code == JPEG:
        return colour
    from PIL import Image

    height, width = header.colour_size
    try:
        if header.colour_code == PNG:
            picture = Image.open(io.BytesIO(colour), formats=("PNG",)).convert("RGB")
        else:
            picture = Image.frombytes("RGB", (width, height), colour)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as e:
        raise ValueError(f"{where}: colours: {e}") from None
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _check_size(where: str, header: Header, shot: Shot) -> None:
    """Raise ValueError unless the colours are as large as the header says: its K is of that size."""
    try:
        size = shot.size
    except ValueError as e:
        raise ValueError(f"{where}: {e}") from None
    if size != header.colour_size:
        raise ValueError(f"{where}: colours of {size[1]} x {size[0]} px, the header has {header.colour_size[::-1]}")


def _depth_m(where: str, header: Header, data: bytes) -> NDArray[np.float32] | None:
    """Return depth (h, w) in metres, seen through the colours' K; None of a frame that has none."""
    import numpy as np

    if not data:
        return None
    expected = 2 * header.depth_size[0] * header.depth_size[1]
    if header.depth_code == DEPTH_ZLIB:
        try:
            data = zlib.decompressobj().decompress(data, expected + 1)
        except zlib.error as e:
            raise ValueError(f"{where}: depth: {e}") from None
    if len(data) != expected:
        raise ValueError(f"{where}: depth of {len(data)} bytes or more, expected {expected}")
    depth = np.frombuffer(data, "<u2").reshape(header.depth_size).astype(np.float32) / np.float32(header.depth_unit)
    return _through_colours(header, depth)


def _through_colours(header: Header, depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return depth (h, w) as the colour camera's field of view has it: the nearest pixel of the depth camera's.

    Both cameras are taken to stand in one place, as the scanner's own fusion takes them.
    """
    import numpy as np

    height, width = depth.shape
    K, own = header.K, header.K_depth
    columns = (np.arange(width) + 0.5) * header.colour_size[1] / width
    rows = (np.arange(height) + 0.5) * header.colour_size[0] / height
    u = np.floor((columns - K[0, 2]) / K[0, 0] * own[0, 0] + own[0, 2]).astype(np.int64)
    v = np.floor((rows - K[1, 2]) / K[1, 1] * own[1, 1] + own[1, 2]).astype(np.int64)
    there = ((v >= 0) & (v < height))[:, None] & ((u >= 0) & (u < width))[None]
    return np.where(there, depth[np.clip(v, 0, height - 1)][:, np.clip(u, 0, width - 1)], np.float32(0))
