"""Oriented boxes as annotators' tools write them: centroid, axesLengths, normalizedAxes.

Lengths are full; the *rows* of normalizedAxes are the box's unit axes, as in geometry.py: `dominantNormal` is its last
three numbers, and `min` and `max` of a box with permuted axes fit no other reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

OUTSIDE_M = 3.0  # so far may a box reach out of what was scanned: half of a sofa, a window's depth

Triple = Annotated[list[float], Meta(min_length=3, max_length=3)]


class Obb(Struct, frozen=True):
    """A box of an annotation."""

    centroid: Triple
    axesLengths: Triple
    normalizedAxes: Annotated[list[float], Meta(min_length=9, max_length=9)]


def boxes_of(obbs: Sequence[Obb | None]) -> tuple[Floats, Floats, Floats]:
    """Return centre (n, 3), size (n, 3) and rotation (n, 3, 3), rows = axes; NaN for an object without a box."""
    import numpy as np

    n = len(obbs)
    centre, size, rotation = np.full((n, 3), np.nan), np.full((n, 3), np.nan), np.full((n, 3, 3), np.nan)
    for i, obb in enumerate(obbs):
        if obb is not None:
            centre[i], size[i] = obb.centroid, obb.axesLengths
            rotation[i] = np.array(obb.normalizedAxes).reshape(3, 3)
    return centre, size, rotation


def check_within(path: Path, labels: Sequence[str], boxes: tuple[Floats, Floats, Floats], vertices: Floats) -> None:
    """Raise ValueError if a box reaches far out of what was scanned: another unit, or other axes, than the mesh's."""
    import numpy as np

    low, high = vertices.min(0) - OUTSIDE_M, vertices.max(0) + OUTSIDE_M
    for i, label in enumerate(labels):
        centre, size, rotation = (part[i] for part in boxes)
        half = np.abs(rotation.T) @ (size / 2)
        if ((centre - half < low) | (centre + half > high)).any():
            raise ValueError(
                f"{path}: box of {label!r} ({i}) at {centre.tolist()}, {size.tolist()} long, reaches more than "
                f"{OUTSIDE_M:g} m out of the mesh: another unit or other axes?"
            )
