"""Boxes from labelled points, by one of two rules; conventions of boxes in geometry.py.

`gravity`: the smallest upright box: the footprint's rectangle of least area (it has a side along one of the hull's),
times the vertical extent. Rows: the footprint's longer side, its other side, up.

`vsi`: the box of least volume that lies flat on a face of the points' hull, with a side along an edge of that face.
Rows: the edge, the third axis, the face's normal. Chosen by what VSI-Bench's 1,224 ScanNet boxes say of themselves, as
their points are not published: none is upright (18 % are within 2.5 degrees, half within 6.6), all are right-handed,
the vertical axis is each of the three rows equally often, and lengths come in every order: those that differ by a fifth
descend in 49 %, the shortest is last in 77 %, the longest first in 60 %. On made-up scans this rule gives 42, 70 and
57 %, principal axes 97 % and more of each. Untested: whether all three edges of a triangle were tried, and which points
were left out; on made-up scans the rule's tilts are smaller than the data's (median 1.5 degrees).

No rule leaves out outliers: a stray point widens its box. Of a hull with more than DIRECTIONS sides or faces every k-th
is tried, in the hull's own order: what is as round as that has no box that is much better than the next.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nodes.scenes.geometry import into_box, out_of_box, yaw_rotation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BoxRule: TypeAlias = Literal["gravity", "vsi"]
POINTS_MIN = 4  # fewer span no volume
THIN_M = 0.01  # a picture or a rug scanned from one side has no thickness of its own
DIRECTIONS = 2000  # sides or faces of a hull that are tried at most: all would cost their number squared
NUMBERS = 1 << 21  # coordinates held at a time: memory stays small for hulls of any size


def fit_boxes(
    points: Floats, owner: NDArray[np.int32], n: int, rule: BoxRule = "gravity"
) -> tuple[Floats, Floats, Floats]:
    """Return centre (n, 3), size (n, 3) in metres and rotation (n, 3, 3), rows = axes, of objects 0..n-1.

    An object of fewer than POINTS_MIN points has NaN throughout. No edge is shorter than THIN_M; points that span no
    volume get an upright box under either rule.

    Args:
        points: (P, 3) metres, z up.
        owner: (P,) the object each point belongs to; -1: none.
    """
    import numpy as np

    centre, size, rotation = np.full((n, 3), np.nan), np.full((n, 3), np.nan), np.full((n, 3, 3), np.nan)
    order = np.argsort(owner, kind="stable")
    bounds = np.searchsorted(owner[order], np.arange(n + 1))
    for i in range(n):
        own = points[order[bounds[i] : bounds[i + 1]]]
        if len(own) >= POINTS_MIN:
            turned = upright_axes(own) if rule == "gravity" else flush_axes(own)
            centre[i], size[i], rotation[i] = box_along(own, turned)
    return centre, size, rotation


def box_along(points: Floats, rotation: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the smallest box around points (P, 3) whose axes are the rows of a rotation, no edge below THIN_M."""
    import numpy as np

    local = into_box(points, np.zeros(3), rotation)
    low, high = local.min(0), local.max(0)
    centre = out_of_box(((low + high) / 2)[None], np.zeros(3), rotation)[0]
    return centre, np.maximum(high - low, THIN_M), rotation


def upright_axes(points: Floats) -> Floats:
    """Return the axes (3, 3) of the smallest upright box around points (P, 3); the longer side's yaw is in [0, 180)."""
    import numpy as np

    corners, edges = _footprint(points[:, :2])
    best = (math.inf, 0.0)
    for yaw in np.arctan2(edges[:, 1], edges[:, 0]):
        local = corners @ yaw_rotation(float(yaw))[:2, :2].T
        sides = local.max(0) - local.min(0)
        # a micrometre squared: sides of one rectangle must not take turns by their last bits
        if sides[0] * sides[1] < best[0] - 1e-12:
            best = (sides[0] * sides[1], float(yaw) + (math.pi / 2 if sides[1] > sides[0] else 0.0))
    return yaw_rotation(best[1] % math.pi)


def _footprint(points: Floats) -> tuple[Floats, Floats]:
    """Return the hull's corners (C, 2) of points (P, 2) and the directions (E, 2) to try, those of its sides.

    Of points on a line: the points, and the line's direction.
    """
    import numpy as np
    from scipy.spatial import ConvexHull, QhullError

    try:
        corners = points[ConvexHull(points).vertices]
    except QhullError:
        _, spread, axes = np.linalg.svd(points - points.mean(0), full_matrices=False)
        return points, axes[:1] if spread[0] > 0 else np.array([[1.0, 0.0]])
    return corners, _some(np.roll(corners, -1, axis=0) - corners)


def _some(directions: NDArray[Any]) -> NDArray[Any]:
    """Return every k-th of directions (N, ...), k so small that no more than DIRECTIONS are left."""
    return directions[:: -(-len(directions) // DIRECTIONS)]


def flush_axes(points: Floats) -> Floats:
    """Return the axes (3, 3) of the least box around points (P, 3) that lies on a face and an edge of their hull.

    Source: the common minimal oriented box (as in Open3D); departs: all three edges of a triangle are tried, so the box
    does not hang on the order of the points. Signs: the first and third axis point where their largest part is above 0.
    """
    import numpy as np
    from scipy.spatial import ConvexHull, QhullError

    try:
        hull = ConvexHull(points)
    except QhullError:
        return upright_axes(points)
    corners, faces = points[hull.vertices], points[_some(hull.simplices)]
    edges = np.concatenate([faces[:, (k + 1) % 3] - faces[:, k] for k in range(3)])
    normals = np.tile(np.cross(faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0]), (3, 1))
    good = np.linalg.norm(normals, axis=1) > 1e-12
    edges, normals = (v[good] / np.linalg.norm(v[good], axis=1)[:, None] for v in (edges, normals))
    axes = np.stack([edges, np.cross(normals, edges), normals], axis=1)  # (T, 3, 3)
    block = max(1, NUMBERS // (3 * len(corners)))
    volumes = np.concatenate([_extents(corners, axes[k : k + block]).prod(1) for k in range(0, len(axes), block)])
    return _signed(axes[int(volumes.argmin())])


def _extents(points: Floats, axes: Floats) -> Floats:
    """Return the lengths (T, 3) of the boxes around points (P, 3) along each of axes (T, 3, 3)."""
    along = points @ axes.reshape(-1, 3).T
    return (along.max(0) - along.min(0)).reshape(-1, 3)


def _signed(axes: Floats) -> Floats:
    import numpy as np

    first, third = (axis * (1.0 if axis[np.abs(axis).argmax()] > 0 else -1.0) for axis in (axes[0], axes[2]))
    return np.stack([first, np.cross(third, first), third])
