"""The scene graph's edges: relations between boxes that no viewpoint changes.

on / supports: A's footprint lies mostly over B's and A's bottom is at B's top; above: the same, higher up;
inside: most of A's corners lie in B; near: closest points within half a metre, one edge each way. Distances
are exact closest distances. Only gravity is special: turning the scene about z changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.scenes.geometry import box_corners, box_distance, points_in_box
from nodes.scenes.scene import Relation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Box = tuple[Floats, Floats, Floats]

NEAR_M = 0.5
CONTACT_M = 0.1  # annotated boxes of things that rest on each other are up to a hand apart
MOSTLY = 0.5


def find_relations(centre: Floats, size: Floats, rotation: Floats) -> list[Relation]:
    """Return the edges between boxes (N, 3), (N, 3), (N, 3, 3), ordered by subject, object, name."""
    import numpy as np

    boxes = [(centre[i], size[i], rotation[i]) for i in range(len(centre))]
    reach = np.sqrt((size * size).sum(1)) / 2
    edges = []
    for i, a in enumerate(boxes):
        for j in range(i):
            b = boxes[j]
            apart = float(np.sqrt(((a[0] - b[0]) ** 2).sum())) - float(reach[i] + reach[j])
            stacked = [(i, j), (j, i)] if _footprints_meet(a, b, reach[i] + reach[j]) else []
            if apart > NEAR_M and not stacked:
                continue
            # to the micrometre: the last bits may differ between machines and would change the digest
            distance = round(box_distance(*a, *b), 6)
            if distance <= NEAR_M:
                edges += [Relation(i, j, "near", distance), Relation(j, i, "near", distance)]
            for upper, lower in stacked:
                edges += _vertical(upper, lower, boxes, distance)
    return sorted(edges, key=lambda e: (e.subject, e.object, e.name))


def _footprints_meet(a: Box, b: Box, reach: float) -> bool:
    d = a[0] - b[0]
    return float(d[0] * d[0] + d[1] * d[1]) <= reach * reach


def _vertical(i: int, j: int, boxes: list[Box], distance: float) -> list[Relation]:
    """Return what holds of box i over or in box j: inside, or on (and supports), or above."""
    a, b = boxes[i], boxes[j]
    corners = box_corners(*a)
    if points_in_box(corners, *b).mean() > MOSTLY:
        return [Relation(i, j, "inside", distance)]
    lifted = corners.copy()
    lifted[:, 2] = b[0][2]
    if points_in_box(lifted, *b).mean() < MOSTLY:
        return []
    gap = float(corners[:, 2].min() - box_corners(*b)[:, 2].max())
    if abs(gap) <= CONTACT_M:
        return [Relation(i, j, "on", distance), Relation(j, i, "supports", distance)]
    return [Relation(i, j, "above", distance)] if gap > 0 else []
