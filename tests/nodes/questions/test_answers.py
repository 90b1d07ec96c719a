"""Every task's answer on a scene of three boxes, worked out by hand, and what must not be asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.questions.question import Question
from nodes.questions.synthesize import Synthesize, synthesize
from nodes.questions.task import task
from nodes.questions.thresholds import Thresholds
from nodes.scenes.frames import Frames
from nodes.scenes.geometry import yaw_rotation
from nodes.scenes.sample import SampleFrames, sample_frames, sample_scene
from nodes.scenes.scene import Scene
from tests.nodes.questions.tasks import IMAGE_TASKS, VIDEO_TASKS, named


def by_program(scene: Scene, *tasks: str, n: int = 400, frames: int = 8, **params: Any) -> dict[str, Question]:
    sample = sample_scene(scene, params=SampleFrames(n=frames))
    questions = synthesize(scene, sample, None, params=Synthesize(tasks=named(*tasks), per_scene=n, **params), seed=3)
    return {row.program: row for row in questions.rows}


def told(question: Question) -> str:
    """Return the answer in words: an option's text where options have letters."""
    return next((text[3:] for text in question.options if text.startswith(f"{question.answer}. ")), question.answer)


def either(questions: dict[str, Question], task: str, a: str, b: str, frame: int) -> Question:
    return questions.get(f'{task}("{a}", "{b}", frame={frame})') or questions[f'{task}("{b}", "{a}", frame={frame})']


def test_image_answers_of_three_boxes(three_boxes: Scene) -> None:
    asked = by_program(three_boxes, *IMAGE_TASKS)
    red, blue, green = "red box", "blue box", "green box"
    # camera (0, 0, 1). Closest points: red (1.5, .5, 1): sqrt(2.5) = 1.581; blue (3.5, -.5, 1): sqrt(12.5) = 3.536.
    # Centres: red (2, 1, .5): sqrt(5.25) = 2.291; blue (4, -1, 1): sqrt(17) = 4.123.
    # The smaller gain: 4.123 - 2.291 = 1.832
    closer = either(asked, "closer", red, blue, 0)
    assert (closer.answer, round(closer.margin, 3), closer.unit) == ("red", 1.832, "m")
    # 2 m against 1 m
    taller = either(asked, "taller", red, blue, 0)
    assert (taller.answer, taller.margin) == ("blue", 1.0)
    # columns 1-2: mean (1.5 + 2.5) / 2 = 2 of 10; columns 6-7: 7 of 10
    left = either(asked, "further_left", red, blue, 0)
    assert (left.answer, round(left.margin, 9), left.unit) == ("red", 0.5, "width")
    assert [asked[f'count("box", frame={frame})'].answer for frame in (0, 1)] == ["2", "1"]
    assert [asked[f'exists("{label}", frame=0)'].answer for label in (red, blue, green)] == [
        "yes",
        "yes",
        "no",
    ]
    assert [asked[f'exists("{label}", frame=1)'].answer for label in (red, blue, green)] == [
        "no",
        "no",
        "yes",
    ]
    # the colours that the room lacks
    assert asked['exists("purple box", frame=0)'].answer == "no"
    assert not any(green in q.program and q.frames == (0,) and q.task != "exists" for q in asked.values())


def test_room_answers_of_three_boxes(three_boxes: Scene) -> None:
    asked = by_program(three_boxes, *VIDEO_TASKS)
    number = {program: q.answer for program, q in asked.items() if q.kind == "number"}
    # red-blue: gaps 3.5 - 2.5 = 1 and .5 + .5 = 1: sqrt 2. red-green: .25 and 2.75 - 1.5 = 1.25: 1.275.
    # blue-green: .25 and 2.75 + .5 = 3.25: 3.260
    assert number == {
        'count("box")': "3",
        'round(distance("blue box", "red box"), 1)': "1.4",
        'round(distance("green box", "red box"), 1)': "1.3",
        'round(distance("blue box", "green box"), 1)': "3.3",
        'round(100 * longest_side("red box"))': "100",
        'round(100 * longest_side("blue box"))': "200",
        'round(100 * longest_side("green box"))': "50",
        "round(room_size(), 1)": "20.0",
    }
    # the answer would be 1.5 from 1.45 on: 1.45 - 1.4142 = .0358; on the other side 1.35: .0642
    assert round(asked['round(distance("blue box", "red box"), 1)'].margin, 4) == 0.0358


def test_directions_of_three_boxes(three_boxes: Scene) -> None:
    asked = by_program(three_boxes, *VIDEO_TASKS)
    # at red (2, 1), facing blue (4, -1): ahead (2, -2); green (3, 3): (1, 2). cross 2*2 + 2*1 = 6, dot 2 - 4 = -2:
    # theta = atan2(6, -2) = 108.43 degrees to the left
    seen_from = '"red box", "blue box", "green box"'
    told_by_level = [told(asked[f'direction({seen_from}, "{level}")']) for level in ("easy", "medium", "hard")]
    assert told_by_level == ["left", "left", "back-left"]
    # easy: 180 - 108.43; medium: 135 - 108.43; hard: 108.43 - 90
    margins = [round(asked[f'direction({seen_from}, "{level}")'].margin, 2) for level in ("easy", "medium", "hard")]
    assert margins == [71.57, 26.57, 18.43]
    # facing green, blue is as far to the right
    assert told(asked['direction("red box", "green box", "blue box", "hard")']) == "back-right"


def test_relative_distance_takes_the_nearest_instance(scene_of: Any) -> None:
    # unit cubes on a line; gaps to the bed at 0: chair 1.0 (the other one 8.0), door 2.0, lamp 3.0, sofa 4.0
    labels = ["bed", "chair", "chair", "door", "lamp", "sofa"]
    centre = [(x, 0, 0.5) for x in (0, 2, 9, 3, 4, 5)]
    scene = scene_of(labels, centre, np.ones((6, 3)))
    question = by_program(scene, "object_rel_distance")['closest("bed", "chair", "door", "lamp", "sofa")']
    assert (told(question), question.margin, question.chance) == ("chair", 1.0, 0.25)
    assert sorted(text[3:] for text in question.options) == ["chair", "door", "lamp", "sofa"]


def test_relative_distance_is_not_asked_of_near_ties(scene_of: Any) -> None:
    # gaps to the bed: 1.0, 1.1 (too near to 1.0), 3.0, 4.0: only sets with both are impossible, and there is one set
    labels = ["bed", "chair", "door", "lamp", "sofa"]
    scene = scene_of(labels, [(x, 0, 0.5) for x in (0, 2, -2.1, 4, 5)], np.ones((5, 3)))
    assert not any('closest("bed"' in program for program in by_program(scene, "object_rel_distance"))


def test_appearance_order_follows_the_frames(scene_of: Any) -> None:
    # frame k shows objects 0..k, one frame a second
    instance = np.zeros((4, 10, 10), int)
    for frame in range(4):
        for k in range(frame + 1):
            instance[frame, k] = k + 1
    scene = scene_of(["sofa", "bed", "tv", "door"], np.zeros((4, 3)), np.ones((4, 3)), instance=instance)
    (question,) = by_program(scene, "obj_appearance_order").values()
    assert (told(question), question.margin) == ("sofa, bed, tv, door", 1.0)
    assert len(set(question.options)) == 4
    # two shown frames hold too few first appearances
    assert by_program(scene, "obj_appearance_order", frames=2) == {}


def test_a_glimpsed_object_is_neither_counted_nor_denied(three_boxes: Scene) -> None:
    three_boxes.visibility[0, 1] = 0.05  # blue in frame 0: pixels, but under a tenth of it
    asked = by_program(three_boxes, *IMAGE_TASKS)
    assert 'count("box", frame=0)' not in asked
    assert 'exists("blue box", frame=0)' not in asked
    assert not any(q.task == "closer" for q in asked.values())


def test_equal_labels_are_not_named(scene_of: Any) -> None:
    scene = scene_of(["chair", "chair", "bed"], [(1, 0, 0), (3, 0, 0), (5, 0, 0)], np.ones((3, 3)))
    asked = by_program(scene, *IMAGE_TASKS, *VIDEO_TASKS)
    assert {q.task for q in asked.values() if '"chair"' in q.program} == {
        "exists",
        "count",
        "object_counting",
        "count_identity",
    }


def test_counts_that_the_source_contradicts_are_not_asked(scene_of: Any) -> None:
    boxes = [(1, 0, 0), (3, 0, 0)], np.ones((2, 3))
    assert len(by_program(scene_of(["chair", "chair"], *boxes), "object_counting")) == 1
    assert by_program(scene_of(["chair", "chair"], *boxes, counts={"chair": 3}), "object_counting") == {}


def test_an_assumed_area_is_not_asked(scene_of: Any) -> None:
    scene = scene_of(["bed"], [(1, 0, 0)], [(1, 1, 1)], area_assumed=True)
    assert by_program(scene, "room_size_estimation") == {}


def test_a_drawn_room_of_another_size_than_stated_is_not_asked(scene_of: Any) -> None:
    # the polygon is 5 m by 4 m: 20 m2. 20.5 is 2.4 % more than drawn, 21.5 is 7 %
    asked = {
        area: bool(by_program(scene_of(["bed"], [(1, 0, 0)], [(1, 1, 1)], polygon_assumed=True, area_m2=area), task))
        for area in (20.5, 21.5)
        for task in ("room_size_estimation",)
    }
    assert asked == {20.5: True, 21.5: False}


def test_video_tasks_ask_only_of_what_the_shown_frames_show(three_boxes: Scene) -> None:
    # the middle one of two frames is frame 1, which shows green alone
    asked = by_program(three_boxes, *VIDEO_TASKS, frames=1)
    assert set(asked) == {'round(100 * longest_side("green box"))', "round(room_size(), 1)"}
    assert all(q.frames == (1,) for q in asked.values())


def test_shown_frames_are_a_uniform_sample() -> None:
    assert sample_frames(24, 4) == (0, 7, 15, 23)
    assert sample_frames(24, 1) == (12,)
    assert sample_frames(3, 8) == (0, 1, 2)


@settings(max_examples=25, deadline=None)
@given(st.floats(-3.1, 3.1), st.floats(-5, 5), st.floats(-5, 5))
def test_answers_do_not_turn_with_the_room(scene_of: Any, yaw: float, x: float, y: float) -> None:
    rng = np.random.default_rng(5)
    labels = ["bed", "chair", "door", "lamp", "sofa", "tv"]
    centre, size = rng.uniform(-3, 3, (6, 3)), rng.uniform(0.3, 1.5, (6, 3))
    axes = np.stack([yaw_rotation(angle) for angle in rng.uniform(0, 3, 6)])
    turn, shift = yaw_rotation(yaw), np.array([x, y, 0])
    walls = np.array([[-4.0, -4], [4, -4], [4, 5], [-4, 5]])
    moved = scene_of(
        labels,
        centre @ turn + shift,
        size,
        rotation=axes @ turn,
        cameras=shift + np.array([0, 0, 1]),
        turn=turn,
        polygon=walls @ turn[:2, :2] + shift[:2],
    )
    tasks = (*VIDEO_TASKS, "closer", "taller")
    before = by_program(scene_of(labels, centre, size, rotation=axes, polygon=walls), *tasks)
    after = by_program(moved, *tasks)
    assert {program: told(q) for program, q in before.items()} == {program: told(q) for program, q in after.items()}
    assert len(before) > 100


def test_bad_params_are_named() -> None:
    with pytest.raises(ValueError, match=r"tasks = \['count', 'count'\]: a task stands twice"):
        Synthesize(tasks=named("count", "count"))
    with pytest.raises(ValueError, match=r"per_frame = 8: task 'object_counting' shows several frames"):
        Synthesize(tasks=named("object_counting"), per_frame=8)


def test_a_scene_whose_arrays_disagree_is_named(scene_of: Any) -> None:
    scene = scene_of(["bed", "chair"], [(1, 0, 0)], [(1, 1, 1)])
    with pytest.raises(ValueError, match="scene 'hand': 1 rows of centre, expected 2, one a label"):
        by_program(scene, "count")
    scene = scene_of(["bed"], [(1, 0, 0)], [(1, 1, 1)], visibility=np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"scene 'hand': visibility has shape \(2, 3\), expected \(2, 1\)"):
        by_program(scene, "count")


def test_an_empty_room_asks_its_size_alone(scene_of: Any) -> None:
    scene = scene_of([], [], [])
    assert set(by_program(scene, *IMAGE_TASKS, *VIDEO_TASKS)) == {"round(room_size(), 1)"}


def test_tasks_that_a_scene_cannot_give_are_told(scene_of: Any) -> None:
    scene = scene_of(["bed", "chair"], [(1, 0, 0), (3, 0, 0)], np.ones((2, 3)), area_m2=None)
    blank = {"rgb": np.zeros((2, 8, 8, 3), np.uint8), "time_s": np.arange(2.0)}
    scene._frames = Frames(blank)  # a video without cameras, depth or ids
    tasks = ("object_abs_distance", "room_size_estimation", "closer", "exists")
    asked = synthesize(scene, None, None, params=Synthesize(tasks=named(*tasks)), seed=1)
    assert asked.rows == [] and asked.dropped == {
        "object_abs_distance": "needs visibility",
        "room_size_estimation": "needs area",
        "closer": "needs instances, poses",
        "exists": "needs instances",
    }
    unseen = scene_of(["bed", "chair"], [(1, 0, 0), (3, 0, 0)], np.ones((2, 3)), frames=0)
    unseen._frames = None  # annotations alone: taken as seen whole
    asked = synthesize(unseen, None, None, params=Synthesize(tasks=named(*tasks)), seed=1)
    assert {row.task for row in asked.rows} == {"object_abs_distance", "room_size_estimation"}


def test_a_task_declares_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"task 'higher': 'boxs': expected one of .*; did you mean 'boxes'\?"):
        task("higher", shows="video", needs=("boxs",))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"'vdeo'.*did you mean 'video'"):
        task("higher", shows="vdeo", needs=())  # type: ignore[arg-type]


def test_thresholds_are_params(three_boxes: Scene) -> None:
    strict = Thresholds(left_width=0.6)
    assert by_program(three_boxes, "further_left", thresholds=strict) == {}


def test_a_box_that_the_picture_cuts_is_not_judged_by_its_height(three_boxes: Scene) -> None:
    program = 'taller("red box", "blue box", frame=0)'
    assert program in by_program(three_boxes, "taller") or 'taller("blue box", "red box", frame=0)' in by_program(
        three_boxes, "taller"
    )
    # a narrow view: blue's side at y = -1.5, 3.5 m ahead, falls on 5 + 20 * 1.5 / 3.5 = 13.6 of 10 columns
    three_boxes.frames.K[:, 0, 0] = 20
    assert by_program(three_boxes, "taller") == {}


def test_what_the_source_counts_more_often_than_it_has_boxes_is_not_named(scene_of: Any) -> None:
    labels = ["bed", "chair", "door", "lamp", "sofa"]
    centre = np.array([(0, 0, 0), (2, 0, 0), (0, 3, 0), (3, 3, 0), (1.5, 1.5, 0)])
    counts = {**dict.fromkeys(labels, 1), "lamp": 2}
    tasks = [name for name in (*VIDEO_TASKS, *IMAGE_TASKS) if name != "exists"]
    assert any('"lamp"' in program for program in by_program(scene_of(labels, centre, np.ones((5, 3)) / 4), *tasks))
    scene = scene_of(labels, centre, np.ones((5, 3)) / 4, counts=counts)
    asked = by_program(scene, *tasks)
    assert asked and not any('"lamp"' in program for program in asked)
