"""A numpy z-buffer for oriented boxes inside one room: colour, depth and instance ids.

Every box is ray-cast on the rectangle of its projected corners and tested against the depth there; the room's own
walls are the background: a box, or an outline's walls (outline.py). Walls, floor and ceiling are seen from inside
alone, so that a camera above the room looks into it. Lambert shading by face. Colours follow the style; depth and ids
do not depend on it. No BLAS: all products are written out, so a machine's vector library cannot change a pixel. What
is not finite (a lost pose, a broken box) shows nothing; a box is not seen from within.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodes.scenes.camera import NEAR_M, into_camera
from nodes.scenes.geometry import are_finite, box_corners
from nodes.scenes.styles import VOID_COLOUR, Style, shade
from nodes.scenes.walls import VOID, Background, outline_background

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Canvas = tuple[NDArray[np.int32], Floats, NDArray[np.uint16]]


@dataclass(frozen=True)
class World:
    """Everything a picture shows: N boxes in a room, F cameras and a style.

    labels N; centre (N, 3) m; size (N, 3) m; rotation (N, 3, 3) rows = axes; colour (N, 3) 0..1; room_* the same for
    the box of the walls; K (3, 3) px, or (F, 3, 3); T_wc (F, 4, 4); time_s (F,). Pictures are size_px wide and as high,
    unless height_px says otherwise. An outline (V, 2) m, counter-clockwise, has the walls stand on it, from the room's
    lowest to its highest.
    """

    labels: list[str]
    centre: Floats
    size: Floats
    rotation: Floats
    colour: Floats
    room_centre: Floats
    room_size: Floats
    room_rotation: Floats
    K: Floats
    T_wc: Floats
    time_s: Floats
    style: Style
    noise_seed: int
    size_px: int
    height_px: int = 0
    outline: Floats | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a picture."""
        return self.height_px or self.size_px, self.size_px

    def camera(self, f: int) -> Floats:
        """Return frame f's K (3, 3)."""
        return self.K if self.K.ndim == 2 else self.K[f]


def render(world: World) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint16]]:
    """Return rgb (F, H, W, 3), depth (F, H, W) in metres along z, 0 where nothing is hit, and instance (F, H, W): 0
    background, i + 1 box i."""
    import numpy as np

    n, shape = len(world.T_wc), world.shape
    rgb, depth = np.empty((n, *shape, 3), np.uint8), np.empty((n, *shape), np.float32)
    instance = np.zeros((n, *shape), np.uint16)
    whole = np.flatnonzero(are_finite(world.centre, world.size, world.rotation)).tolist()
    corners = {i: box_corners(world.centre[i], world.size[i], world.rotation[i]) for i in whole}
    background = _background(world)
    # a picture is drawn in rows of this palette: the background's, then six a box
    faces = [_face_colours(world, world.rotation[i], world.colour[i]) for i in range(len(world.labels))]
    levels = np.concatenate([background.palette, *faces]) * 255
    noise = np.random.Generator(np.random.PCG64(world.noise_seed))
    for f in range(n):
        paint, far = np.full(shape, VOID, np.int32), np.full(shape, np.inf)
        if np.isfinite(world.T_wc[f]).all() and np.isfinite(world.camera(f)).all():
            paint, far = background.draw(f)
            for i in whole:
                _draw_box(world, f, i, corners[i], len(background.palette) + 6 * i, (paint, far, instance[f]))
        depth[f] = np.where(np.isinf(far), 0.0, far)
        colour = np.take(levels, paint, axis=0)
        # two bytes a value: triangular noise of standard deviation 104.5 levels, scaled; the cheapest stable stream
        one, two = np.frombuffer(noise.bytes(2 * colour.size), np.uint8).reshape(2, *colour.shape)
        colour += (np.add(one, two, dtype=np.float32) - 255) * (world.style.noise / 104.5)
        colour += 0.5
        rgb[f] = np.clip(colour, 0, 255, out=colour)
    return rgb, depth, instance


def _rays(world: World, f: int, axes: Floats, window: tuple[int, int, int, int]) -> list[Floats]:
    """Return ray directions along `axes`, 3 arrays (h, w) of depth 1, for a window (top, bottom, left, right)."""
    import numpy as np

    top, bottom, left, right = window
    k, pose = world.camera(f), world.T_wc[f]
    x = (np.arange(left, right) + 0.5 - k[0, 2]) / k[0, 0]
    y = (np.arange(top, bottom) + 0.5 - k[1, 2]) / k[1, 1]
    turn = [[sum(float(axes[r, c] * pose[c, m]) for c in range(3)) for m in range(3)] for r in range(3)]
    rows = [(t[0] * x)[None, :] + (t[1] * y + t[2])[:, None] for t in turn]
    for d in rows:
        # a ray exactly along a face would divide by zero; 1e-12 moves nothing visible
        along = np.abs(d) < 1e-12
        if along.any():
            d[along] = 1e-12
    return rows


def _origin(world: World, f: int, centre: Floats, axes: Floats) -> list[float]:
    """Return the camera's position along a box's axes, metres from its centre."""
    d = world.T_wc[f, :3, 3] - centre
    return [sum(float(axes[r, c] * d[c]) for c in range(3)) for r in range(3)]


def _background(world: World) -> Background:
    """Return what is behind the boxes: the walls over the outline, or those of the room's box."""
    import numpy as np

    if world.outline is None:
        return Background(_room_palette(world), lambda f: _draw_room(world, f))
    low, high = (float(world.room_centre[2] + side * world.room_size[2] / 2) for side in (-1, 1))
    cameras = (world.T_wc, np.stack([world.camera(f) for f in range(len(world.T_wc))]), world.shape)
    return outline_background(world.outline, low, high, world.style, cameras)


def _draw_room(world: World, f: int) -> tuple[NDArray[np.int32], Floats]:
    """Return palette rows (H, W) and depth (H, W) of the room's box seen from inside; infinite beside it."""
    import numpy as np

    height, width = world.shape
    axes, half = world.room_rotation, world.room_size / 2
    rays = _rays(world, f, axes, (0, height, 0, width))
    origin = _origin(world, f, world.room_centre, axes)
    exits = [(np.where(d > 0, half[k], -half[k]) - origin[k]) / d for k, d in enumerate(rays)]
    far = np.minimum(np.minimum(exits[0], exits[1]), exits[2])
    axis = np.where(far == exits[0], 0, np.where(far == exits[1], 1, 2))
    far = np.maximum(far, NEAR_M)
    side = np.where(axis == 0, rays[0] > 0, np.where(axis == 1, rays[1] > 0, rays[2] > 0))
    paint = (1 + axis * 2 + side).astype(np.int32)
    row, column = np.nonzero(paint == 5)
    z, tile = far[row, column], world.style.checker_m
    x, y = (origin[k] + z * rays[k][row, column] for k in (0, 1))
    odd = (np.floor(x / tile) + np.floor(y / tile)) % 2 == 1
    paint[row[odd], column[odd]] = 7
    if not all(abs(o) <= h for o, h in zip(origin, half, strict=True)):
        enters = [(np.where(d > 0, -half[k], half[k]) - origin[k]) / d for k, d in enumerate(rays)]
        beside = ~(np.maximum(np.maximum(np.maximum(enters[0], enters[1]), enters[2]), NEAR_M) <= far)
        paint[beside], far[beside] = VOID, np.inf
    return paint, far


def _room_palette(world: World) -> Floats:
    """Return the lit colours (8, 3): nothing, walls -x +x -y +y, floor, ceiling, second floor; a wall is lit on its
    inner side."""
    import numpy as np

    style = world.style
    inner = [-world.room_rotation[k] * side for k in range(3) for side in (-1, 1)]
    colours = [style.wall] * 4 + [style.floor[0], style.ceiling]
    lit = [np.array(c) * shade(style, n) for c, n in zip(colours, inner, strict=True)]
    return np.stack([np.array(VOID_COLOUR), *lit, np.array(style.floor[1]) * shade(style, inner[4])])


def _face_colours(world: World, rotation: Floats, colour: Floats) -> Floats:
    """Return the lit colours (6, 3) of a box's faces in the order -x +x -y +y -z +z of its own axes."""
    import numpy as np

    return np.stack([colour * shade(world.style, side * rotation[k]) for k in range(3) for side in (-1, 1)])


def _window(world: World, f: int, corners: Floats) -> tuple[int, int, int, int] | None:
    """Return the rectangle of pixels (top, bottom, left, right) that may show the corners' hull, None if none."""
    (height, width), k = world.shape, world.camera(f)
    local = into_camera(corners, world.T_wc[f])
    z = local[:, 2]
    if (z < NEAR_M).all():
        return None
    if (z < NEAR_M).any():
        return 0, height, 0, width
    u, v = local[:, 0] / z * k[0, 0] + k[0, 2], local[:, 1] / z * k[1, 1] + k[1, 2]
    left, right = max(0, math.floor(u.min())), min(width, math.ceil(u.max()) + 1)
    top, bottom = max(0, math.floor(v.min())), min(height, math.ceil(v.max()) + 1)
    return (top, bottom, left, right) if left < right and top < bottom else None


def _draw_box(world: World, f: int, i: int, corners: Floats, first_row: int, canvas: Canvas) -> None:
    """Draw box i of frame f into (paint, depth, instance) where it is nearer than what is there.

    Its faces are the palette's rows from first_row on, in the order -x +x -y +y -z +z of its own axes.
    """
    import numpy as np

    window = _window(world, f, corners)
    if window is None:
        return
    top, bottom, left, right = window
    axes, half = world.rotation[i], world.size[i] / 2
    rays = _rays(world, f, axes, window)
    origin = _origin(world, f, world.centre[i], axes)
    enters, leaves = [], []
    for k, d in enumerate(rays):
        # a box lies between two planes an axis; a ray meets the one it looks at from outside first
        one, two = (-half[k] - origin[k]) / d, (half[k] - origin[k]) / d
        enters.append(np.minimum(one, two))
        leaves.append(np.maximum(one, two))
    near = np.maximum(np.maximum(enters[0], enters[1]), enters[2])
    out = np.minimum(np.minimum(leaves[0], leaves[1]), leaves[2])
    paint, depth, instance = (a[top:bottom, left:right] for a in canvas)
    hit = (near <= out) & (near >= NEAR_M) & (near < depth)
    row, column = np.nonzero(hit)
    z = near[row, column]
    axis = np.where(z == enters[0][row, column], 0, np.where(z == enters[1][row, column], 1, 2))
    met = np.stack([d[row, column] < 0 for d in rays])
    paint[row, column] = first_row + 2 * axis + met[axis, np.arange(len(axis))]
    depth[row, column] = z
    instance[row, column] = i + 1
