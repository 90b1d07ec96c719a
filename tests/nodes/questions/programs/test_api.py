"""The scene API: its text, and every function on a scene of three boxes, worked out by hand."""

from __future__ import annotations

import ast
import inspect
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.questions.programs.facts import COLUMNS, TABLE, facts_of
from nodes.questions.programs.scene_api import api_names, api_text, facts_of_name, functions, modules, sandbox_source
from nodes.scenes.geometry import yaw_rotation
from nodes.scenes.scene import Scene
from tests.nodes.questions.programs.rooms import namespace_of, view_of

NAMES = {
    *("labels", "count", "exists", "distance", "closest", "size", "longest_side", "height", "center", "angle"),
    *("direction", "room_size", "first_seen", "appearance_order", "closer", "taller", "further_left", "round"),
}


@pytest.fixture
def api(three_boxes: Scene) -> dict[str, Any]:
    return namespace_of(facts_of(view_of(three_boxes)))


def test_measures_of_three_boxes(api: dict[str, Any]) -> None:
    red, blue, green = "red box", "blue box", "green box"
    assert api["labels"]() == [blue, green, red]
    assert [api["count"](name) for name in (red, "box")] == [1, 3]
    assert [api["count"]("box", frame=frame) for frame in (0, 1)] == [2, 1]
    assert [api["exists"](name, frame=0) for name in (red, green, "purple box")] == [True, False, False]
    assert api["exists"](green) and not api["exists"]("sofa")
    # red (2, 1) and blue (4, -1): gaps of 1 m along x and y
    assert api["distance"](red, blue) == pytest.approx(2**0.5)
    assert api["closest"](red, blue, green) == green  # 1.275 m
    assert api["size"](blue) == [2.0, 1.0, 1.0]
    assert (api["longest_side"](blue), api["height"](blue), api["center"](blue)) == (2.0, 2.0, [4.0, -1.0, 1.0])
    # at red facing blue: ahead (2, -2), green at (1, 2): cross 6, dot -2
    assert api["angle"](red, blue, green) == pytest.approx(108.4349, abs=1e-3)
    told = [api["direction"](red, blue, green, level) for level in ("easy", "medium", "hard")]
    assert told == ["left", "left", "back-left"]
    assert api["room_size"]() == 20.0
    assert [api["first_seen"](name) for name in (red, green)] == [0.0, 1.0]
    assert api["appearance_order"](green, red) == "red box, green box"
    # camera at (0, 0, 1): red is nearer by closest point and by centre; blue 2 m high; red in columns 1-2
    assert [api[name](red, blue, 0) for name in ("closer", "taller", "further_left")] == ["red", "blue", "red"]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ('distance("red box", "sofa")', "no object is called sofa; there are: blue box, green box, red box"),
        ('distance("red box", "red box")', "expected two labels"),
        ('closest("red box")', "expected labels to choose from"),
        ('direction("red box", "blue box", "green box", "harder")', "expected easy, medium or hard"),
        ('direction("red box", "blue box", "red box")', "two of them are in one place"),
        ('closer("red box", "green box", 0)', "0 objects called green box in frame 0"),
        ('appearance_order("red box", "blue box")', "the frames leave their order open"),
        ('count("box", frame=2)', "frame 2 is not shown"),
    ],
)
def test_what_is_open_is_an_error(api: dict[str, Any], call: str, text: str) -> None:
    with pytest.raises((ValueError, LookupError), match=text):
        eval(call, api)


def test_a_glimpse_answers_nothing(three_boxes: Scene) -> None:
    three_boxes.visibility[0, 1] = 0.05  # blue: under a tenth of it
    api = namespace_of(facts_of(view_of(three_boxes)))
    for call in ('count("box", frame=0)', 'exists("blue box", frame=0)', 'closer("red box", "blue box", 0)'):
        with pytest.raises(ValueError, match="only glimpsed in frame 0"):
            eval(call, api)
    for call in ('distance("red box", "blue box")', 'center("blue box")', 'count("box")'):
        with pytest.raises(ValueError, match="is not seen in the frames shown"):
            eval(call, api)


def test_only_shown_frames_count(three_boxes: Scene) -> None:
    api = namespace_of(facts_of(view_of(three_boxes, (1,))))
    assert api["labels"]() == ["green box"]
    assert list(api["FACTS"]["frames"]) == [1]
    with pytest.raises(ValueError, match="red box is not seen"):
        api["center"]("red box")


def test_an_area_that_nobody_knows_is_an_error(scene_of: Any) -> None:
    for facts in ({"area_m2": None}, {"area_assumed": True}):
        api = namespace_of(facts_of(view_of(scene_of(["bed"], [(0, 0, 0)], [(1, 1, 1)], **facts))))
        with pytest.raises(ValueError, match="area is not known"):
            api["room_size"]()


@settings(max_examples=20, deadline=None)
@given(st.floats(-3.1, 3.1), st.floats(-5, 5), st.floats(-5, 5))
def test_measures_do_not_turn_with_the_room(scene_of: Any, yaw: float, x: float, y: float) -> None:
    rng = np.random.default_rng(2)
    labels = ["bed", "chair", "door"]
    centre, size = rng.uniform(-3, 3, (3, 3)), rng.uniform(0.3, 1.5, (3, 3))
    turn, shift = yaw_rotation(yaw), np.array([x, y, 0])
    axes = np.stack([yaw_rotation(angle) for angle in (0.3, 1.0, 2.0)])
    scenes = [
        scene_of(labels, centre, size, rotation=axes),
        scene_of(labels, centre @ turn + shift, size, rotation=axes @ turn, cameras=shift + np.array([0, 0, 1])),
    ]
    calls = ['distance("bed", "door")', 'angle("bed", "chair", "door")', 'height("bed")']
    before, after = ([eval(call, namespace_of(facts_of(view_of(scene)))) for call in calls] for scene in scenes)
    assert before == pytest.approx(after, abs=1e-6)


def test_no_function_hands_out_the_facts(api: dict[str, Any]) -> None:
    """A list that a program gets is its own: changing it changes no other answer."""
    for call in ("labels()", 'size("red box")', 'center("red box")'):
        before = eval(call, api)
        eval(call, api).clear()
        assert eval(call, api) == before


def test_the_text_tells_every_function() -> None:
    text = api_text()
    assert api_names() >= NAMES
    for name, node in functions().items():
        if not name.startswith("_"):
            told = ast.get_docstring(node)
            assert told, f"{name} says nothing of itself"
            assert f"{name}({ast.unparse(node.args)})" in text
            assert told.splitlines()[0] in text
    assert "_one(" not in text


def test_every_fact_that_the_api_reads_is_known() -> None:
    known = TABLE.keys() | COLUMNS.keys()
    for name in NAMES:
        assert facts_of_name(name) <= known, name


def test_the_sandbox_gets_what_the_files_say() -> None:
    names = namespace_of({})
    for name in functions():
        assert list(inspect.signature(names[name]).parameters) == [
            *(arg.arg for arg in functions()[name].args.args),
            *([functions()[name].args.vararg.arg] if functions()[name].args.vararg else []),
        ]
    assert "nodes" not in sandbox_source()
    assert {"objects", "numbers"} <= set(modules())
