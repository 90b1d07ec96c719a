"""Invented cameras for annotated rooms that come without any: free spots at eye height, each looking at one
object.

A function of the room's id, its boxes and its walls alone. Looks at the objects in turn, so that a few dozen
frames show most of a room; it is no walk: two frames in a row may stand far apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.scenes.camera import look_at
from nodes.scenes.geometry import point_box_distance
from nodes.scenes.seeds import generator, seed_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

VERSION = "views-v1"
DISTANCE_M = 2.2  # a camera stands about so far from what it looks at
FREE_M = 0.25
CANDIDATES = 256
LOOKS = 24  # of the nearest spots are tried for a free line of sight


def invent_views(
    room_id: str, boxes: tuple[Floats, Floats, Floats], walls: tuple[Floats, Floats, Floats], frames: int
) -> Floats:
    """Return T_wc (F, 4, 4): frame f looks at object order[f mod N] from a free spot that sees it.

    A room without objects is looked at from its spots in turn, towards its middle.
    """
    import numpy as np

    rng = generator(VERSION, room_id, "camera")
    centre = boxes[0]
    order = sorted(range(len(centre)), key=lambda i: (seed_of(VERSION, room_id, "order", i), i))
    spots = _free_spots(rng, boxes, walls)
    if not order:
        away = spots[np.abs(spots[:, :2] - walls[0][:2]).max(1) > 1e-3]
        return np.array([look_at(away[f % len(away)], walls[0]) for f in range(frames)]).reshape(-1, 4, 4)
    poses = []
    for f in range(frames):
        target = order[f % len(order)]
        spot = _best_spot(spots, target, boxes, visit=f // len(order))
        wobble = np.array([rng.random() - 0.5 for _ in range(3)]) * [0.6, 0.6, 0.3]
        poses.append(look_at(spot, centre[target] + wobble))
    return np.stack(poses) if poses else np.zeros((0, 4, 4))


def _best_spot(spots: Floats, target: int, boxes: tuple[Floats, Floats, Floats], visit: int) -> Floats:
    """Return the spot (3,) nearest to DISTANCE_M from a box that sees it; on a later visit, the next such spot."""
    import numpy as np

    away = spots - boxes[0][target]
    level = np.sqrt(away[:, 0] ** 2 + away[:, 1] ** 2)
    # a spot straight above sees nothing but a top, and a level camera cannot look straight down
    cost = np.abs(np.sqrt(level**2 + away[:, 2] ** 2) - DISTANCE_M) + 10.0 * (level < 0.5)
    ranked = np.argsort(cost, kind="stable")
    seen = 0
    for n in ranked[: LOOKS * (visit + 1)]:
        if not _is_hidden(spots[n], target, boxes):
            seen += 1
            if seen > visit:
                return spots[n]
    return spots[ranked[visit % len(ranked)]]


def _free_spots(
    rng: np.random.Generator, boxes: tuple[Floats, Floats, Floats], walls: tuple[Floats, Floats, Floats]
) -> Floats:
    """Return spots (C, 3) within the walls, at eye height, outside all boxes; the freest spot if none is free."""
    import numpy as np

    middle, size, rotation = walls
    local = (rng.random((CANDIDATES, 3)) - 0.5) * np.maximum(size - [0.5, 0.5, 0.0], 0.1)
    local[:, 2] = np.minimum(1.2 + 0.6 * rng.random(CANDIDATES), size[2] - 0.2) - size[2] / 2
    spots = middle + sum(local[:, k : k + 1] * rotation[k] for k in range(3))
    none = np.full(len(spots), np.inf)
    clear = np.min([none, *(point_box_distance(spots, *box) for box in zip(*boxes, strict=True))], axis=0)
    return spots[clear >= min(FREE_M, float(clear.max()))]


def _is_hidden(spot: Floats, target: int, boxes: tuple[Floats, Floats, Floats]) -> bool:
    """Tell whether another box crosses the line from a spot to the middle of the target box."""
    import numpy as np

    centre, size, rotation = boxes
    start = ((spot - centre)[:, None, :] * rotation).sum(-1)
    way = ((centre[target] - spot)[None, None, :] * rotation).sum(-1)
    way = np.where(np.abs(way) < 1e-12, 1e-12, way)
    one, two = (-size / 2 - start) / way, (size / 2 - start) / way
    enters, leaves = np.minimum(one, two).max(1), np.maximum(one, two).min(1)
    crossed = (enters < leaves) & (leaves > 0) & (enters < enters[target])
    crossed[target] = False
    return bool(crossed.any())
