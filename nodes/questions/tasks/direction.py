"""object_rel_direction: where an object lies for one who stands by a second and faces a third.

On the floor plane, between box centres; the angle is signed from stand->face to stand->query, left positive.
Source: VSI-Bench, arXiv:2412.14171. Departs: the distance from a boundary is kept on both sides, not on one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.questions.draft import Draft
from nodes.questions.programs.calls import call
from nodes.questions.task import task
from nodes.questions.wording import WORDINGS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes.questions.view import SceneView

    Floats = NDArray[np.float64]

BACK_DEG = 135.0  # VSI-Bench: behind is what takes a turn of 135 degrees or more
BOUNDARIES_DEG = {
    "easy": (0.0, 180.0),
    "medium": (0.0, BACK_DEG),
    "hard": (0.0, 90.0, 180.0),
}  # of the absolute angle
SIDES = {
    "easy": ("left", "right"),
    "medium": ("left", "right", "back"),
    "hard": ("front-left", "front-right", "back-left", "back-right"),
}
CORNERS_IN_QUADRANT = 5  # of 8, hard: fewer and the query mostly lies in another quadrant
TRIPLES_MAX = 64_000  # looked at: all there are of 40 objects; of 200 there are eight million, half a gigabyte


def angle_deg(stand: Floats, face: Floats, query: Floats) -> Floats:
    """Return the signed angles (...) in degrees, (-180, 180], at which queries lie.

    Args:
        stand, face, query: (..., 2 or more) positions in metres, z up; only x and y count.
    """
    import numpy as np

    ahead, there = face[..., :2] - stand[..., :2], query[..., :2] - stand[..., :2]
    cross = ahead[..., 0] * there[..., 1] - ahead[..., 1] * there[..., 0]
    dot = ahead[..., 0] * there[..., 0] + ahead[..., 1] * there[..., 1]
    return np.degrees(np.arctan2(cross, dot))


def side(theta_deg: float, level: str) -> str:
    """Return the name of the direction at a signed angle."""
    lateral = "left" if theta_deg > 0 else "right"
    if level == "easy":
        return lateral
    if level == "medium":
        return "back" if abs(theta_deg) >= BACK_DEG else lateral
    return ("front-" if abs(theta_deg) <= 90 else "back-") + lateral


def boundary_deg(theta_deg: Floats, level: str) -> Floats:
    """Return how far signed angles are from the nearest angle at which the answer changes, in degrees."""
    import numpy as np

    return np.min([np.abs(np.abs(theta_deg) - boundary) for boundary in BOUNDARIES_DEG[level]], axis=0)


@task("object_rel_direction_easy", shows="video", needs=("boxes", "visibility"))
def object_rel_direction_easy(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List left or right."""
    return _list(view, "easy", limit, rng)


@task("object_rel_direction_medium", shows="video", needs=("boxes", "visibility"))
def object_rel_direction_medium(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List left, right or back."""
    return _list(view, "medium", limit, rng)


@task("object_rel_direction_hard", shows="video", needs=("boxes", "visibility"))
def object_rel_direction_hard(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List quadrants."""
    return _list(view, "hard", limit, rng)


def _list(view: SceneView, level: str, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List up to `limit` questions of each direction, on three objects whose labels are unique."""
    import numpy as np

    named = np.array(view.named, dtype=int)
    if len(named) < 3:
        return []
    triples = _triples(named, rng)
    triples = triples[_far_enough(view, triples)]
    theta = angle_deg(*(view.centre[triples[:, k]] for k in range(3)))
    margin = boundary_deg(theta, level)
    clear = np.flatnonzero(margin >= view.thresholds.direction_deg)
    taken: dict[str, int] = dict.fromkeys(SIDES[level], 0)
    drafts = []
    for row in clear[rng.permutation(len(clear))].tolist():
        name = side(float(theta[row]), level)
        stand, face, query = triples[row].tolist()
        if taken[name] < limit and (level != "hard" or _mostly_in_quadrant(view, stand, face, query, name)):
            taken[name] += 1
            drafts.append(_draft(view, level, (stand, face, query), name, float(margin[row])))
        if min(taken.values()) == limit:
            break
    return drafts


def _triples(named: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """Return triples (T, 3) of objects, some of them alike: all there are, or `TRIPLES_MAX` drawn, each kept once."""
    import numpy as np

    if len(named) ** 3 <= TRIPLES_MAX:
        return np.stack(np.meshgrid(named, named, named, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.unique(named[rng.integers(len(named), size=(TRIPLES_MAX, 3))], axis=0)


def _far_enough(view: SceneView, triples: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell which triples (T, 3) consist of different objects, every two of them at an allowed distance on the floor."""
    import numpy as np

    flat = view.centre[:, :2]
    apart = np.sqrt(((flat[:, None] - flat[None]) ** 2).sum(-1))
    allowed = (apart >= view.thresholds.direction_min_m) & (apart <= view.thresholds.direction_max_m)
    np.fill_diagonal(allowed, False)
    a, b, c = triples.T
    return np.asarray(allowed[a, b] & allowed[b, c] & allowed[a, c])


def _mostly_in_quadrant(view: SceneView, stand: int, face: int, query: int, name: str) -> bool:
    corners = view.corners[query]
    theta = angle_deg(view.centre[stand], view.centre[face], corners)
    return sum(side(value, "hard") == name for value in theta.tolist()) >= CORNERS_IN_QUADRANT


def _draft(view: SceneView, level: str, objects: tuple[int, int, int], name: str, margin: float) -> Draft:
    stand, face, query = (view.labels[i] for i in objects)
    kind = f"object_rel_direction_{level}"
    wrong = tuple(other for other in SIDES[level] if other != name)
    return Draft(
        task=kind,
        template=kind,
        frames=view.shown,
        prompt=WORDINGS[kind].format(stand=stand, face=face, query=query),
        answer=name,
        options=(name, *wrong),
        unit="deg",
        program=call("direction", stand, face, query, level),
        margin=margin,
        lettered=True,
        balance=name,
        objects=objects,
    )
