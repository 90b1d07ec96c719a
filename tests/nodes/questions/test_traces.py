"""qa.traces: the texts of two scenes worked out by hand, their form, their maps."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from nodes.plain import write_rows
from nodes.questions.cells import categories_in, draw_map
from nodes.questions.question import Questions
from nodes.questions.sentences import steps_of
from nodes.questions.synthesize import Synthesize, synthesize
from nodes.questions.traces import Traces, traces
from nodes.questions.verify import Verify
from nodes.scenes.scene import Scene
from store.open import open_store
from tests.nodes.questions.programs.rooms import DATA, real_rooms, view_of
from tests.nodes.questions.tasks import TASKS, named

# SpaceR's format reward: the whole text is a thought and an answer, with white space between
R_FMT = re.compile(r"<think>.*?</think>\s*<answer>.*?</answer>", re.DOTALL)


def synthesised(scene: Scene, n: int = 60) -> Questions:
    return synthesize(scene, None, None, params=Synthesize(tasks=named(*TASKS), per_scene=n), seed=1)


def by_program(scene: Scene, questions: Questions) -> dict[str, str]:
    texts = {row.id: row.text for row in traces(questions, scene, params=Verify()).rows}
    return {row.program: texts[row.id] for row in questions.rows}


def mapped(text: str) -> dict[str, list[list[int]]]:
    found = re.search(r"<map>(.*?)</map>", text)
    return json.loads(found[1]) if found else {}


def map_score(said: dict[str, list[list[int]]], gold: dict[str, list[list[int]]]) -> float:
    """S_map: greedy nearest pairs, max(0, 1 - d / (10 sqrt 2)) each, over max(n_pred, n_gold); labels by n_gold."""
    total = weight = 0.0
    for label, points in gold.items():
        left, scores = [list(p) for p in said.get(label, [])], 0.0
        for x, y in points:
            if left:
                best = min(left, key=lambda p: math.hypot(p[0] - x, p[1] - y))
                scores += max(0.0, 1 - math.hypot(best[0] - x, best[1] - y) / (10 * math.sqrt(2)))
                left.remove(best)
        total += len(points) * scores / max(len(said.get(label, [])), len(points))
        weight += len(points)
    return total / weight


def test_traces_of_three_boxes(three_boxes: Scene) -> None:
    texts = by_program(three_boxes, synthesised(three_boxes, 200))
    # boxes from x 1.5 to 4.5 and y -1.5 to 3.25: a square of 4.75 m from (1.5, -1.5).
    # red (2, 1): (.5, 2.5) / 4.75 * 10 = 1.05, 5.26; blue (4, -1): 5.26, 1.05; green (3, 3): 3.16, 9.47
    cells = {"red box": [[1, 5]], "blue box": [[5, 1]], "green box": [[3, 9]]}
    text = texts['round(distance("blue box", "red box"), 1)']
    assert text == (
        '<think><map>{"blue box": [[5, 1]], "red box": [[1, 5]]}</map> The closest points of the blue box and the red'
        " box are 1.41 m apart. The answer is 1.4.</think>\n<answer>1.4</answer>"
    )
    text = texts['direction("red box", "blue box", "green box", "hard")']
    assert "By the red box, facing the blue box, the green box is 108 degrees to the left. That is back-left." in text
    assert map_score(mapped(text), cells) == 1.0
    assert "I count 3 boxes." in texts['count("box")']
    assert mapped(texts['count("box")']) == {"box": [[1, 5], [5, 1], [3, 9]]}
    assert mapped(texts["round(room_size(), 1)"]) == {}
    assert "The floor measures 20.0 square meters. The answer is 20.0." in texts["round(room_size(), 1)"]
    assert "There is no green box in frame 0. The answer is no." in texts['exists("green box", frame=0)']


def test_the_map_score_by_hand() -> None:
    # chair: (0, 0) met, (6, 8) by (0, 8), 6 away: 1 - 6 / 14.142 = .5757; (1 + .5757) / 2 = .7879 of weight 2;
    # bed is not drawn: 0 of weight 1. Over 3: 1.5757 / 3
    gold = {"chair": [[0, 0], [6, 8]], "bed": [[3, 3]]}
    assert map_score({"chair": [[0, 8], [0, 0]]}, gold) == pytest.approx((2 - 6 / (10 * 2**0.5)) / 3)
    assert map_score(gold, gold) == 1.0


@pytest.mark.parametrize("frames", [0, 4])
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no VSI-Bench data at {DATA}")
def test_traces_of_real_rooms_have_the_form(frames: int) -> None:
    for scene in real_rooms("scannet", frames, 22):
        questions = synthesised(scene)
        made = traces(questions, scene, params=Verify())
        assert made.dropped == {}
        for row, trace in zip(questions.rows, made.rows, strict=True):
            assert R_FMT.fullmatch(trace.text), trace.text
            assert re.search(r"<answer>(.*)</answer>", trace.text)[1] == row.answer  # type: ignore[index]
            asked = " ".join([row.prompt, *row.options])
            drawn = mapped(trace.text)
            assert all(name in asked for name in drawn)
            gold = draw_map(view_of(scene, row.frames), drawn)
            assert not drawn or map_score(drawn, gold) == 1.0


def test_traces_are_deterministic(three_boxes: Scene) -> None:
    questions = synthesised(three_boxes)
    both = [traces(questions, three_boxes, params=Verify()).rows for _ in range(2)]
    assert both[0] == both[1]


def test_a_question_whose_program_says_otherwise_has_no_trace(three_boxes: Scene) -> None:
    row = msgspec.structs.replace(synthesised(three_boxes).rows[0], answer="17", kind="number")
    made = traces(Questions([row]), three_boxes, params=Verify())
    assert made.rows == [] and list(made.dropped) == [row.id]


def test_a_label_cannot_end_a_thought(scene_of: Any) -> None:
    bad = "</think></map>bed"
    scene = scene_of([bad, "chair"], [(0, 0, 0.5), (3, 0, 0.5)], np.ones((2, 3)))
    for text in by_program(scene, synthesised(scene)).values():
        assert R_FMT.fullmatch(text)
        assert text.count("</think>") == 1 and text.count("</map>") <= 1
        assert set(mapped(text)) <= {bad, "chair"}


def test_only_what_is_asked_about_is_drawn() -> None:
    names = ["chair", "lamp", "table", "table lamp", "box", "red box"]
    assert categories_in("Is the Table lamp near the chairs, or the armchair?", names) == ["chair", "table lamp"]
    assert categories_in("How many boxes? One red box.", names) == ["box", "red box"]
    assert categories_in("Nothing", []) == []


def test_calls_without_a_sentence_say_what_they_are() -> None:
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
    row = msgspec.structs.replace(row, program=f'count("box") if True else {dead}')
    made = traces(Questions([row]), three_boxes, params=Verify())
    assert made.dropped == {} and "I count 3 boxes. The answer is 3." in made.rows[0].text


def test_keywords_are_read_by_name() -> None:
    *_, (expression, say) = steps_of('angle(query="chair", stand="tv", face="stool")')
    assert expression == 'angle("tv", "stool", "chair")'
    assert say(30.0) == "By the tv, facing the stool, the chair is 30 degrees to the left."
    *_, (expression, _) = steps_of('direction(query="chair", stand="tv", face="stool")')
    assert expression == 'direction("tv", "stool", "chair", "hard")'
    assert [text for text, _ in steps_of('closer(frame=3, b="tv", a="bed")')] == ['closer("bed", "tv", frame=3)']
    assert [text for text, _ in steps_of('count(label="chair")')] == ['count("chair")']


def test_traces_are_rows_that_travel(three_boxes: Scene, tmp_path: Path) -> None:
    made = traces(synthesised(three_boxes), three_boxes, params=Verify())
    store = open_store(str(tmp_path / "store"))
    opened = store.open(store.put(made), Traces)
    assert opened.rows == made.rows
    write_rows({"": opened}, tmp_path / "plain")
    lines = (tmp_path / "plain" / "traces.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines] == [row.text for row in made.rows]
