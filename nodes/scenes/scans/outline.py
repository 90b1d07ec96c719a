"""The outline of a scanned room: the polygon that its floor and walls cover from above, and so its area.

A concave hull that bridges gaps up to GAP_M: floor hidden by furniture along a wall is part of the room, an alcove
wider than that is followed. Holes are off: what stands in the middle of a room belongs to it. The outline runs through
scanned points, so it is the scan's: what was not scanned is not made up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

GAP_M = 0.9  # a sofa or a bookcase along a wall is less deep, a corridor's mouth as wide or wider
CELL_M = 0.02  # one point of each cell is enough: a scan's are 2 to 5 cm apart
JITTER_M = 1e-4
TRIES = 8
SMOOTH_M = 0.03  # below a scan's own noise


def room_outline(points: Floats) -> Floats:
    """Return the outline (V, 2) in metres, counter-clockwise, of floor and wall points (P, 2) or (P, 3), z up.

    Raises:
        ValueError: the points span no area.
    """
    import numpy as np
    import shapely

    flat = _thinned(points[:, :2])
    rings = (_ring(flat, seed) for seed in range(TRIES))
    ring = next((ring for ring in rings if ring is not None), None)
    if ring is None or (hull := shapely.Polygon(ring)).area < CELL_M**2:
        raise ValueError(f"{len(points)} points of floor and walls span no area")
    smooth = hull.simplify(SMOOTH_M)
    corners = shapely.get_coordinates(smooth.exterior)[:-1]
    return np.asarray(corners if smooth.exterior.is_ccw else corners[::-1], np.float64)


def _ring(points: Floats, seed: int) -> Floats | None:
    """Return those of points (P, 2) that lie on their concave hull, in its order; None where GEOS finds none.

    Points of a grid lie on common circles by the thousand, and the triangulation then fails now and again, by how the
    room is turned. Moved by a tenth of a millimetre they don't.
    """
    import numpy as np
    import shapely
    from scipy.spatial import cKDTree

    rng = np.random.Generator(np.random.PCG64(seed))
    moved = points + rng.uniform(-JITTER_M, JITTER_M, points.shape)
    try:
        longest, shortest = _spread(moved)
        # shapely's ratio runs from the shortest to the longest edge of the triangulation; we mean a length
        ratio = min(1.0, max(0.0, (GAP_M - shortest) / (longest - shortest))) if longest > shortest else 1.0
        hull = shapely.concave_hull(shapely.MultiPoint(moved), ratio=ratio, allow_holes=False)
    except shapely.errors.GEOSException:
        return None
    if hull.geom_type != "Polygon":
        return None
    return points[cKDTree(moved).query(shapely.get_coordinates(hull.exterior))[1]]


def _thinned(points: Floats) -> Floats:
    """Return one point (P, 2) of each cell of CELL_M, and the corners of the convex hull, so that no extent is lost."""
    import numpy as np
    import shapely

    _, first = np.unique(np.floor(points / CELL_M).astype(np.int64), axis=0, return_index=True)
    corners = shapely.get_coordinates(shapely.MultiPoint(points).convex_hull)
    return np.unique(np.concatenate([points[first], corners]), axis=0)


def _spread(points: Floats) -> tuple[float, float]:
    """Return the longest and the shortest edge of the Delaunay triangulation of points (P, 2); 0, 0 of none."""
    import shapely

    edges = shapely.get_parts(shapely.delaunay_triangles(shapely.MultiPoint(points), only_edges=True))
    lengths = shapely.length(edges)
    return (float(lengths.max()), float(lengths.min())) if len(lengths) else (0.0, 0.0)
