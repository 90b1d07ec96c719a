"""Walls, floor and ceiling over a floor's outline, as what lies behind a picture's objects.

The outline is any simple polygon; walls stand upright on it. All are seen from inside alone. An outline that encloses
nothing (fewer than three corners, a corner that is not finite, no area) has no walls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodes.scenes.mesh import Mesh, cast_mesh, index_mesh
from nodes.scenes.styles import VOID_COLOUR, Style, shade

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Draw = Callable[[int], tuple[NDArray[np.int32], Floats]]

VOID = 0  # the palette's row of what shows nothing
MIN_AREA_M2 = 1e-6


@dataclass(frozen=True)
class Background:
    """palette (B, 3) lit colours 0..1, row VOID first; draw(frame) gives a row of it and the depth for every pixel,
    infinite where nothing is."""

    palette: Floats
    draw: Draw


def tidy_outline(outline: Floats) -> Floats | None:
    """Return an outline (V, 2) counter-clockwise, None if it encloses nothing; of one that crosses itself the hull."""
    import numpy as np
    import shapely

    outline = np.asarray(outline, float).reshape(-1, 2)
    if len(outline) < 3 or not np.isfinite(outline).all():
        return None
    polygon = shapely.Polygon(outline)
    if not polygon.is_valid:
        polygon = polygon.convex_hull
    if polygon.geom_type != "Polygon" or polygon.area < MIN_AREA_M2:
        return None
    return np.asarray(shapely.orient_polygons(polygon).exterior.coords)[:-1]


def outline_mesh(outline: Floats, low: float, high: float) -> Mesh:
    """Return the walls on a counter-clockwise outline (V, 2), metres, from z = low to high, seen from inside.

    Owners: 0..V-1 the wall from corner k to the next, V the floor, V + 1 the ceiling.
    """
    import numpy as np
    import shapely

    n = len(outline)
    k, after = np.arange(n), (np.arange(n) + 1) % n
    bottom, top = (np.column_stack([outline, np.full(n, z)]) for z in (low, high))
    walls = np.concatenate([np.stack([after, k, k + n], 1), np.stack([after, k + n, after + n], 1)])
    pieces = shapely.orient_polygons(shapely.constrained_delaunay_triangles(shapely.Polygon(outline)))
    flat = np.concatenate([np.asarray(piece.exterior.coords)[:3] for piece in pieces.geoms])
    floor = np.arange(len(flat)).reshape(-1, 3)
    levels = [np.column_stack([flat, np.full(len(flat), z)]) for z in (low, high)]
    faces = np.concatenate([walls, 2 * n + floor, 2 * n + len(flat) + floor[:, ::-1]])
    owner = np.concatenate([k, k, np.full(len(floor), n), np.full(len(floor), n + 1)])
    return Mesh(np.concatenate([bottom, top, *levels]), faces.astype(np.int32), owner.astype(np.int32), one_sided=True)


def outline_background(
    outline: Floats, low: float, high: float, style: Style, cameras: tuple[Floats, Floats, tuple[int, int]]
) -> Background:
    """Return the background of a room with these walls for cameras T_wc (F, 4, 4), K (F, 3, 3) of one picture shape."""
    import numpy as np

    T_wc, K, shape = cameras
    n = len(outline)
    index = index_mesh(outline_mesh(outline, low, high))
    along = np.roll(outline, -1, axis=0) - outline
    length = np.maximum(np.sqrt((along**2).sum(1)), 1e-12)
    inner = np.column_stack([-along[:, 1] / length, along[:, 0] / length, np.zeros(n)])
    up = np.array([0.0, 0.0, 1.0])
    lit = [np.array(style.wall) * shade(style, normal) for normal in inner]
    lit += [np.array(style.floor[0]) * shade(style, up), np.array(style.ceiling) * shade(style, -up)]
    lit.append(np.array(style.floor[1]) * shade(style, up))
    palette = np.stack([np.array(VOID_COLOUR), *lit])

    def draw(f: int) -> tuple[NDArray[np.int32], Floats]:
        depth, face, _ = cast_mesh(index, T_wc[f], K[f], shape)
        hit = face >= 0
        paint = np.where(hit, index.mesh.owner[face] + 1, VOID).astype(np.int32)
        row, column = np.nonzero(paint == n + 1)
        z = depth[row, column]
        x, y = ((column + 0.5 - K[f, 0, 2]) / K[f, 0, 0] * z, (row + 0.5 - K[f, 1, 2]) / K[f, 1, 1] * z)
        floor = [T_wc[f, m, 0] * x + T_wc[f, m, 1] * y + T_wc[f, m, 2] * z + T_wc[f, m, 3] for m in (0, 1)]
        odd = (np.floor(floor[0] / style.checker_m) + np.floor(floor[1] / style.checker_m)) % 2 == 1
        paint[row[odd], column[odd]] = n + 3
        return paint, np.where(hit, depth, np.inf)

    return Background(palette, draw)
