"""A numpy z-buffer for triangle meshes: depth, owner ids and colours of a scanned surface from any camera.

Every pixel's ray is cast at the triangles whose outline may hold its centre, in three dimensions: exact depth along the
camera's z, exact weights of the corners, and no clipping, since what is nearer than NEAR_M is left out pixel by pixel.
A shared edge is seen by both its triangles with exactly opposite signs, so closed surfaces have no cracks. Faces are
seen from both sides. Two things make a scan fast: groups of faces outside the view are dropped as one, and so are faces
between pixel centres, by single precision and a margin. No BLAS, as in render.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nodes.scenes.camera import NEAR_M

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]
    Ints = NDArray[np.int64]
    Cast = Callable[["MeshIndex", Floats, Floats, tuple[int, int]], tuple[Floats, Ints, Floats]]
    Window = tuple[Ints, Ints, Ints, Ints]  # top, left, rows, columns of each face's pixels

FRAGMENTS = 1 << 14  # (face, pixel) pairs tried at once: what fits a core's cache
GROUP = 64  # faces
MARGIN_PX = 0.05  # single precision projects within .01 px from NEAR_M on


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh in the world.

    vertices (P, 3) m; faces (T, 3) indices of vertices; owner (T,) an object's index or -1; colour (P, 3) 0..1, if any.
    One-sided faces are seen only from where their corners run counter-clockwise.
    """

    vertices: Floats
    faces: NDArray[np.int32]
    owner: NDArray[np.int32]
    colour: Floats | None = None
    one_sided: bool = False


@dataclass(frozen=True)
class MeshIndex:
    """A mesh made ready to be drawn many times: its S sound faces along a curve through space, in groups of GROUP.

    row (S,) each one's number in the mesh; corner (3, 3, S) m: corner, coordinate, face, double precision; middle (3,)
    m; near (3, 3, G, GROUP) coordinate, corner, group, face, from the middle, single precision; centre (3, G), radius
    (G,) of the groups.
    """

    mesh: Mesh
    row: Ints
    corner: Floats
    middle: Floats
    near: NDArray[np.float32]
    centre: Floats
    radius: Floats


def face_owners(owner: NDArray[np.int32], faces: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return each face's owner (T,) from its corners' (P,): what two of them or more share, else -1."""
    import numpy as np

    a, b, c = (owner[faces[:, k]] for k in range(3))
    return np.where((a == b) | (a == c), a, np.where(b == c, b, -1)).astype(np.int32)


def index_mesh(mesh: Mesh) -> MeshIndex:
    """Return the mesh ready to be drawn. Faces with a corner that is not finite or that no vertex stands for are left
    out; those without area never cover a pixel."""
    import numpy as np

    vertices, faces = np.asarray(mesh.vertices, float).reshape(-1, 3), np.asarray(mesh.faces, np.int64).reshape(-1, 3)
    sound = np.asarray(((faces >= 0) & (faces < len(vertices))).all(1))
    sound[sound] = np.isfinite(vertices).all(1)[faces[sound]].all(1)
    row = np.flatnonzero(sound)
    if not len(row):
        none = np.zeros((3, 0))
        return MeshIndex(
            mesh, row, np.zeros((3, 3, 0)), np.zeros(3), np.zeros((3, 3, 0, GROUP), np.float32), none, none[0]
        )
    row = row[np.argsort(_along_curve(vertices[faces[row]].mean(1)), kind="stable")]
    corner = np.ascontiguousarray(np.moveaxis(vertices[faces[row]], 0, 2).swapaxes(0, 1))
    middle = (corner.min((1, 2)) + corner.max((1, 2))) / 2
    padded = np.concatenate([corner, np.repeat(corner[:, :, -1:], -len(row) % GROUP, axis=2)], axis=2)
    grouped = (padded - middle[:, None, None]).reshape(3, 3, -1, GROUP)
    centre = (grouped.min((1, 3)) + grouped.max((1, 3))) / 2  # (3, G)
    radius = np.sqrt(((grouped - centre[:, None, :, None]) ** 2).sum(0).max((0, 2)))
    return MeshIndex(
        mesh, row, corner.swapaxes(0, 1).copy(), middle, np.ascontiguousarray(grouped, np.float32), centre, radius
    )


def cast_mesh(index: MeshIndex, T_wc: Floats, K: Floats, shape: tuple[int, int]) -> tuple[Floats, Ints, Floats]:
    """Return what each pixel's ray hits first: depth (H, W) m or 0; face (H, W), the mesh's own number, or -1; weights
    (H, W, 3) of its corners. Of faces equally far the lower number is hit."""
    import numpy as np

    n = shape[0] * shape[1]
    depth, face, weights = np.full(n, np.inf), np.full(n, -1, np.int64), np.zeros((n, 3))
    none = np.iinfo(np.int64).max
    if len(index.row) and np.isfinite(T_wc).all() and np.isfinite(K).all():
        rows, window = _candidates(index, T_wc, K, shape)
        for some in _batches(window[2] * window[3]):
            part = (window[0][some], window[1][some], window[2][some], window[3][some])
            pixel, z, hit, sides = _hits(index, rows[some], part, T_wc, K, shape[1])
            before = np.take(depth, pixel)
            np.minimum.at(depth, pixel, z)
            wins = np.flatnonzero(z == np.take(depth, pixel))
            wins = wins[(z[wins] < before[wins]) | (hit[wins] < face[pixel[wins]])]
            pixel, hit = pixel[wins], hit[wins]
            face[pixel] = none
            np.minimum.at(face, pixel, hit)
            last = hit == face[pixel]
            share = sides[:, wins[last]]
            weights[pixel[last]] = (share / (share[0] + share[1] + share[2])).T
    depth = np.where(face >= 0, depth, 0.0)
    return depth.reshape(shape), face.reshape(shape), weights.reshape(*shape, 3)


def draw_mesh(
    index: MeshIndex, T_wc: Floats, K: Floats, shape: tuple[int, int], cast: Cast = cast_mesh
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32] | None]:
    """Return depth (H, W) in metres along z, 0 where nothing is hit; owner (H, W), -1 there; colour (H, W, 3) 0..1.

    Args:
        T_wc, K: (4, 4), (3, 3); a pose that is not finite shows nothing.
        shape: rows and columns of the picture that K belongs to.
        cast: what casts the rays; embree.py has a faster one.
    """
    import numpy as np

    mesh = index.mesh
    depth, face, weights = cast(index, T_wc, K, shape)
    hit = face >= 0
    owner = np.full(shape, -1, np.int32)
    seen = face[hit]
    owner[hit] = np.take(mesh.owner, seen)
    if mesh.colour is None:
        return depth.astype(np.float32), owner, None
    colour = np.zeros((*shape, 3), np.float32)
    for k in range(3):
        corner = np.take(mesh.colour, np.take(mesh.faces[:, k], seen), axis=0)
        colour[hit] += corner * weights[hit][:, k, None]
    return depth.astype(np.float32), owner, colour


def _candidates(index: MeshIndex, T_wc: Floats, K: Floats, shape: tuple[int, int]) -> tuple[Ints, Window]:
    """Return the index's faces (C,) whose outline may hold a pixel centre, and each one's pixels."""
    import numpy as np

    at = T_wc[:3, 3] - index.middle
    groups = np.flatnonzero(_in_view(_turned(index.centre, at, T_wc), index.radius, K, shape))
    chosen = index.near[:, :, groups].reshape(3, 3, -1)
    pose = T_wc.astype(np.float32)
    corners = [_turned(chosen[:, k], at.astype(np.float32), pose) for k in range(3)]
    rows = np.minimum((groups[:, None] * GROUP + np.arange(GROUP)).ravel(), len(index.row) - 1)
    low = np.minimum(np.minimum(corners[0][2], corners[1][2]), corners[2][2])
    high = np.maximum(np.maximum(corners[0][2], corners[1][2]), corners[2][2])
    # corners ahead of the near plane bound what is seen of a face; where it is cut, what the plane leaves does
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        window = _window(corners, K, shape)
    whole = np.flatnonzero((low >= NEAR_M) & (window[2] > 0) & (window[3] > 0))
    cut = np.flatnonzero((low < NEAR_M) & (high >= NEAR_M))
    rest = _window(_cut_off([corner[:, cut] for corner in corners]), K, shape)
    kept = np.flatnonzero((rest[2] > 0) & (rest[3] > 0))
    top, left, tall, wide = (
        np.concatenate([one[whole], two[kept]]).astype(np.int64) for one, two in zip(window, rest, strict=True)
    )
    return rows[np.concatenate([whole, cut[kept]])], (top, left, tall, wide)


def _in_view(centre: Floats, radius: Floats, K: Floats, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Tell which spheres (3, G), camera coordinates, may reach into the picture, by its sides and the near plane."""
    import numpy as np

    x, y, z = centre
    seen = z + radius >= NEAR_M
    for across, focal, before, size in ((x, K[0, 0], K[0, 2], shape[1]), (y, K[1, 1], K[1, 2], shape[0])):
        after = size - before
        seen &= focal * across + before * z >= -radius * np.sqrt(focal * focal + before * before)
        seen &= after * z - focal * across >= -radius * np.sqrt(focal * focal + after * after)
    return seen


def _window(points: list[Singles], K: Floats, shape: tuple[int, int]) -> list[Singles]:
    """Return top, left, rows, columns of the pixel centres between points (3, C) each, all ahead of the camera."""
    import numpy as np

    ends = []
    for axis, size in ((1, shape[0]), (0, shape[1])):
        low = high = points[0][axis] / points[0][2]
        for point in points[1:]:
            slope = point[axis] / point[2]
            low, high = np.minimum(low, slope), np.maximum(high, slope)
        focal, middle = np.float32(K[axis, axis]), np.float32(K[axis, 2] - 0.5)
        first = np.ceil(np.maximum(low * focal + (middle - np.float32(MARGIN_PX)), 0))
        last = np.floor(np.minimum(high * focal + (middle + np.float32(MARGIN_PX)), size - 1))
        ends.append((first, last - first + 1))
    return [ends[0][0], ends[1][0], ends[0][1], ends[1][1]]


def _cut_off(corners: list[Singles]) -> list[Singles]:
    """Return 6 points (3, C) that bound what the near plane leaves of triangles it cuts: corners ahead of it, and where
    edges cross it; what does not exist stands in for by one that does."""
    import numpy as np

    near = np.float32(NEAR_M)
    points, real = [*corners], [corner[2] >= near for corner in corners]
    for k in range(3):
        a, b = corners[k], corners[(k + 1) % 3]
        crosses = (a[2] >= near) != (b[2] >= near)
        point = a + (near - a[2]) / np.where(crosses, b[2] - a[2], 1) * (b - a)
        point[2] = near
        points.append(point)
        real.append(crosses)
    some = np.where(real[0], points[0], np.where(real[1], points[1], points[2]))
    return [np.where(is_real, point, some) for point, is_real in zip(points, real)]


def _batches(area: Ints) -> Iterator[slice]:
    """Yield runs of faces with about FRAGMENTS pixels together, one face at the least."""
    import numpy as np

    ends = np.cumsum(area)
    start = 0
    while start < len(area):
        before = int(ends[start]) - int(area[start])
        stop = max(start + 1, int(np.searchsorted(ends, before + FRAGMENTS, "right")))
        yield slice(start, stop)
        start = stop


def _hits(
    index: MeshIndex, rows: Ints, window: Window, T_wc: Floats, K: Floats, width: int
) -> tuple[Ints, Floats, Ints, Floats]:
    """Return pixel, depth, face and weights of its corners (3, M), in proportion, of every hit of some faces."""
    import numpy as np

    a, b, c = (_turned(np.take(index.corner[k], rows, axis=1), T_wc[:3, 3], T_wc) for k in range(3))  # (3, C)
    sides = np.concatenate([cross(b, c), cross(c, a), cross(a, b)])  # (9, C): a ray r is inside where r . side >= 0
    volume = a[0] * sides[0] + a[1] * sides[1] + a[2] * sides[2]
    away = volume > 0
    sides *= np.where(volume < 0, -1.0, 1.0)
    top, left, tall, wide = window
    area = np.where(away, 0, tall * wide) if index.mesh.one_sided else tall * wide
    k = np.repeat(np.arange(len(rows)), area)
    within, across = np.arange(len(k)) - np.take(np.cumsum(area) - area, k), np.take(wide, k)
    row = within // across
    column = within - row * across + np.take(left, k)
    row += np.take(top, k)
    x, y = (column + 0.5 - K[0, 2]) / K[0, 0], (row + 0.5 - K[1, 2]) / K[1, 1]
    e = np.empty((3, len(k)))
    for n in range(3):
        right_n, down_n, ahead_n = (np.take(side, k) for side in sides[3 * n : 3 * n + 3])
        e[n] = right_n * x + down_n * y + ahead_n
    inside = np.flatnonzero((e[0] >= 0) & (e[1] >= 0) & (e[2] >= 0))
    e, k = np.take(e, inside, axis=1), np.take(k, inside)
    total = e[0] + e[1] + e[2]
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.abs(np.take(volume, k)) / total
    seen = np.flatnonzero((total > 0) & (z >= NEAR_M))
    pixel = np.take(row * width + column, np.take(inside, seen))
    return pixel, z[seen], index.row[rows[k[seen]]], e[:, seen]


def _turned(points: Any, at: Any, T_wc: Any) -> Any:
    """Return points (3, P) as seen by a camera that stands at `at` (3,), turned as T_wc; all of one precision."""
    import numpy as np

    x, y, z = (points[k] - at[k] for k in range(3))
    return np.stack([x * T_wc[0, k] + y * T_wc[1, k] + z * T_wc[2, k] for k in range(3)])


def cross(a: Floats, b: Floats) -> Floats:
    """Return cross products of columns (3, C); of swapped ones they are exactly opposite."""
    import numpy as np

    return np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def _along_curve(points: Floats) -> Ints:
    """Return points' (N, 3) places on a Z-order curve: near on it is near in space."""
    import numpy as np

    low = points.min(0)
    cells = ((points - low) / max(float((points - low).max()), 1e-9) * 1023).astype(np.int64)
    code = np.zeros(len(points), np.int64)
    for bit in range(10):
        for k in range(3):
            code |= (cells[:, k] >> bit & 1) << (3 * bit + k)
    return code
