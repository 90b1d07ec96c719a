"""A drawn World as a Scene: its pictures rendered, and what each shows of every box; and a Scene as a World again, to
be seen from any camera.

A Scene keeps boxes and outline alone: a ceiling's height is assumed anew, and colours follow from labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.scenes.colours import label_colour
from nodes.scenes.frames import Frames
from nodes.scenes.geometry import are_finite, box_corners
from nodes.scenes.relations import find_relations
from nodes.scenes.render import World, render
from nodes.scenes.scene import Room, Scene
from nodes.scenes.seeds import seed_of
from nodes.scenes.styles import find_style
from nodes.scenes.visibility import count_pixels, first_seen, visibility
from nodes.scenes.walls import tidy_outline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CEILING_M = 2.4  # a room is at least so high
WALL_M = 0.05  # an outline nobody knows stands so far around all boxes


def scene_of_world(room: Room, world: World, counts: dict[str, int], area_m2: float, *, invented: bool) -> Scene:
    """Render a world and put together what is known of it; `invented`: walls and cameras are ours, not the data's.

    A world without cameras is a scene without frames.
    """
    import numpy as np

    boxes = (world.centre, world.size, world.rotation)
    n = len(world.labels)
    frames, share, pixels = None, np.zeros((0, n), np.float32), np.zeros((0, n), np.int64)
    seen = np.full(n, np.nan)
    if len(world.T_wc):
        rgb, depth, instance = render(world)
        # K is repeated by frame, as recorded rooms have one each
        cameras = {"K": np.repeat(world.K[None], len(world.T_wc), axis=0), "T_wc": world.T_wc, "time_s": world.time_s}
        frames = Frames(
            {"rgb": rgb, "depth": depth, "instance": instance, **cameras}, invented=invented, terms=room.terms
        )
        share, pixels = visibility(boxes, world.T_wc, world.K, depth), count_pixels(instance, n)
        seen = first_seen(share, pixels, world.size_px**2, world.time_s)
    corners = box_corners(world.room_centre, world.room_size, world.room_rotation)
    arrays: dict[str, np.ndarray] = {
        "centre": world.centre,
        "size": world.size,
        "rotation": world.rotation,
        "polygon": corners[[0, 1, 3, 2], :2],  # the floor's corners, counter-clockwise
        "visibility": share,
        "pixels": pixels,
        "first_seen_s": seen,
    }
    return Scene(
        {name: getattr(room, name) for name in ("id", "source", "place", "split", "terms")},
        arrays,
        labels=world.labels,
        area_m2=area_m2,
        area_assumed=False,
        polygon_assumed=invented,
        counts=counts,
        style=room.data["style"],
        relations=find_relations(*boxes),
        frames=frames,
    )


def render_scene(
    scene: Scene, T_wc: Floats, K: Floats, size: int | tuple[int, int], style: str
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint16]]:
    """Return what cameras see of a scene's boxes and walls: rgb (F, H, W, 3), depth (F, H, W) m, instance (F, H, W).

    Args:
        T_wc: (F, 4, 4), anywhere; one that is not finite shows nothing. K: (3, 3) or (F, 3, 3), px.
        size: the picture's edge, or its rows and columns.
        style: of styles.py.
    """
    return render(world_of_scene(scene, T_wc, K, size, style))


def world_of_scene(scene: Scene, T_wc: Floats, K: Floats, size: int | tuple[int, int], style: str) -> World:
    """Return the scene as a World; walls on its outline, else on the upright rectangle around its boxes."""
    import numpy as np

    low, high, outline = extent(scene)
    rows, columns = (size, size) if isinstance(size, int) else size
    colours = [label_colour(label) for label in scene.labels]
    middle = np.append((outline.min(0) + outline.max(0)) / 2, (low + high) / 2)
    return World(
        labels=scene.labels,
        centre=scene.centre,
        size=scene.size,
        rotation=scene.rotation,
        colour=np.array(colours).reshape(-1, 3),
        room_centre=middle,
        room_size=np.append(np.ptp(outline, axis=0), high - low),
        room_rotation=np.eye(3),
        K=np.asarray(K, float),
        T_wc=np.asarray(T_wc, float),
        time_s=np.arange(len(T_wc), dtype=np.float64),
        style=find_style(style),
        noise_seed=seed_of("render", scene.id, style),
        size_px=columns,
        height_px=rows,
        outline=outline,
    )


def extent(scene: Scene) -> tuple[float, float, Floats]:
    """Return a scene's floor and ceiling heights in metres and its outline (V, 2), counter-clockwise.

    The floor is where the lowest box stands, the ceiling above the highest one but not lower than usual. What is not
    known and cannot be told from boxes is a square of 2 m around the origin.
    """
    import numpy as np

    boxes = (scene.centre, scene.size, scene.rotation)
    whole = np.flatnonzero(are_finite(*boxes))
    corners = np.concatenate([np.zeros((0, 3)), *(box_corners(*(part[i] for part in boxes)) for i in whole)])
    low, top = (float(corners[:, 2].min()), float(corners[:, 2].max())) if len(corners) else (0.0, 0.0)
    outline = tidy_outline(scene.polygon)
    if outline is None:
        (x0, y0), (x1, y1) = (corners[:, :2].min(0), corners[:, :2].max(0)) if len(corners) else ([-1, -1], [1, 1])
        x0, y0, x1, y1 = x0 - WALL_M, y0 - WALL_M, x1 + WALL_M, y1 + WALL_M
        outline = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float)
    return low, max(low + CEILING_M, top + WALL_M), outline
