"""Programs: every template's says its answer, in the sandbox and in CPython; what values become; what is refused."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.questions.programs.calls import call
from nodes.questions.programs.facts import facts_of
from nodes.questions.programs.program import answer_text, disagreement, expected, run_programs
from nodes.questions.programs.screen import screen
from nodes.questions.question import Question
from nodes.questions.synthesize import Synthesize, synthesize
from nodes.questions.thresholds import Thresholds
from nodes.questions.verify import Verify, check
from nodes.questions.view import SceneView
from nodes.scenes.scene import Scene
from tests.nodes.questions.programs.rooms import DATA, namespace_of, real_rooms, value_of, view_of
from tests.nodes.questions.tasks import TASKS, named


def asked(scenes: list[Scene], n: int = 60, **params: Any) -> list[tuple[Scene, list[Question]]]:
    wanted = Synthesize(tasks=named(*TASKS), per_scene=n, **params)
    return [(scene, synthesize(scene, None, None, params=wanted, seed=4).rows) for scene in scenes]


def wrong(pools: list[tuple[Scene, list[Question]]], **params: Any) -> list[str]:
    found = [check(rows, scene, Verify(**params)) for scene, rows in pools]
    return [f"{row.program} {row.answer}: {reason}" for each in found for row, reason in each if reason]


def test_every_task_of_generated_rooms_says_its_answer(generated: list[Scene]) -> None:
    pools = asked(generated[::4])
    assert wrong(pools) == []
    assert {row.task for _, rows in pools for row in rows} >= {"count", "closer", "object_abs_distance"}


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no VSI-Bench data at {DATA}")
@pytest.mark.parametrize(("data_set", "frames", "step"), [("scannet", 0, 1), ("arkitscenes", 0, 1), ("scannet", 4, 8)])
def test_every_task_of_real_rooms_says_its_answer(data_set: str, frames: int, step: int) -> None:
    assert wrong(asked(real_rooms(data_set, frames, step), n=32)) == []


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no VSI-Bench data at {DATA}")
def test_the_sampled_distance_rule_says_its_answers() -> None:
    assert wrong(asked(real_rooms("scannet", 0, 40), n=16, distance="vsi"), distance="vsi") == []


def test_plain_python_says_the_same(generated: list[Scene]) -> None:
    for scene, rows in asked(generated[::15], n=40):
        for row in rows:
            assert disagreement(value_of(row, scene), row) == "", row.program


def test_values_become_answers() -> None:
    assert [answer_text(value) for value in ("left", 3, 2.0, -0.0, True, False)] == [
        *("left", "3", "2.0", "0.0"),
        *("yes", "no"),
    ]
    with pytest.raises(ValueError, match="nan: expected a finite number"):
        answer_text(float("nan"))


def question(**facts: Any) -> Question:
    text = dict.fromkeys(("id", "scene", "place", "split", "frames_digest", "task", "template", "prompt", "terms"), "")
    plain = {"frames": (), "options": (), "kind": "choice", "unit": "", "program": "", "margin": 1.0, "chance": 0.0}
    return Question(**{**text, **plain, "features": {}, **facts})


def test_a_letter_stands_for_its_option() -> None:
    row = question(options=("A. front-left", "B. back"), answer="B")
    assert expected(row) == "back"
    assert disagreement("back", row) == ""
    assert disagreement("B", row) == "said B, answer back"
    assert expected(question(options=("yes", "no"), answer="no")) == "no"
    assert disagreement(False, question(options=("yes", "no"), answer="no")) == ""


def test_a_number_is_compared_as_a_number() -> None:
    row = question(kind="number", answer="2.0")
    assert disagreement(2, row) == ""
    assert disagreement(2.1, row) == "said 2.1, answer 2.0"
    for value in ("2.0", True, float("inf"), float("nan")):
        assert "expected a finite number" in disagreement(value, row)


@pytest.fixture
def facts(scene_of: Any) -> dict[str, Any]:
    # unit cubes on a line
    scene = scene_of(["bed", "chair", "chair", "door"], [(x, 0, 0.5) for x in (0, 2, 9, 3)], np.ones((4, 3)))
    return facts_of(view_of(scene))


def test_programs_longer_than_a_call(facts: dict[str, Any]) -> None:
    programs = {
        'min([name for name in labels() if name != "bed"], key=lambda name: distance("bed", name))': "chair",
        'import math\ngap = center("door")[0] - center("bed")[0]\nmath.floor(gap)': 3,
        "def twice(n):\n    return 2 * n\ntwice(count('chair'))": 4,
        "total = 0\nfor name in labels():\n    total += count(name)\ntotal": 4,
        '"yes" if count("chair") > count("bed") else "no"': "yes",
        'exists("chair")': True,
        'round(distance("bed", "door"), 1)': 2.0,
        "f\"{count('chair')} chairs\"": "2 chairs",
    }
    outcomes = run_programs(facts, list(programs))
    assert [(outcome.value, outcome.detail) for outcome in outcomes] == [(value, "") for value in programs.values()]


def test_what_is_refused_says_why(facts: dict[str, Any]) -> None:
    told = {
        'count("bed': "syntax: line 1: unterminated string literal (detected at line 1)",
        'count("chairs")': "error: LookupError: no object is called chairs; there are: bed, chair, door",
        'longest_side("chair")': "error: ValueError: 2 objects are called chair: expected one",
        'count("bed", frame=7)': "error: LookupError: frame 7 is not shown",
        'center("bed")': "value: [0.0, 0.0, 0.5]: expected text, a number, True or False",
        '"left"': "forbidden: it asks nothing of the scene: expected a call of its functions",
        'count = count("bed")\ncount': "forbidden: another count",
        'FACTS["counts"] or count("bed")': "forbidden: FACTS",
        'n = count("bed")': "syntax: no value: expected an expression at the end",
        'import os\ncount("bed")': "forbidden: import os",
        '"x" * 1000 * count("bed")': "value: longer than 400 characters: 'xxx",
        'cuont("bed") + count("bed")': "error: NameError: name 'cuont' is not defined",
    }
    outcomes = run_programs(facts, list(told))
    for outcome, expected_text in zip(outcomes, told.values(), strict=True):
        assert f"{outcome.reason}: {outcome.detail}".startswith(expected_text)
        assert outcome.value is None


def test_facts_hold_what_programs_can_reach_alone(scene_of: Any) -> None:
    scene = scene_of(["bed", "chair", "chair", "door"], [(x, 0, 0.5) for x in (0, 2, 9, 3)], np.ones((4, 3)))
    assert set(facts_of(view_of(scene), ['count("bed")'])) == {"groups", "instances", "counts", "seen", "frames"}
    # bed 0 to the chairs 1 and 2: faces at .5; 1.5 and 8.5
    distance = facts_of(view_of(scene), ['distance("bed", "chair")'])["distance"]
    assert distance == [[None, 1.0, 8.0, None], [1.0] + [None] * 3, [8.0] + [None] * 3, [None] * 4]
    every = facts_of(view_of(scene), ['min(labels(), key=lambda x: distance("bed", x))'])["distance"]
    assert sum(value is None for row in every for value in row) == 4  # the diagonal
    assert set(facts_of(view_of(scene), ["room_size()"])) == {"area_m2"}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_rounding_is_pythons_own(values: list[float]) -> None:
    # also the numbers that lie next to a half: .35 is just below it
    values = [*values, *(round(value, 1) + 0.05 for value in values), 0.35, 2.675, 0.25, -0.04]
    names = namespace_of({})
    assert [names["round"](value, 1) for value in values] == [round(value, 1) + 0.0 for value in values]
    programs = [f"round({value!r}, 1)" for value in values]
    assert [outcome.value for outcome in run_programs({}, programs)] == [round(value, 1) + 0.0 for value in values]


@settings(max_examples=200)
@given(st.text(max_size=12))
def test_a_label_may_be_any_text(label: str) -> None:
    assert ast.literal_eval(call("", label)) == label
    assert call("count", '17" tv', frame=2) == 'count("17\\" tv", frame=2)'


def test_plain_programs_are_told_from_others() -> None:
    plain = ['count("bed")', "[x for x in labels()][0]", "max(labels(), key=lambda a: count(a) + 1)"]
    others = [
        *("(lambda len: len)(1) + room_size()", "[max for max in labels()]", '"".join(labels())'),
        *("(x := labels())", "x = labels()\nx", "labels() + RESULTS", "[VALUE for VALUE in labels()]"),
    ]
    assert [screen(text).is_plain for text in plain + others] == [True] * len(plain) + [False] * len(others)


FORK = """
import os, sys
from nodes.questions.programs.program import run_programs
facts = {"counts": {"bed": 2}, "groups": {}, "seen": []}
first = run_programs(facts, ['count("bed")'])
child = os.fork()
if child == 0:
    try:
        run_programs(facts, ['count("bed")'])
    except RuntimeError as error:
        sys.exit(7)
    sys.exit(1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), run_programs(facts, ['count("bed")']) == first)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_is_told_and_takes_nothing_from_its_parent() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "7 True", done.stderr


def test_a_number_of_very_many_digits_is_refused(three_boxes: Scene) -> None:
    program = 'count("box") + 10**350'
    view = SceneView(three_boxes, Thresholds())
    (outcome,) = run_programs(facts_of(view, [program]), [program])
    assert (outcome.value, outcome.reason) == (None, "value") and "351 digits" in outcome.detail


def test_what_the_source_counts_and_has_no_box_for_is_not_answered(scene_of: Any) -> None:
    scene = scene_of(
        ["bed", "chair"], [(0, 0, 0), (2, 0, 0)], np.ones((2, 3)), counts={"bed": 2, "sofa": 3, "chair": 1}
    )
    programs = ['count("sofa")', 'exists("sofa")', 'count("bed")', 'longest_side("bed")', 'distance("bed", "chair")']
    outcomes = run_programs(facts_of(SceneView(scene, Thresholds()), programs), programs)
    assert [outcome.reason for outcome in outcomes] == ["error"] * 5
    assert all("the source counts" in outcome.detail for outcome in outcomes)
