"""A numpy z-buffer for oriented boxes inside one box-shaped room: colour, depth and instance ids.

Every box is ray-cast on the rectangle of its projected corners and tested against the depth there; the room's
own walls are the background. Lambert shading by face. Colours follow the style; depth and ids do not depend
on it. No BLAS: all products are written out, so a machine's vector library cannot change a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodes.scenes.camera import into_camera
from nodes.scenes.geometry import box_corners
from nodes.scenes.styles import Style

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NEAR_M = 0.02


@dataclass(frozen=True)
class World:
    """Everything a picture shows: N boxes in a room, F cameras and a style.

    labels N; centre (N, 3) m; size (N, 3) m; rotation (N, 3, 3) rows = axes; colour (N, 3) 0..1; room_* the
    same for the box of the walls; K (3, 3) px; T_wc (F, 4, 4); time_s (F,).
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


def render(world: World) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint16]]:
    """Return rgb (F, H, W, 3), depth (F, H, W) in metres along z, instance (F, H, W): 0 background, i + 1 box i."""
    import numpy as np

    n, s = len(world.T_wc), world.size_px
    rgb = np.empty((n, s, s, 3), np.uint8)
    depth = np.empty((n, s, s), np.float32)
    instance = np.zeros((n, s, s), np.uint16)
    shades = [_face_colours(world, world.rotation[i], world.colour[i]) for i in range(len(world.labels))]
    corners = [box_corners(world.centre[i], world.size[i], world.rotation[i]) for i in range(len(world.labels))]
    noise = np.random.Generator(np.random.PCG64(world.noise_seed))
    for f in range(n):
        colour, far = _background(world, f)
        for i in range(len(world.labels)):
            _draw_box(world, f, i, corners[i], shades[i], (colour, far, instance[f]))
        depth[f] = far
        # two bytes a value: triangular noise of standard deviation 104.5 levels, scaled; the cheapest stable stream
        pair = np.frombuffer(noise.bytes(2 * colour.size), np.uint8).reshape(2, *colour.shape).astype(np.float32)
        levels = colour * 255 + (pair[0] + pair[1] - 255) * (world.style.noise / 104.5) + 0.5
        rgb[f] = np.clip(levels, 0, 255)
    return rgb, depth, instance


def _rays(world: World, f: int, axes: Floats, window: tuple[int, int, int, int]) -> list[Floats]:
    """Return ray directions along `axes`, 3 arrays (h, w) of depth 1, for a window (top, bottom, left, right)."""
    import numpy as np

    top, bottom, left, right = window
    k, pose = world.K, world.T_wc[f]
    x = (np.arange(left, right) + 0.5 - k[0, 2]) / k[0, 0]
    y = (np.arange(top, bottom) + 0.5 - k[1, 2]) / k[1, 1]
    turn = [[sum(float(axes[r, c] * pose[c, m]) for c in range(3)) for m in range(3)] for r in range(3)]
    rows = [(t[0] * x)[None, :] + (t[1] * y + t[2])[:, None] for t in turn]
    # a ray exactly along a face would divide by zero; 1e-12 keeps the sign and moves nothing visible
    return [np.where(np.abs(d) < 1e-12, 1e-12, d) for d in rows]


def _origin(world: World, f: int, centre: Floats, axes: Floats) -> list[float]:
    """Return the camera's position along a box's axes, metres from its centre."""
    d = world.T_wc[f, :3, 3] - centre
    return [sum(float(axes[r, c] * d[c]) for c in range(3)) for r in range(3)]


def _background(world: World, f: int) -> tuple[Floats, Floats]:
    """Return colour (H, W, 3) and depth (H, W) of the room seen from inside."""
    import numpy as np

    s = world.size_px
    axes, half = world.room_rotation, world.room_size / 2
    rays = _rays(world, f, axes, (0, s, 0, s))
    origin = _origin(world, f, world.room_centre, axes)
    exits = [(np.where(d > 0, half[k], -half[k]) - origin[k]) / d for k, d in enumerate(rays)]
    far = np.maximum(np.minimum(np.minimum(exits[0], exits[1]), exits[2]), NEAR_M)
    palette = _room_palette(world)  # (8, 3): walls -x +x -y +y, floor, ceiling, second floor colour
    axis = np.where(far == exits[0], 0, np.where(far == exits[1], 1, 2))
    side = np.where(axis == 0, rays[0] > 0, np.where(axis == 1, rays[1] > 0, rays[2] > 0))
    face = axis * 2 + side
    tile = world.style.checker_m
    x, y = (origin[0] + far * rays[0]) / tile, (origin[1] + far * rays[1]) / tile
    odd = (np.floor(x) + np.floor(y)) % 2 == 1
    face = np.where((face == 4) & odd, 6, face)
    return palette[face], far


def _room_palette(world: World) -> Floats:
    """Return the lit colours of the room's faces (7, 3); a wall is lit on its inner side."""
    import numpy as np

    style = world.style
    inner = [-world.room_rotation[k] * side for k in range(3) for side in (-1, 1)]
    colours = [style.wall] * 4 + [style.floor[0], style.ceiling]
    lit = [np.array(c) * _shade(style, n) for c, n in zip(colours, inner, strict=True)]
    return np.stack([*lit, np.array(style.floor[1]) * _shade(style, inner[4])])


def _shade(style: Style, normal: Floats) -> Floats:
    """Return the light (3,) that a face of this normal gives back."""
    import numpy as np

    length = float(np.sqrt(sum(v * v for v in style.light)))
    cosine = sum(float(a) * b for a, b in zip(normal, style.light, strict=True)) / length
    return np.array(style.tint) * (style.ambient + style.diffuse * max(0.0, cosine))


def _face_colours(world: World, rotation: Floats, colour: Floats) -> Floats:
    """Return the lit colours (6, 3) of a box's faces in the order -x +x -y +y -z +z of its own axes."""
    import numpy as np

    return np.stack([colour * _shade(world.style, side * rotation[k]) for k in range(3) for side in (-1, 1)])


def _window(world: World, f: int, corners: Floats) -> tuple[int, int, int, int] | None:
    """Return the rectangle of pixels (top, bottom, left, right) that may show the corners' hull, None if none."""
    import math

    s, k = world.size_px, world.K
    local = into_camera(corners, world.T_wc[f])
    z = local[:, 2]
    if (z < NEAR_M).all():
        return None
    if (z < NEAR_M).any():
        return 0, s, 0, s
    u, v = local[:, 0] / z * k[0, 0] + k[0, 2], local[:, 1] / z * k[1, 1] + k[1, 2]
    left, right = max(0, math.floor(u.min())), min(s, math.ceil(u.max()) + 1)
    top, bottom = max(0, math.floor(v.min())), min(s, math.ceil(v.max()) + 1)
    return (top, bottom, left, right) if left < right and top < bottom else None


def _draw_box(
    world: World,
    f: int,
    i: int,
    corners: Floats,
    shades: Floats,
    into: tuple[Floats, Floats, NDArray[np.uint16]],
) -> None:
    """Draw box i of frame f into (colour, depth, instance) where it is nearer than what is there."""
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
        side = np.where(d > 0, -half[k], half[k])
        enters.append((side - origin[k]) / d)
        leaves.append((-side - origin[k]) / d)
    near = np.maximum(np.maximum(enters[0], enters[1]), enters[2])
    out = np.minimum(np.minimum(leaves[0], leaves[1]), leaves[2])
    colour, depth, instance = (a[top:bottom, left:right] for a in into)
    hit = (near <= out) & (near >= NEAR_M) & (near < depth)
    axis = np.where(near == enters[0], 0, np.where(near == enters[1], 1, 2))
    side_in = np.where(axis == 0, rays[0] < 0, np.where(axis == 1, rays[1] < 0, rays[2] < 0))
    colour[hit] = shades[(axis * 2 + side_in)[hit]]
    depth[hit] = near[hit]
    instance[hit] = i + 1
