"""Free space: where a person, or a robot of the size of one, can walk in a room.

The floor is cut into square cells along the room's own axes, so that a rotated room has the same cells up to rounding.
A cell is free if a body centred on it touches neither a wall nor a box that stands in the way. Metres, world z up;
boxes as in geometry.py. Knows nothing of labels.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes.scenes.scene import Scene

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

CELL_M = 0.1  # half of the narrowest thing that matters, a table's leg aside
BODY_M = 0.25  # half the width of a person's shoulders, rounded up
PERSON_M = 1.8  # what hangs higher is walked under
TOUCH_M = 1e-6  # a body may touch: what lies on a line of cells lies on it in a turned room too
STEP_M = 0.1  # what lies lower is walked over: rugs, thresholds


class Floor:
    """The free cells of a room.

    free (R, C) bool: row r, column c is the cell centred on `origin + c * cell * axes[0] + r * cell * axes[1]`, world
    x and y; axes (2, 2), rows are unit vectors, the second a quarter turn left of the first.
    """

    def __init__(self, free: Bools, origin: Floats, axes: Floats, cell_m: float = CELL_M) -> None:
        self.free, self.origin, self.axes, self.cell_m = free, origin, axes, cell_m

    def cells(self, points: Floats) -> NDArray[np.int64]:
        """Return row and column (..., 2) of the cells that hold points (..., 2), outside the grid too."""
        import numpy as np

        steps = ((points - self.origin) @ self.axes.T) / self.cell_m
        return np.floor(steps + 0.5).astype(np.int64)[..., ::-1]

    def is_free(self, points: Floats) -> Bools:
        """Tell at which points (..., 2) a body can stand: (...) bool, False outside the grid."""
        import numpy as np

        cell = self.cells(points)
        inside = np.asarray(((cell >= 0) & (cell < self.free.shape)).all(-1))
        row, column = np.moveaxis(np.where(inside[..., None], cell, 0), -1, 0)
        return np.asarray(inside & self.free[row, column])

    def is_clear(self, a: Floats, b: Floats) -> bool:
        """Tell whether a body can walk straight from a to b (2,), looked at every half cell."""
        return bool(self.is_free(samples(a, b, self.cell_m / 2)).all())

    @cached_property
    def component(self) -> NDArray[np.int32]:
        """(R, C): the number of the connected free space that a cell belongs to, from 1; 0 where it is not free.

        Cells that touch by an edge are connected: past a corner alone no body gets through.
        """
        from scipy.ndimage import label

        return label(self.free)[0]

    def path_m(self, a: Floats, b: Floats) -> float:
        """Return the length of the shortest walk from a to b (2,) in metres, inf where there is none.

        Through the centres of cells and of their eight neighbours, so up to 8 % longer than the shortest line.
        """
        import numpy as np
        from scipy.sparse.csgraph import dijkstra

        if not self.is_free(np.stack([a, b])).all():
            return float("inf")
        (row_a, column_a), (row_b, column_b) = self.cells(np.stack([a, b])).tolist()
        start, end = self._number[row_a, column_a], self._number[row_b, column_b]
        return float(dijkstra(self._steps, directed=False, indices=start)[end])

    @cached_property
    def _number(self) -> NDArray[np.int64]:
        import numpy as np

        return np.where(self.free, np.cumsum(self.free).reshape(self.free.shape) - 1, -1)

    @cached_property
    def _steps(self) -> Any:
        """The walks between neighbouring free cells as a sparse (n, n) matrix of metres, each once."""
        import numpy as np
        from scipy.sparse import coo_matrix

        rows, columns, lengths = [], [], []
        padded = np.pad(self._number, 1, constant_values=-1)
        height, width = self.free.shape
        for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
            other = padded[1 + down : 1 + down + height, 1 + right : 1 + right + width]
            # a slanting step needs both cells beside it: it would cut a corner
            beside = (padded[1 + down : 1 + down + height, 1:-1] >= 0) & (
                padded[1:-1, 1 + right : 1 + right + width] >= 0
            )
            both = (self._number >= 0) & (other >= 0) & beside
            rows.append(self._number[both])
            columns.append(other[both])
            lengths.append(np.full(int(both.sum()), self.cell_m * float(np.hypot(down, right))))
        n = int(self.free.sum())
        ends = (np.concatenate(rows), np.concatenate(columns))
        return coo_matrix((np.concatenate(lengths), ends), shape=(n, n)).tocsr()

    def plain(self) -> dict[str, Any]:
        """Return the grid as plain values: a text of "." (free) and "#" a row."""
        lines = ["".join("." if cell else "#" for cell in row) for row in self.free.tolist()]
        return {
            "free": lines,
            "origin": self.origin.tolist(),
            "axes": self.axes.tolist(),
            "cell_m": self.cell_m,
        }


def free_space(scene: Scene) -> Floor | None:
    """Return the free space of a scene's floor; None where its outline is not known.

    Walls keep a body out as boxes do, whether they are known or assumed: assumed ones stand outside of all boxes.
    """
    import numpy as np

    polygon = np.asarray(scene.polygon, dtype=float)
    if len(polygon) < 3:
        return None
    boxes = tuple(np.asarray(array, dtype=float) for array in (scene.centre, scene.size, scene.rotation))
    axes = room_axes(polygon)
    local = polygon @ axes.T
    low, high = local.min(0), local.max(0)
    shape = np.maximum(1, np.ceil((high - low - TOUCH_M) / CELL_M).astype(int))
    # around the middle, so that a quarter turn of the room leads cells to cells
    origin = (low + high) / 2 - (shape - 1) / 2 * CELL_M
    across, along = np.meshgrid(*(origin[k] + np.arange(shape[k]) * CELL_M for k in range(2)))
    cells = np.stack([across, along], axis=-1)  # (R, C, 2) along the room's axes
    free = _inside(cells.reshape(-1, 2), local).reshape(cells.shape[:2])
    for shape_xy in footprints(*boxes)[stands_in_way(*boxes)]:
        _take(free, cells, shape_xy @ axes.T)
    return Floor(free, origin @ axes, axes)


def room_axes(polygon: Floats) -> Floats:
    """Return the room's own axes (2, 2): the first along the longest side of its outline (V, 2)."""
    import numpy as np

    sides = np.roll(polygon, -1, axis=0) - polygon
    length = np.hypot(*sides.T)
    x, y = sides[int(length.argmax())] / length.max()
    return np.array([[x, y], [-y, x]])


def stands_in_way(centre: Floats, size: Floats, rotation: Floats) -> Bools:
    """Tell which boxes (N) a person on the floor walks into: (N,) bool. The floor is where the lowest box stands."""
    import numpy as np

    if not len(centre):
        return np.zeros(0, bool)
    half = (np.abs(rotation[:, :, 2]) * size).sum(1) / 2
    bottom, top = centre[:, 2] - half, centre[:, 2] + half
    floor = bottom.min()
    return np.asarray((bottom < floor + PERSON_M) & (top > floor + STEP_M))


def footprints(centre: Floats, size: Floats, rotation: Floats) -> Floats:
    """Return the outlines (N, 6, 2) of boxes seen from above, counter-clockwise; upright ones have sides of length 0.

    The shadow of a box is the sum of its three edges' shadows: a hexagon whose sides are these in the order of angle.
    """
    import numpy as np

    edges = size[:, :, None] * rotation[:, :, :2]  # (N, 3, 2)
    down = (edges[..., 1] < 0) | ((edges[..., 1] == 0) & (edges[..., 0] < 0))
    edges = np.where(down[..., None], -edges, edges)
    order = np.argsort(np.arctan2(edges[..., 1], edges[..., 0]), axis=1)
    edges = np.take_along_axis(edges, order[..., None], axis=1)
    start = centre[:, None, :2] - edges.sum(1, keepdims=True) / 2
    sides = np.concatenate([np.zeros_like(start), edges, -edges[:, :2]], axis=1)
    return start + np.cumsum(sides, axis=1)


def outline_distance(points: Floats, outline: Floats) -> Floats:
    """Return the distance (M,) in metres of points (M, 2) to a solid convex outline (V, 2) counter-clockwise, 0 in it.

    `outline` may be (..., V, 2): the distances are (M, ...) then.
    """
    import numpy as np

    # sides first and x, y apart: numpy is slow along axes of length 2
    corners = np.moveaxis(outline, -2, 0)[:, None]  # (V, 1, ..., 2)
    shape = (1, len(points), *[1] * (outline.ndim - 2))
    ax, ay = corners[..., 0], corners[..., 1]
    bx, by = np.roll(ax, -1, axis=0) - ax, np.roll(ay, -1, axis=0) - ay
    px, py = points[:, 0].reshape(shape) - ax, points[:, 1].reshape(shape) - ay
    along = np.minimum(np.maximum((px * bx + py * by) / np.maximum(bx * bx + by * by, 1e-18), 0), 1)
    off_x, off_y = px - along * bx, py - along * by
    inside = (bx * py - by * px >= 0).all(0)
    return np.where(inside, 0.0, np.sqrt((off_x * off_x + off_y * off_y).min(0)))


def samples(a: Floats, b: Floats, step_m: float) -> Floats:
    """Return points (S, 2) from a to b (2,), both included, at most `step_m` apart."""
    import numpy as np

    n = max(1, int(np.ceil(np.hypot(*(b - a)) / step_m)))
    return a + np.linspace(0, 1, n + 1)[:, None] * (b - a)


def _inside(points: Floats, polygon: Floats) -> Bools:
    """Tell which points (M, 2) lie in a simple polygon (V, 2), a body's radius from its sides or more: (M,) bool."""
    import numpy as np

    inside = np.zeros(len(points), bool)
    near = np.zeros(len(points), bool)
    x, y = points.T
    for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if a[1] != b[1]:
            crossing = (a[1] > y) != (b[1] > y)
            inside ^= crossing & (x < a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]))
        to = b - a
        along = np.clip(((points - a) @ to) / max(float(to @ to), 1e-18), 0, 1)
        near |= np.hypot(*(points - a - along[:, None] * to).T) < BODY_M - TOUCH_M
    return inside & ~near


def _take(free: Bools, cells: Floats, outline: Floats) -> None:
    """Mark as not free the cells whose centres are closer to an outline (V, 2) than a body's radius."""
    import numpy as np

    first = cells[0, 0]
    low = np.floor((outline.min(0) - BODY_M - first) / CELL_M).astype(int)
    high = np.ceil((outline.max(0) + BODY_M - first) / CELL_M).astype(int) + 1
    (c0, r0), (c1, r1) = np.maximum(low, 0).tolist(), np.maximum(high, 0).tolist()
    part = cells[r0:r1, c0:c1]
    if part.size:
        near = outline_distance(part.reshape(-1, 2), outline) < BODY_M - TOUCH_M
        free[r0:r1, c0:c1] &= ~near.reshape(part.shape[:2])
