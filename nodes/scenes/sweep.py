"""`scene.sweep`: novel views of a scene: its boxes and walls drawn from a path that no recording took.

oblique: around the room from above and outside, looking at its middle, walls and ceiling open towards the camera (as
ReRe's second pass shows it). orbit: inside the room at eye height, around its middle. walk: through given points, in
the direction of the way. The views are Frames like any other, marked as invented.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from graph.node import node
from nodes.scenes.camera import intrinsics, look_at
from nodes.scenes.drawn import extent, render_scene
from nodes.scenes.frames import Frames
from nodes.scenes.scene import Scene
from nodes.scenes.styles import find_style

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

EYE_M = 1.5
AHEAD_M = 1.0  # a walker looks so far along the way
ORBIT = 0.85  # of the way from the middle to the nearest wall
STEEPEST_DEG = 85.0  # steeper ones have no level right


class Sweep(Struct, frozen=True, forbid_unknown_fields=True):
    """Which views."""

    path: Annotated[
        Literal["oblique", "orbit", "walk"],
        Meta(description="around from above; around inside at eye height; along `points`"),
    ] = "oblique"
    frames: Annotated[int, Meta(ge=1, le=4096, description="views", extra={"unit": "frames"})] = 16
    size_px: Annotated[int, Meta(ge=16, le=1024, description="edge of the pictures", extra={"unit": "px"})] = 128
    style: Annotated[str, Meta(description="look of the pictures: old | new")] = "old"
    fov_deg: Annotated[float, Meta(ge=10, le=150, description="field of view", extra={"unit": "deg"})] = 60.0
    elevation_deg: Annotated[
        float, Meta(ge=0, le=STEEPEST_DEG, description="oblique: height above the horizon", extra={"unit": "deg"})
    ] = 50.0
    arc_deg: Annotated[
        float, Meta(gt=0, le=360, description="how far around, counter-clockwise", extra={"unit": "deg"})
    ] = 360.0
    points: tuple[tuple[float, float], ...] = ()
    """Of a walk, in the world's x and y, metres; two or more that differ."""
    every_s: Annotated[float, Meta(gt=0, description="time between views", extra={"unit": "s"})] = 1.0

    def __post_init__(self) -> None:
        find_style(self.style)
        if self.path != "walk" and self.points:
            raise ValueError(f"points are given, but path = {self.path!r} follows none; did you mean 'walk'?")
        if self.path == "walk" and (len(set(self.points)) < 2 or not all(map(math.isfinite, sum(self.points, ())))):
            raise ValueError(f"points = {[*self.points]}: a walk needs two or more finite points that differ")


@node("scene.sweep", version=1, each="scenes", packages=("numpy",))
def sweep(scenes: Scene, *, params: Sweep) -> Frames:
    """Return pictures, depth and instance ids of one scene along a path of its own."""
    import numpy as np

    low, high, outline = extent(scenes)
    if params.path == "oblique":
        T_wc = oblique_path(outline, (low, high), params.frames, params.fov_deg, params.elevation_deg, params.arc_deg)
    elif params.path == "orbit":
        T_wc = orbit_path(outline, low, params.frames, params.arc_deg)
    else:
        T_wc = walk_path(np.array(params.points), low, params.frames)
    K = intrinsics(params.size_px, params.fov_deg)
    rgb, depth, instance = render_scene(scenes, T_wc, K, params.size_px, params.style)
    time_s = np.arange(params.frames, dtype=np.float64) * params.every_s
    cameras = {"K": np.repeat(K[None], params.frames, axis=0), "T_wc": T_wc, "time_s": time_s}
    return Frames({"rgb": rgb, "depth": depth, "instance": instance, **cameras}, invented=True, terms=scenes.terms)


def oblique_path(
    outline: Floats, heights: tuple[float, float], frames: int, fov_deg: float, elevation_deg: float, arc_deg: float
) -> Floats:
    """Return T_wc (F, 4, 4) around and above a room, all of it in view: a ball around it fits the field of view.

    Args:
        outline: (V, 2) m. heights: floor and ceiling, m.
    """
    import numpy as np

    middle = np.append(_middle(outline), (heights[0] + heights[1]) / 2)
    reach = float(np.sqrt(((outline - middle[:2]) ** 2).sum(1)).max())
    away = math.hypot(reach, (heights[1] - heights[0]) / 2) / math.sin(math.radians(fov_deg) / 2)
    up = math.radians(min(elevation_deg, STEEPEST_DEG))
    poses = []
    for angle in _angles(frames, arc_deg):
        way = np.array([math.cos(angle) * math.cos(up), math.sin(angle) * math.cos(up), math.sin(up)])
        poses.append(look_at(middle + away * way, middle))
    return np.stack(poses)


def orbit_path(outline: Floats, floor_m: float, frames: int, arc_deg: float) -> Floats:
    """Return T_wc (F, 4, 4) on a circle at eye height inside the outline (V, 2), looking across its middle."""
    import numpy as np
    import shapely

    middle = _middle(outline)
    radius = ORBIT * float(shapely.Polygon(outline).exterior.distance(shapely.Point(middle)))
    radius = max(radius, 0.05)
    target = np.append(middle, floor_m + 1.1)
    poses = [
        look_at([middle[0] + radius * math.cos(a), middle[1] + radius * math.sin(a), floor_m + EYE_M], target)
        for a in _angles(frames, arc_deg)
    ]
    return np.stack(poses)


def walk_path(points: Floats, floor_m: float, frames: int) -> Floats:
    """Return T_wc (F, 4, 4) evenly along a line through points (W, 2), looking level to where the way is AHEAD_M on."""
    import numpy as np

    legs = np.sqrt((np.diff(points, axis=0) ** 2).sum(1))
    points, legs = points[np.append(True, legs > 0)], legs[legs > 0]
    way = np.append(0.0, np.cumsum(legs))
    # beyond its end the way goes on straight, so that the last view has a direction
    last = points[-1] + (points[-1] - points[-2]) / legs[-1] * AHEAD_M
    points, marks = np.concatenate([points, last[None]]), np.append(way, way[-1] + AHEAD_M)
    poses = []
    for at in np.linspace(0.0, way[-1], frames):
        eye, target = (np.array([np.interp(s, marks, points[:, k]) for k in (0, 1)]) for s in (at, at + AHEAD_M))
        if float(np.abs(target - eye).max()) < 1e-6:  # the way comes back to where it was
            leg = min(int(np.searchsorted(marks, at, "right")), len(points) - 1)
            target = eye + points[leg] - points[leg - 1]
        poses.append(look_at(np.append(eye, floor_m + EYE_M), np.append(target, floor_m + EYE_M)))
    return np.stack(poses)


def _angles(frames: int, arc_deg: float) -> list[float]:
    """Return the angles of views, radians; of a full circle the last is not the first again."""
    steps = frames if arc_deg >= 360 else max(frames - 1, 1)
    return [math.radians(arc_deg) * f / steps for f in range(frames)]


def _middle(outline: Floats) -> Floats:
    """Return a point (2,) well inside an outline: its middle where that is inside, else one that is."""
    import numpy as np
    import shapely

    polygon = shapely.Polygon(outline)
    middle = polygon.centroid if polygon.contains(polygon.centroid) else polygon.representative_point()
    return np.array([middle.x, middle.y])
