"""The scene graph's edges: relations between boxes that no viewpoint changes.

on / supports: A's footprint lies mostly over B's and A's bottom is at B's top; above: the same, higher up;
inside: most of A's corners lie in B; near: closest points within half a metre, one edge each way. Distances
are exact closest distances. Only gravity is special: turning the scene about z changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.scenes.geometry import CONTACT_M as TOUCH_M
from nodes.scenes.geometry import are_finite, box_corners, box_distances
from nodes.scenes.scene import Relation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NEAR_M = 0.5
CONTACT_M = 0.1  # annotated boxes of things that rest on each other are up to a hand apart
MOSTLY = 0.5


def find_relations(centre: Floats, size: Floats, rotation: Floats) -> list[Relation]:
    """Return the edges between boxes (N, 3), (N, 3), (N, 3, 3), ordered by subject, object, name."""
    import numpy as np

    reach = np.sqrt((size * size).sum(1)) / 2
    i, j = np.tril_indices(len(centre), -1)
    away = centre[i] - centre[j]
    near = np.sqrt((away**2).sum(1)) - (reach[i] + reach[j]) <= NEAR_M
    over = away[:, 0] ** 2 + away[:, 1] ** 2 <= (reach[i] + reach[j]) ** 2
    whole = are_finite(centre, size, rotation)
    taken = (near | over) & whole[i] & whole[j]
    pairs = np.stack([i, j], axis=1)[taken]
    # to the micrometre: the last bits may differ between machines and would change the digest
    distances = [round(d, 6) for d in box_distances(centre, size, rotation, pairs).tolist()]
    edges = []
    for (a, b), distance in zip(pairs.tolist(), distances, strict=True):
        if distance <= NEAR_M:
            edges += [Relation(a, b, "near", distance), Relation(b, a, "near", distance)]
    known = {tuple(pair): distance for pair, distance in zip(pairs.tolist(), distances, strict=True)}
    stacked = pairs[over[taken]]
    ordered = np.concatenate([stacked, stacked[:, ::-1]])
    for (a, b), name in zip(ordered.tolist(), _vertical((centre, size, rotation), ordered), strict=True):
        distance = known[max(a, b), min(a, b)]
        if name:
            edges.append(Relation(a, b, name, distance))
        if name == "on":
            edges.append(Relation(b, a, "supports", distance))
    return sorted(edges, key=lambda e: (e.subject, e.object, e.name))


def _vertical(boxes: tuple[Floats, Floats, Floats], pairs: NDArray[np.int64]) -> list[str]:
    """Return what holds of the first of each pair (P, 2) over or in the second: inside, on, above, or nothing ("")."""
    import numpy as np

    if not len(pairs):
        return []
    (centre, size, rotation), b = boxes, pairs[:, 1]
    named, place = np.unique(pairs, return_inverse=True)
    corners = np.stack([box_corners(centre[k], size[k], rotation[k]) for k in named])[place.reshape(-1, 2)]
    lifted = corners[:, 0].copy()  # (P, 8, 3)
    lifted[:, :, 2] = centre[b, 2, None]
    within, beneath = (_share_inside(points, centre[b], size[b], rotation[b]) for points in (corners[:, 0], lifted))
    gap = corners[:, 0, :, 2].min(1) - corners[:, 1, :, 2].max(1)
    on, above = (beneath >= MOSTLY) & (np.abs(gap) <= CONTACT_M), (beneath >= MOSTLY) & (gap > 0)
    return np.select([within > MOSTLY, on, above], ["inside", "on", "above"], "").tolist()


def _share_inside(points: Floats, centre: Floats, size: Floats, rotation: Floats) -> Floats:
    """Return which share of each row's points (P, C, 3) lies in its box: (P,)."""
    import numpy as np

    d = points - centre[:, None]
    local = [sum(d[:, :, c] * rotation[:, r, c, None] for c in range(3)) for r in range(3)]
    inside = [np.abs(along) <= size[:, r, None] / 2 + TOUCH_M for r, along in enumerate(local)]
    return np.asarray((inside[0] & inside[1] & inside[2]).mean(1))
