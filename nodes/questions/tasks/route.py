"""route_planning: which turns lead along a chain of objects, walked on the free floor.

Source: VSI-Bench, arXiv:2412.14171, whose route questions were written by people. Ours: a robot stands beside an
object, faces another and walks as walker.py has it. A turn is left or right (45 to 135 degrees) or back (135 and more,
as in VSI-Bench's directions), read twice: from where the robot stands, and from centre to centre as in VSI-Bench's
directions; both readings must agree, each `direction_deg` from a boundary. A simulation on the grid of free cells then
walks every option: the right one must end beside the target, no other may.
"""

from __future__ import annotations

from itertools import pairwise, product
from typing import TYPE_CHECKING

from nodes.questions.draft import Draft
from nodes.questions.programs.calls import call
from nodes.questions.task import task
from nodes.questions.tasks.direction import BACK_DEG, angle_deg
from nodes.questions.walker import REACH_M, Walker
from nodes.questions.wording import ROUTE_GO, ROUTE_TURN, TURNS, WORDINGS
from nodes.scenes.grid import CELL_M, free_space, outline_distance

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from nodes.questions.view import SceneView

    Floats = NDArray[np.float64]

N_OPTIONS = 4  # VSI-Bench; three where there is one turn, as there are no more
TURNS_MAX = 3
STRAIGHT_DEG = 45.0  # a smaller turn is called straight on, and not asked
TRIES_A_SLOT = 8  # routes tried for every question wanted
STOPS_MAX = 40  # objects that routes of a room lead over: walks are tried from each to each, past every box there is
ROUTES_MAX = 4000  # routes of a number of turns looked at: rooms of thirty objects have millions


def turn_name(theta_deg: float) -> str:
    """Return left, right or back; straight where there is nothing to turn."""
    if abs(theta_deg) >= BACK_DEG:
        return "back"
    if abs(theta_deg) < STRAIGHT_DEG:
        return "straight"
    return "left" if theta_deg > 0 else "right"


def turn_margin_deg(theta_deg: float) -> float:
    """Return how far a turn is from the nearest one of another name, in degrees."""
    return min(abs(abs(theta_deg) - STRAIGHT_DEG), abs(abs(theta_deg) - BACK_DEG))


@task("route_planning", shows="video", needs=("boxes", "visibility", "area"))
def route_planning(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List routes of one to three turns over objects whose labels are unique, a third of each where there are many."""
    floor = free_space(view.scene) if len(view.named) >= 3 else None
    if floor is None:
        return []
    walker, stops = Walker(view, floor), _stops(view, rng)
    drafts: list[Draft] = []
    for n_turns in range(1, TURNS_MAX + 1):
        found: list[Draft] = []
        routes = [*_routes(walker, stops, n_turns, True, rng), *_routes(walker, stops, n_turns, False, rng)]
        share = -(-limit // TURNS_MAX)
        for k in rng.permutation(len(routes))[: TRIES_A_SLOT * share].tolist():
            chain, face = routes[k]
            draft = _route(walker, chain, face, rng)
            found += [draft] if draft else []
            if len(found) == share:
                break
        drafts += found
    return [drafts[i] for i in rng.permutation(len(drafts))]


def _stops(view: SceneView, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return the objects that routes may lead over; of more than `STOPS_MAX` so many, drawn."""
    import numpy as np

    named = np.array(view.named)
    return named if len(named) <= STOPS_MAX else np.sort(rng.permutation(named)[:STOPS_MAX])


def _routes(
    walker: Walker, named: NDArray[np.intp], n_turns: int, faces_stop: bool, rng: np.random.Generator
) -> list[tuple[tuple[int, ...], int]]:
    """List (start and stops, faced object) of routes whose turns are clear by centre, `ROUTES_MAX` at the most.

    One faces the first stop and walks there at once, or faces another object and turns first.

    Args:
        named: (n,) indices of the objects that may be part of it.
    """
    import numpy as np

    need = walker.view.thresholds.direction_deg
    onward, first = (_is_clear(turns, need) for turns in _turns_by_centre(walker.flat[named]))
    some = np.array([[a != b and walker.places((a, b)) is not None for b in named.tolist()] for a in named.tolist()])
    rows = np.argwhere(some)
    for _ in range(n_turns if faces_stop else n_turns - 1):
        old, new = np.nonzero(onward[rows[:, -2], rows[:, -1]])
        rows = np.column_stack([rows[old], new])
        # every object once
        rows = rows[(rows[:, :-1] != rows[:, -1:]).all(1)]
        rows = rows[rng.permutation(len(rows))[:ROUTES_MAX]]
    if faces_stop:
        return [(tuple(row), row[1]) for row in named[rows].tolist()]
    old, face = np.nonzero(first[rows[:, 0], :, rows[:, 1]])
    apart = (rows[old] != face[:, None]).all(1)
    chosen = rng.permutation(int(apart.sum()))[:ROUTES_MAX]
    chains, faces = named[rows[old][apart][chosen]].tolist(), named[face[apart][chosen]].tolist()
    return [(tuple(chain), faced) for chain, faced in zip(chains, faces, strict=True)]


def _turns_by_centre(flat: Floats) -> tuple[Floats, Floats]:
    """Return turns (n, n, n) in degrees, left positive, between n places (n, 2).

    The first of one who comes from a to b and goes on to c, the second of one who stands at a, faces b and goes to c.
    """
    a, b, c = flat[:, None, None], flat[None, :, None], flat[None, None, :]
    return angle_deg(b, 2 * b - a, c), angle_deg(a, b, c)


def _is_clear(turns_deg: Floats, need_deg: float) -> NDArray[np.bool_]:
    """Tell which turns (...) are no straight on, and clear of boundaries."""
    import numpy as np

    size = np.abs(turns_deg)
    return np.asarray((size >= STRAIGHT_DEG + need_deg) & (np.abs(size - BACK_DEG) >= need_deg))


def _route(walker: Walker, chain: tuple[int, ...], face: int, rng: np.random.Generator) -> Draft | None:
    """Return the question on one chain if it can be walked, both readings agree and no other option leads there."""
    import numpy as np

    view = walker.view
    places = walker.places(chain)
    if places is None or outline_distance(np.stack(places[:-1]), walker.outlines[chain[-1]]).min() <= REACH_M:
        return None  # not to be walked, or the target is reached before the route ends
    faces_stop = face == chain[1]
    middles = [walker.flat[i] for i in chain]
    by_centre = list(_turns(middles, middles, walker.flat[face], faces_stop))
    walked = list(_turns(places, middles, walker.flat[face], faces_stop))
    names = [turn_name(theta) for theta in by_centre]
    margin = min(turn_margin_deg(theta) for theta in (*by_centre, *walked))
    if [turn_name(theta) for theta in walked] != names or margin < view.thresholds.direction_deg:
        return None
    right = tuple(names)
    others = [turns for turns in product(TURNS, repeat=len(right)) if turns != right]
    wrong = [others[i] for i in rng.permutation(len(others))[: N_OPTIONS - 1]]
    if not walker.arrives_by(chain, face, places[0], right):
        return None
    if any(walker.arrives_by(chain, face, places[0], turns) for turns in wrong):
        return None
    lengths = [float(((b - a) ** 2).sum() ** 0.5) for a, b in pairwise(places)]
    shortest = walker.floor.path_m(places[0], places[-1])
    return _draft(
        view, chain, face, (right, *wrong), margin, {
            "turns": float(len(right)),
            "walk_m": round(sum(lengths), 2),
            "detour": round(sum(lengths) / max(shortest, CELL_M), 2),
            "faces_stop": float(faces_stop),
        },
    )  # fmt: skip


def _turns(places: list[Floats], stops: list[Floats], face: Floats, faces_stop: bool) -> Iterator[float]:
    """Yield the turns in degrees of one who stands at each place in turn and goes for the next stop's centre.

    None at first for one who faces the first stop.
    """
    if not faces_stop:
        yield float(angle_deg(places[0], face, stops[1]))
    for k in range(1, len(stops) - 1):
        ahead = 2 * places[k] - places[k - 1]
        yield float(angle_deg(places[k], ahead, stops[k + 1]))


def _draft(
    view: SceneView,
    chain: tuple[int, ...],
    face: int,
    options: tuple[tuple[str, ...], ...],
    margin: float,
    features: dict[str, float],
) -> Draft:
    labels = [view.labels[i] for i in chain]
    texts = tuple(", ".join(f"Turn {turn.capitalize()}" for turn in turns) for turns in options)
    steps = [text for label in labels[1:] for text in (ROUTE_TURN, ROUTE_GO.format(a=label))]
    actions = " ".join(f"{k}. {text}" for k, text in enumerate(steps[1:] if face == chain[1] else steps, 1))
    return Draft(
        task="route_planning",
        template="route_planning",
        frames=view.shown,
        prompt=WORDINGS["route_planning"].format(
            start=labels[0], face=view.labels[face], target=labels[-1], steps=actions
        ),
        answer=texts[0],
        options=texts,
        unit="deg",
        program=call("route", labels[0], view.labels[face], *labels[1:]),
        margin=margin,
        lettered=True,
        balance=texts[0],
        objects=tuple(dict.fromkeys((*chain, face))),
        features=features,
    )
