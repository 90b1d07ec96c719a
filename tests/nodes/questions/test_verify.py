"""qa.verify: what stays, what is dropped with which reason, and what a changed room runs again."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from nodes.questions.question import Question, Questions
from nodes.questions.synthesize import Synthesize, synthesize
from nodes.questions.thresholds import Thresholds
from nodes.questions.traces import traces
from nodes.questions.verify import Verify, verify
from nodes.scenes.scene import Scene
from store.collection import Collection
from store.open import open_store
from tests.nodes.questions.tasks import TASKS, named


@pytest.fixture
def made(three_boxes: Scene) -> Questions:
    return synthesize(three_boxes, None, None, params=Synthesize(tasks=named(*TASKS), per_scene=200), seed=1)


def first(questions: Questions, task: str) -> Question:
    return next(row for row in questions.rows if row.task == task)


def why(row: Question, scene: Scene | None, **params: Any) -> str:
    return verify(Questions([row]), scene, params=Verify(**params)).dropped.get(row.id, "")


def test_every_question_of_ours_stays(made: Questions, three_boxes: Scene) -> None:
    checked = verify(made, three_boxes, params=Verify())
    assert checked.rows == made.rows
    assert len(made.rows) > 40
    assert checked.dropped == made.dropped


def test_reasons(made: Questions, three_boxes: Scene) -> None:
    room, near = first(made, "room_size_estimation"), first(made, "closer")
    change = msgspec.structs.replace
    told = [
        (change(room, answer="21.0"), "answer: said 20.0, answer 21.0"),
        (change(near, answer="green"), f"answer: said {near.answer}, answer green"),
        (
            change(room, program='distance("red box", "sofa")'),
            "error: LookupError: no object is called sofa; there are:",
        ),
        (change(room, program="while room_size():\n    pass\n1"), "time: TimeoutError: feed time limit exceeded"),
        (change(room, program="str(room_size())"), "answer: said '20.0', expected a finite number"),
        (change(room, program="[1, 2][count('box')]"), "error: IndexError"),
        (change(room, frames=(0, 9)), "frames: scene 'hand' has 2 frames; the sample names [0, 9]"),
        (change(room, scene="other"), "scene: 'other' is not among the scenes"),
    ]
    for row, text in told:
        assert why(row, three_boxes).startswith(text)
    assert why(room, None) == "scene: 'hand' is not among the scenes"


def test_what_holds_is_what_the_shown_frames_show(made: Questions, three_boxes: Scene) -> None:
    row = next(row for row in made.rows if row.program == 'round(100 * longest_side("red box"))')
    assert why(row, three_boxes) == ""
    # frame 1 shows green alone
    told = why(msgspec.structs.replace(row, frames=(1,)), three_boxes)
    assert told == "error: ValueError: a red box is not seen in the frames shown"


def test_thresholds_are_params(made: Questions, three_boxes: Scene) -> None:
    told = why(first(made, "closer"), three_boxes, thresholds=Thresholds(visibility_min=0.9))
    assert "only glimpsed" in told


def test_a_moved_box_is_noticed(made: Questions, scene_of: Any, three_boxes: Scene) -> None:
    instance = np.stack([three_boxes.frames.instance(k) for k in range(2)])
    centre = three_boxes.centre + np.array([(0, 0, 0), (0.5, 0, 0), (0, 0, 0)])  # blue, by half a metre
    moved = scene_of(three_boxes.labels, centre, three_boxes.size, instance=instance)
    checked = verify(made, moved, params=Verify())
    # red-blue: gaps 4.5 - .5 - 2.5 = 1.5 and 1: sqrt(3.25) = 1.803
    row = next(row for row in made.rows if row.program == 'round(distance("blue box", "red box"), 1)')
    assert checked.dropped[row.id] == "answer: said 1.8, answer 1.4"
    assert all("blue" in row.program for row in made.rows if row.id in checked.dropped)


def test_pools_keep_their_form(made: Questions, three_boxes: Scene, tmp_path: Any) -> None:
    store = open_store(str(tmp_path))
    bad = msgspec.structs.replace(made.rows[0], id="bad", program='count("sofa")')
    checked = verify(Questions([*made.rows, bad]), three_boxes, params=Verify())
    opened = store.open(store.put(Collection(Questions, {"hand": checked})), Collection[Questions])["hand"]
    assert opened.rows == made.rows
    assert opened.dropped["bad"].startswith("error: LookupError: no object is called sofa")


def test_general_questions_stay(made: Questions, three_boxes: Scene) -> None:
    general = msgspec.structs.replace(made.rows[0], id="general", scene="", program="")
    assert verify(Questions([general]), None, params=Verify()).rows == [general]
    assert verify(Questions([general, made.rows[1]]), three_boxes, params=Verify()).rows == [general, made.rows[1]]
    assert traces(Questions([general]), None, params=Verify()).dropped == {"general": "program: it has none"}
