"""qa.traces: the texts of two scenes worked out by hand, their form, their maps."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from nodes.plain import write_rows
from nodes.questions.cells import categories_in, draw_map
from nodes.questions.question import Questions
from nodes.questions.sentences import steps_of
from nodes.questions.synthesize import Synthesize, synthesize
from nodes.questions.traces import traces
from nodes.questions.verify import Verify
from nodes.rewards.answer import answer_of
from nodes.rewards.maps import map_of
from nodes.rewards.spacer_map import s_map
from nodes.rewards.think_format import thinks
from nodes.scenes.scene import Scene
from store.open import open_store
from tests.nodes.questions.programs.rooms import DATA, real_rooms, view_of
from tests.nodes.questions.tasks import TASKS, named


def synthesised(scene: Scene, n: int = 60) -> Questions:
    return synthesize(scene, None, None, params=Synthesize(tasks=named(*TASKS), per_scene=n), seed=1)


def by_program(scene: Scene, questions: Questions) -> dict[str, str]:
    return {row.program: row.trace for row in traces(questions, scene, params=Verify()).rows}


def mapped(text: str) -> dict[str, list[list[int]]]:
    found = re.search(r"<map>(.*?)</map>", text)
    return json.loads(found[1]) if found else {}


def test_traces_of_three_boxes(three_boxes: Scene) -> None:
    texts = by_program(three_boxes, synthesised(three_boxes, 200))
    # the camera looks along +x: what is (x, y) in the scene is (-y, x) on the map. Boxes from x 1.5 to 4.5 and y -1.5
    # to 3.25 make a square of 4.75 m from (-3.25, 1.5). red (2, 1) -> (-1, 2): (2.25, .5) / 4.75 * 10 = 4.74, 1.05;
    # blue (4, -1) -> (1, 4): 8.95, 5.26; green (3, 3) -> (-3, 3): .53, 3.16
    cells = {"red box": [[4, 1]], "blue box": [[8, 5]], "green box": [[0, 3]]}
    text = texts['round(distance("blue box", "red box"), 1)']
    assert text == (
        '<think><map>{"blue box": [[8, 5]], "red box": [[4, 1]]}</map> The closest points of the blue box and the red'
        " box are 1.41 m apart. The answer is 1.4.</think>\n<answer>1.4</answer>"
    )
    text = texts['direction("red box", "blue box", "green box", "hard")']
    assert "By the red box, facing the blue box, the green box is 108 degrees to the left. That is back-left." in text
    assert s_map(map_of(text), cells) == 1.0
    assert "I count 3 boxes." in texts['count("box")']
    assert mapped(texts['count("box")']) == {"box": [[4, 1], [8, 5], [0, 3]]}
    assert mapped(texts["round(room_size(), 1)"]) == {}
    assert "The floor measures 20.0 square meters. The answer is 20.0." in texts["round(room_size(), 1)"]
    assert "There is no green box in the image. The answer is no." in texts['exists("green box", frame=0)']


@pytest.mark.parametrize("frames", [0, 4])
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no VSI-Bench data at {DATA}")
def test_traces_of_real_rooms_have_the_form(frames: int) -> None:
    for scene in real_rooms("scannet", frames, 22):
        questions = synthesised(scene)
        made = traces(questions, scene, params=Verify())
        assert made.dropped == questions.dropped
        assert [replace(row, trace="") for row in made.rows] == questions.rows
        for row in made.rows:
            assert thinks(row.trace), row.trace
            assert answer_of(row.trace) == row.answer
            asked = " ".join([row.prompt, *row.options])
            drawn = mapped(row.trace)
            assert all(name in asked for name in drawn)
            gold = draw_map(view_of(scene, row.frames), drawn)
            assert not drawn or s_map(map_of(row.trace), gold) == 1.0


def test_traces_are_deterministic(three_boxes: Scene) -> None:
    questions = synthesised(three_boxes)
    both = [traces(questions, three_boxes, params=Verify()).rows for _ in range(2)]
    assert both[0] == both[1]


def test_a_question_whose_program_says_otherwise_has_no_trace(three_boxes: Scene) -> None:
    row = replace(synthesised(three_boxes).rows[0], answer="17", kind="number")
    made = traces(Questions([row]), three_boxes, params=Verify())
    assert made.rows == [] and list(made.dropped) == [row.id]


def test_a_label_cannot_end_a_thought(scene_of: Any) -> None:
    bad = "</think></map>bed"
    scene = scene_of([bad, "chair"], [(0, 0, 0.5), (3, 0, 0.5)], np.ones((2, 3)))
    for text in by_program(scene, synthesised(scene)).values():
        assert thinks(text)
        assert text.count("</think>") == 1 and text.count("</map>") <= 1
        assert set(mapped(text)) <= {bad, "chair"}


def test_only_what_is_asked_about_is_drawn() -> None:
    names = ["chair", "lamp", "table", "table lamp", "box", "red box"]
    assert categories_in("Is the Table lamp near the chairs, or the armchair?", names) == ["chair", "table lamp"]
    assert categories_in("How many boxes? One red box.", names) == ["box", "red box"]
    assert categories_in("Nothing", []) == []


@pytest.mark.parametrize("degrees", [0, 45, 90, 200])
def test_the_map_turns_with_the_room_and_its_camera(degrees: float, scene_of: Any) -> None:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    centre = np.array([(2, 1, 0.5), (4, -1, 0.5), (3.2, 2, 0.5)])
    boxes = {"rotation": np.repeat(turn[None], 3, axis=0), "turn": turn}
    scene = scene_of(["bed", "tv", "chair"], centre @ turn, np.ones((3, 3)), **boxes)
    # (x, y) -> (-y, x) from (-2.5, 1.5), 4 m wide: bed (-1, 2): 3.75, 1.25; tv (1, 4): 8.75, 6.25; chair 1.25, 4.25
    assert draw_map(view_of(scene), scene.labels) == {"bed": [[3, 1]], "tv": [[8, 6]], "chair": [[1, 4]]}


def test_a_camera_that_looks_down_leaves_the_axes_of_the_scene(scene_of: Any) -> None:
    down = np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]])  # forward (1, 0, 0) becomes (0, 0, -1)
    scene = scene_of(["bed", "tv"], [(0.5, 0.5, 0.5), (9.5, 5.5, 0.5)], np.ones((2, 3)), turn=down)
    assert draw_map(view_of(scene), scene.labels) == {"bed": [[0, 0]], "tv": [[9, 5]]}


def test_calls_without_a_sentence_say_what_they_are() -> None:
    ((_, say),) = steps_of("camera_motion(3, 7)")
    assert say("turned left") == "Camera motion: turned left."
    ((_, say),) = steps_of('attribute("bed", "height", frame=3)')
    assert say(1.5) == "Attribute (bed, height): 1.50."
    ((expression, say),) = steps_of('size("bed")')
    assert (expression, say(2)) == ("size('bed')", "Size (bed): 2.")
    assert [text for text, _ in steps_of('closest("bed", "tv", "door")')] == [
        *('distance("bed", "tv")', 'distance("bed", "door")', 'closest("bed", "tv", "door")'),
    ]


@pytest.mark.parametrize(
    "dead", ["count()", 'closer("a", "b")', 'distance("a")', "longest_side()", "exists(**3)", 'angle("a", b="c")']
)
def test_a_call_that_never_runs_and_never_could_is_no_crash(three_boxes: Scene, dead: str) -> None:
    (row,) = [row for row in synthesised(three_boxes, 200).rows if row.program == 'count("box")']
    row = replace(row, program=f'count("box") if True else {dead}')
    made = traces(Questions([row]), three_boxes, params=Verify())
    assert list(made.dropped) == [] and "I count 3 boxes. The answer is 3." in made.rows[0].trace


def test_keywords_are_read_by_name() -> None:
    *_, (expression, say) = steps_of('angle(query="chair", stand="tv", face="stool")')
    assert expression == 'angle("tv", "stool", "chair")'
    assert say(30.0) == "By the tv, facing the stool, the chair is 30 degrees to the left."
    *_, (expression, _) = steps_of('direction(query="chair", stand="tv", face="stool")')
    assert expression == 'direction("tv", "stool", "chair", "hard")'
    assert [text for text, _ in steps_of('closer(frame=3, b="tv", a="bed")')] == ['closer("bed", "tv", frame=3)']
    assert [text for text, _ in steps_of('count(label="chair")')] == ['count("chair")']


def test_traces_are_a_pool_that_travels(three_boxes: Scene, tmp_path: Path) -> None:
    made = traces(synthesised(three_boxes), three_boxes, params=Verify())
    store = open_store(str(tmp_path / "store"))
    opened = store.open(store.put(made), Questions)
    assert opened.rows == made.rows and all(row.trace for row in opened.rows)
    write_rows({"": opened}, tmp_path / "plain")
    lines = (tmp_path / "plain" / "questions.jsonl").read_text().splitlines()
    assert [json.loads(line)["trace"] for line in lines] == [row.trace for row in made.rows]


def test_what_was_dropped_before_stays_told(three_boxes: Scene) -> None:
    questions = synthesised(three_boxes)
    general = replace(questions.rows[0], id="general", scene="", program="", frames=(), frames_digest="")
    made = traces(questions.with_rows([general], {"x": "answer: said 1"}), three_boxes, params=Verify())
    assert made.rows == []
    assert {**questions.dropped, "x": "answer: said 1", "general": "program: it has none"} == made.dropped
    assert Questions.summarise({"s": made})["dropped"]["program"] == 1
