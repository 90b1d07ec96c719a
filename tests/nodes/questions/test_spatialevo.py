"""What SpatialEvo's public oracle gets wrong (arXiv:2604.14144), each as a question that is answered right here."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.questions.question import Question, Questions
from nodes.questions.synthesize import Synthesize, synthesize
from nodes.questions.thresholds import Thresholds
from nodes.scenes.camera import intrinsics, look_at
from nodes.scenes.frames import Frames
from nodes.scenes.geometry import yaw_rotation
from nodes.scenes.scene import Scene
from tests.nodes.questions.tasks import named

CAMERA_TASKS = (
    "camera_direction", "camera_distance", "depth_order", "camera_position", "camera_elevation", "camera_motion",
    "object_in_other_camera", "region_in_other_camera", "visibility_compare", "attribute_measurement",
)  # fmt: skip


def stand(scene: Scene, *poses: np.ndarray) -> Scene:
    """Give the frames of a scene in memory their cameras (4, 4)."""
    scene.frames.T_wc[:] = np.stack(poses)
    scene.frames.K[:] = intrinsics(10, 60.0)
    return scene


def ask(scene: Scene, *tasks: str, **params: Any) -> dict[str, Question]:
    asked = Synthesize(tasks=named(*(tasks or CAMERA_TASKS)), per_scene=2000, **params)
    return {row.program: row for row in synthesize(scene, None, None, params=asked, seed=3).rows}


def told(question: Question) -> str:
    return next((text[3:] for text in question.options if text.startswith(f"{question.answer}. ")), question.answer)


def two_cameras(scene_of: Any, eye: Any, target: Any, **facts: Any) -> Scene:
    """The first camera stands at (0, 0, 1.5) and looks along x; a bed and a chair are seen by both."""
    scene = scene_of(["bed", "chair"], [(4, 0, 0.5), (4, 2, 0.5)], np.ones((2, 3)), **facts)
    return stand(scene, look_at((0, 0, 1.5), (1, 0, 1.5)), look_at(eye, target))


def ahead(yaw_deg: float, eye: Any = (0.0, 0.0, 1.5)) -> tuple[float, float, float]:
    """Return what a level camera looks at that is turned left from x by an angle."""
    turn = math.radians(yaw_deg)
    return eye[0] + math.cos(turn), eye[1] + math.sin(turn), eye[2]


def test_a_pan_to_the_right_is_right(scene_of: Any) -> None:
    # SpatialEvo takes yaw about world y although z is up, and says "same"
    question = ask(two_cameras(scene_of, (0, 0, 1.5), ahead(-60)), "camera_motion")["camera_motion(0, 1)"]
    # 60 degrees are 52 more than the 8 that make a turn, and 120 from where left and right meet
    assert (told(question), round(question.margin, 6), question.unit) == ("turned right", 52.0, "deg")
    left = ask(two_cameras(scene_of, (0, 0, 1.5), ahead(60)), "camera_motion")["camera_motion(0, 1)"]
    assert told(left) == "turned left"


def test_one_metre_straight_ahead_is_front(scene_of: Any) -> None:
    # SpatialEvo takes the camera's x and y, both 0 here, and says "left"
    asked = ask(two_cameras(scene_of, (1, 0, 1.5), ahead(0, (1, 0, 1.5))), "camera_position", "camera_motion")
    assert told(asked["camera_position(0, 1)"]) == "front"
    assert asked["camera_position(0, 1)"].margin == 22.5  # half of a sector
    assert told(asked["camera_position(1, 0)"]) == "back"
    assert (told(asked["camera_motion(0, 1)"]), asked["camera_motion(0, 1)"].margin) == ("moved forward", 1.0)


def test_tilting_a_camera_leaves_directions_level(scene_of: Any) -> None:
    # both look down by 45 degrees: the second is still straight ahead, though above the middle of the first's picture
    scene = two_cameras(scene_of, (1, 0, 1.5), (2, 0, 0.5))
    stand(scene, look_at((0, 0, 1.5), (1, 0, 0.5)), scene.frames.T_wc[1].copy())
    asked = ask(scene, "camera_position", "camera_motion")
    assert told(asked["camera_position(0, 1)"]) == "front"
    assert told(asked["camera_motion(0, 1)"]) == "moved forward"


def test_distances_are_to_the_closest_point(scene_of: Any) -> None:
    # centre to centre it is 3.0. A square of 1 m turned by 45 degrees reaches sqrt(2) / 2 = .707 towards the camera:
    # 3 - .707 = 2.293, which axis-aligned boxes of its extent (1.414 wide) would give as well; a bar of 2 m by .2 m
    # turned by 45 degrees at (3, 3) does not: in its axes the camera lies at (3 sqrt 2, 0) of half lengths (.1, 1):
    # 4.243 - .1 = 4.143; its axis-aligned box of (2 + .2) / sqrt 2 = 1.556 begins at 3 - .778 = 2.222: 3.143
    axes = np.stack([yaw_rotation(math.pi / 4), yaw_rotation(math.pi / 4)])
    scene = scene_of(["bed", "chair"], [(3, 0, 1), (3, 3, 1)], [(1, 1, 1), (0.2, 2, 1)], rotation=axes, frames=1)
    asked = ask(stand(scene, look_at((0, 0, 1), (1, 0, 1))), "camera_distance")
    assert asked['round(camera_distance("bed", frame=0), 1)'].answer == "2.3"
    assert asked['round(camera_distance("chair", frame=0), 1)'].answer == "4.1"
    # 2.293 would be 2.2 below 2.25
    assert round(asked['round(camera_distance("bed", frame=0), 1)'].margin, 3) == 0.043


def test_the_closest_object_is_not_the_one_whose_centre_is_closest(scene_of: Any) -> None:
    # unit cubes but for the table, 4 m long, from x = 1 to 5. From the bed's sides at .5: table 1 - .5 = .5,
    # chair 2.2 - 1 = 1.2, door 3 - 1 = 2, lamp 4 - 1 = 3; centre to centre the chair at 2.2 is before the table at 3
    labels = ["bed", "table", "chair", "door", "lamp"]
    centre = [(0, 0, 0.5), (3, 0, 0.5), (0, 2.2, 0.5), (0, -3, 0.5), (-4, 0, 0.5)]
    size = np.array([(1, 1, 1), (4, 1, 1), (1, 1, 1), (1, 1, 1), (1, 1, 1)])
    asked = ask(scene_of(labels, centre, size), "object_rel_distance", "object_abs_distance")
    nearest = asked['closest("bed", "chair", "door", "lamp", "table")']
    assert (told(nearest), round(nearest.margin, 9)) == ("table", 0.7)
    assert next(q.answer for p, q in asked.items() if '"bed"' in p and '"table"' in p and "round" in p) == "0.5"


@pytest.mark.parametrize(
    ("turn", "step", "expected"),
    [
        (6.5, 1.0, None),  # a turn from 8 on: 1.5 short of it
        (9.5, 1.0, None),  # 1.5 over
        (10.5, 1.0, "turned left"),
        (5.5, 1.0, "moved forward"),
        (0.0, 0.05, None),  # hardly moved
        (175.0, 1.0, None),  # left and right meet at 180
        (-165.0, 1.0, "turned right"),
    ],
)
def test_motions_are_not_asked_near_a_boundary(scene_of: Any, turn: float, step: float, expected: str | None) -> None:
    eye = (step, 0.0, 1.5)
    asked = ask(two_cameras(scene_of, eye, ahead(turn, eye)), "camera_motion")
    assert {program: told(question) for program, question in asked.items()} == (
        {"camera_motion(0, 1)": expected} if expected else {}
    )


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [(1.0, 0.8, None), (1.0, 0.2, "moved forward"), (-1.0, 0.2, "moved backward"), (0.1, -0.9, "moved right")],
)
def test_movements_need_one_main_axis(scene_of: Any, x: float, y: float, expected: str | None) -> None:
    # the second axis is at most three quarters of the main one
    eye = (x, y, 1.5)
    asked = ask(two_cameras(scene_of, eye, ahead(0, eye)), "camera_motion")
    assert [told(question) for question in asked.values()] == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("rise", "expected"),
    [(0.05, "about as high"), (0.11, None), (0.19, None), (0.25, "higher"), (-0.25, "lower"), (-0.19, None)],
)
def test_heights_are_not_asked_near_fifteen_centimetres(scene_of: Any, rise: float, expected: str | None) -> None:
    eye = (1.0, 0.0, 1.5 + rise)
    asked = ask(two_cameras(scene_of, eye, ahead(0, eye)), "camera_elevation")
    backwards = {"higher": "lower", "lower": "higher", "about as high": "about as high", None: None}
    # asked one way alone
    found = [told(q) if program.endswith("(0, 1)") else backwards[told(q)] for program, q in asked.items()]
    assert found == ([expected] if expected else [])


@pytest.mark.parametrize("angle", [14.0, 31.0])
def test_directions_are_not_asked_within_ten_degrees_of_a_boundary(scene_of: Any, angle: float) -> None:
    # front ends at 22.5 degrees: both are 8.5 from it, one on each side
    x, y, _ = ahead(angle)
    scene = scene_of(["bed"], [(3 * x, 3 * y, 1.5)], np.ones((1, 3)), frames=1)
    assert not ask(stand(scene, look_at((0, 0, 1.5), (1, 0, 1.5))), "camera_direction")
    loose = ask(scene, "camera_direction", thresholds=Thresholds(direction_deg=8.0))
    assert [told(question) for question in loose.values()] == ["front" if angle < 22.5 else "front-left"]


def test_labels_that_name_two_are_counted_not_dropped_in_silence(scene_of: Any) -> None:
    # two chairs in both frames: 2 x 2 candidates of every task that names an object; the bed is asked
    scene = scene_of(["bed", "chair", "chair"], [(4, 0, 1.5), (4, 2, 0.5), (4, -2, 0.5)], np.ones((3, 3)))
    stand(scene, look_at((0, 0, 1.5), (1, 0, 1.5)), look_at((0, 1, 1.5), (1, 1, 1.5)))
    questions = synthesize(scene, None, None, params=Synthesize(tasks=named(*CAMERA_TASKS), per_scene=500), seed=1)
    naming = {
        "camera_direction", "camera_distance", "depth_order", "object_in_other_camera", "visibility_compare",
        "attribute_measurement",
    }  # fmt: skip
    assert questions.ambiguous == dict.fromkeys(naming, 4)
    assert questions.summary()["ambiguous"] == questions.ambiguous
    assert Questions.summarise({"a": questions, "b": questions})["ambiguous"]["depth_order"] == "8 candidates"
    assert any('"bed"' in row.program for row in questions.rows)
    assert not any('"chair"' in row.program for row in questions.rows)


def test_sizes_are_the_boxs_own_edges(scene_of: Any) -> None:
    # along the world's axes a box of 2 m by .5 m turned by 45 degrees measures (2 + .5) / sqrt 2 = 1.768 m both ways
    axes = yaw_rotation(math.pi / 4)[None]
    scene = scene_of(["bed"], [(4, 0, 0.4)], [(0.5, 2.0, 0.8)], rotation=axes)
    asked = ask(stand(scene, *[look_at((0, 0, 1.5), (1, 0, 1.5))] * 2), "attribute_measurement")
    answers = {question.template.partition(".")[2]: question.answer for question in asked.values()}
    assert (answers, len(asked)) == ({"height": "80", "length": "200", "width": "50"}, 3)


def test_a_box_that_lies_askew_has_no_height(scene_of: Any) -> None:
    c, s = math.cos(math.radians(20)), math.sin(math.radians(20))
    axes = np.array([[[c, 0, s], [0, 1, 0], [-s, 0, c]]])  # 20 degrees from upright, 15 are allowed
    scene = scene_of(["bed"], [(4, 0, 0.4)], [(0.5, 2.0, 0.8)], rotation=axes)
    assert not ask(stand(scene, *[look_at((0, 0, 1.5), (1, 0, 1.5))] * 2), "attribute_measurement")


@settings(max_examples=20, deadline=None)
@given(st.floats(-3.1, 3.1), st.floats(-5, 5), st.floats(-5, 5), st.floats(-1, 1))
def test_no_answer_turns_with_the_world(scene_of: Any, yaw: float, x: float, y: float, z: float) -> None:
    rng = np.random.default_rng(8)
    labels = ["bed", "chair", "door", "lamp"]
    centre, size = rng.uniform(-2, 2, (4, 3)), rng.uniform(0.3, 1.5, (4, 3))
    axes = np.stack([yaw_rotation(angle) for angle in rng.uniform(0, 3, 4)])
    eyes, targets = rng.uniform(-2, 2, (8, 3)), rng.uniform(-2, 2, (8, 3))
    eyes[1], targets[1] = eyes[0] + [0.5, 0.1, 0], targets[0] + [0.5, 0.1, 0]
    share = rng.uniform(0.1, 0.5, (8, 4))
    turn, shift = yaw_rotation(yaw), np.array([x, y, z])

    def room(turn: np.ndarray, shift: np.ndarray) -> Scene:
        moved = scene_of(labels, centre @ turn + shift, size, rotation=axes @ turn, frames=8, visibility=share)
        views = zip(eyes @ turn + shift, targets @ turn + shift, strict=True)
        return stand(moved, *(look_at(eye, target) for eye, target in views))

    before, after = ask(room(np.eye(3), np.zeros(3))), ask(room(turn, shift))
    assert {program: told(q) for program, q in before.items()} == {program: told(q) for program, q in after.items()}
    assert {question.task for question in before.values()} == set(CAMERA_TASKS)


def without(scene: Scene, *names: str) -> Scene:
    kept = {name: scene.frames._arrays[name] for name in Frames.DIMS if scene.frames.has(name) and name not in names}
    scene._frames = Frames(kept)
    return scene


def test_what_a_scene_lacks_drops_just_the_tasks_that_need_it(scene_of: Any) -> None:
    params = Synthesize(tasks=named(*CAMERA_TASKS), per_scene=500)
    blind = without(two_cameras(scene_of, (1, 0, 1.5), (2, 0, 1.5)), "T_wc", "K")
    questions = synthesize(blind, None, None, params=params, seed=1)
    assert {row.task for row in questions.rows} == {"attribute_measurement"}
    assert set(questions.dropped.values()) == {"needs poses"}
    flat = without(two_cameras(scene_of, (1, 0, 1.5), (2, 0, 1.5)), "depth")
    assert synthesize(flat, None, None, params=params, seed=1).dropped == {"region_in_other_camera": "needs depth"}


def test_a_lost_pose_is_not_asked_about(scene_of: Any) -> None:
    scene = two_cameras(scene_of, (1, 0, 1.5), (2, 0, 1.5))
    scene.frames.T_wc[1] = np.nan
    asked = ask(scene)
    assert {question.frames for question in asked.values() if question.task != "attribute_measurement"} <= {(0,)}
