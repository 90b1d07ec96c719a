"""Route planning in rooms made by hand."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from nodes.questions.draft import Draft
from nodes.questions.tasks.direction import SIDES, TRIPLES_MAX, _triples, object_rel_direction_hard
from nodes.questions.tasks.route import STOPS_MAX, _stops, route_planning, turn_margin_deg, turn_name
from nodes.questions.thresholds import Thresholds
from nodes.questions.view import SceneView
from nodes.questions.walker import Walker
from nodes.scenes.grid import free_space

WALLS = ((-1, -1), (9, -1), (9, 9), (-1, 9))


def routes(scene: Any) -> dict[str, Draft]:
    found = route_planning(SceneView(scene, Thresholds()), 500, np.random.default_rng(1))
    return {draft.program: draft for draft in found}


def corner_room(scene_of: Any, *more: Any, walls: Any = WALLS) -> Any:
    """Bed at (0, 0), table at (6, 0), sofa at (6, 6), lamp at (0, 3): half-metre boxes in a large room."""
    named = [("bed", (0, 0)), ("table", (6, 0)), ("sofa", (6, 6)), ("lamp", (0, 3)), *more]
    return scene_of(
        [label for label, _ in named],
        [(*xy, 0.25) for _, xy in named],
        np.full((len(named), 3), 0.5),
        polygon=walls,
    )


@pytest.mark.parametrize(
    ("theta", "name", "margin"),
    [(90, "left", 45), (-90, "right", 45), (180, "back", 45), (-140, "back", 5), (44, "straight", 1), (130, "left", 5)],
)
def test_turns_have_names_and_margins(theta: float, name: str, margin: float) -> None:
    assert turn_name(theta) == name and turn_margin_deg(theta) == pytest.approx(margin)


def test_a_turn_at_a_table_in_the_wording_of_vsi_bench(scene_of: Any) -> None:
    draft = routes(corner_room(scene_of))['route("bed", "table", "table", "sofa")']
    assert draft.prompt == (
        "You are a robot beginning at the bed and facing the table. You want to navigate to the sofa. You will perform "
        "the following actions (Note: for each [please fill in], choose either 'turn back,' 'turn left,' or 'turn "
        "right.'): 1. Go forward until the table 2. [please fill in] 3. Go forward until the sofa. You have reached "
        "the final destination."
    )
    # along +x to the table, then up +y: by centre exactly 90. The robot stops half a metre before the table, at 5.25:
    # it sees the sofa under atan2(6, .75) = 82.9 degrees, 37.9 from 45
    assert draft.answer == "Turn Left" and set(draft.options) == {"Turn Left", "Turn Right", "Turn Back"}
    assert draft.margin == pytest.approx(37.9, abs=0.5)
    assert draft.features["turns"] == 1 and draft.features["faces_stop"] == 1


def test_a_robot_may_turn_before_it_walks(scene_of: Any) -> None:
    found = routes(corner_room(scene_of))
    # at the bed, facing the lamp (+y): the table (+x) is to the right; on to the sofa it turns left
    assert found['route("bed", "lamp", "table")'].answer == "Turn Right"
    assert found['route("bed", "lamp", "table", "sofa")'].answer == "Turn Right, Turn Left"
    assert "1. [please fill in] 2. Go forward until the table 3. [please" in (
        found['route("bed", "lamp", "table", "sofa")'].prompt
    )


def test_nobody_walks_through_a_shelf(scene_of: Any) -> None:
    assert 'route("bed", "table", "table", "sofa")' not in routes(corner_room(scene_of, ("plant", (6, 3))))
    # beside the way, a body and a cell clear of it, it is in nobody's way
    assert 'route("bed", "table", "table", "sofa")' in routes(corner_room(scene_of, ("plant", (7, 3))))


def test_nobody_walks_through_a_wall(scene_of: Any) -> None:
    # a room like an L: its inner corner at (3, 3) leaves bed - table - sofa open and shuts lamp from sofa
    walls = ((-1, -1), (9, -1), (9, 9), (4, 9), (4, 2), (-1, 2))
    found = routes(corner_room(scene_of, walls=walls))
    assert 'route("bed", "table", "table", "sofa")' in found
    assert not any("lamp" in program.split(",", 2)[2] for program in found)


def test_without_an_outline_there_is_no_route(scene_of: Any) -> None:
    assert routes(corner_room(scene_of, walls=np.zeros((0, 2)))) == {}


def test_only_the_right_turns_lead_to_the_target_in_simulation(scene_of: Any) -> None:
    scene = corner_room(scene_of)
    view = SceneView(scene, Thresholds())
    floor = free_space(scene)
    assert floor is not None
    walker = Walker(view, floor)
    chain = (0, 1, 2)  # bed, table, sofa; facing the lamp
    places = walker.places(chain)
    assert places is not None
    reached = [
        (a, b) for a in ("left", "right", "back") for b in ("left", "right", "back")
        if walker.arrives_by(chain, 3, places[0], (a, b))
    ]  # fmt: skip
    assert reached == [("right", "left")]


def test_a_target_that_one_stands_beside_already_is_no_destination(scene_of: Any) -> None:
    # one who leaves the bed for the table starts at (.75, 0), .65 m from a plant whose side is at y = -.65
    found = routes(corner_room(scene_of, ("plant", (0.6, -0.9))))
    assert not any(program.startswith('route("bed", "table"') and program.endswith('"plant")') for program in found)


def test_every_option_is_another_sequence(scene_of: Any) -> None:
    found = routes(corner_room(scene_of, ("plant", (3, 8)), ("tv", (0, 7)))).values()
    assert {draft.features["turns"] for draft in found} == {1, 2, 3}
    for draft in found:
        n = draft.features["turns"]
        assert len(set(draft.options)) == len(draft.options) == (3 if n == 1 else 4)
        assert all(len(option.split(", ")) == n for option in draft.options)


@pytest.mark.parametrize("n", [40, 41, 100])
def test_a_full_room_is_searched_for_routes_among_forty_objects(scene_of: Any, n: int) -> None:
    spots = [(1.9 * (k % 10), 1.9 * (k // 10), 0.2) for k in range(n)]
    walls = ((-2, -2), (20, -2), (20, 20), (-2, 20))
    view = SceneView(
        scene_of([f"thing {k}" for k in range(n)], spots, np.full((n, 3), 0.3), polygon=walls), Thresholds()
    )
    rng = np.random.default_rng(1)
    stops = _stops(view, rng)
    assert len(set(stops.tolist())) == STOPS_MAX == 40
    # up to forty nothing is drawn, so that such a room is asked what it was asked before
    assert (rng.random() == np.random.default_rng(1).random()) == (n == 40)


def test_two_hundred_objects_have_few_enough_triples(scene_of: Any) -> None:
    rng = np.random.default_rng(1)
    assert len(_triples(np.arange(40), rng)) == TRIPLES_MAX == 40**3
    assert rng.random() == np.random.default_rng(1).random()
    # of 200^3 = 8 million so many drawn: alike are 64,000^2 / (2 * 8 million) = 256 pairs, so some 63,744 are left
    assert 63_600 < len(_triples(np.arange(200), rng)) < 63_900
    spots = [(0.5 * (k % 15), 0.5 * (k // 15), 0.2) for k in range(200)]
    view = SceneView(scene_of([f"thing {k}" for k in range(200)], spots, np.full((200, 3), 0.1)), Thresholds())
    drafts = object_rel_direction_hard(view, 8, rng)
    assert Counter(draft.answer for draft in drafts) == dict.fromkeys(SIDES["hard"], 8)
