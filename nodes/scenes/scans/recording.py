"""Recordings: what a source of scanned rooms knows of one room, before recorded.py makes a Scene of it.

What a source does not have is absent, never invented. Metres, world z up; boxes as in geometry.py, cameras as in
camera.py. A recording is read lazily: a long one costs no more memory than a short one.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shot:
    """One recorded frame.

    number: its own in the recording. time_s: from the recording's first. jpeg: the file as it was recorded (encoded
    once, at quality 95, where the source is a video). K (3, 3) px of the colours; None if the source does not know it.
    T_wc (4, 4), None where tracking was lost. depth (h, w) float32 metres along z, 0 where unknown, None where there is
    none; it may be smaller than the colours and covers the same field of view, so its camera matrix is K scaled.
    """

    number: int
    time_s: float
    jpeg: bytes
    K: Floats | None
    T_wc: Floats | None = None
    depth: NDArray[np.float32] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the colours in pixels. Raises ValueError: no JPEG."""
        from PIL import Image

        try:
            width, height = Image.open(io.BytesIO(self.jpeg), formats=("JPEG",)).size
        except (OSError, SyntaxError, Image.DecompressionBombError) as e:
            raise ValueError(f"frame {self.number}: colours of {len(self.jpeg)} bytes: {e}; expected a JPEG") from None
        return height, width


class Film(Protocol):
    """The frames of a recording in the order of time. `has_pose` (n,) bool says which have one, before any is read."""

    @property
    def has_pose(self) -> NDArray[np.bool_]: ...

    def shots(self, places: Sequence[int]) -> Iterator[Shot]:
        """Yield the frames at these places (ascending, 0..n-1), no more than one in memory.

        Raises ValueError: a frame is broken, with path and byte or line.
        """


@dataclass(frozen=True)
class Surface:
    """The scanned surface: vertices (P, 3) m; owner (P,) int32, an object index or -1."""

    vertices: Floats
    owner: NDArray[np.int32]


@dataclass(frozen=True)
class Recording:
    """One scanned room: N named boxes, its outline (V, 2) where known, surface and frames.

    labels N; centre, size (N, 3); rotation (N, 3, 3) rows = axes. A box whose row is NaN throughout could not be
    fitted: its object is left out, with the reason. area_m2: the source's own, else the outline's. counts: the source's
    own number of instances by label, else that of the labels. `lost` says, by what is missing ("poses", "depth",
    "labels", ...), why.
    """

    labels: Sequence[str]
    centre: Floats
    size: Floats
    rotation: Floats
    film: Film | None = None
    surface: Surface | None = None
    polygon: Floats | None = None
    area_m2: float | None = None
    counts: Mapping[str, int] | None = None
    lost: Mapping[str, str] = field(default_factory=dict)
