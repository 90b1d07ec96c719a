"""MindCube's reward of an agent, worked out by hand: 5 + .5 (assertions + map + retrieval), each -.5..1."""

from __future__ import annotations

import time

import pytest

from nodes.questions.programs.program import run_programs
from nodes.rewards.maps import map_of
from nodes.rewards.mindcube import assertions_in, map_facts, mindcube
from tests.nodes.rewards.batches import ASKED, batch, choice, traced

CELLS = '{"bed": [[2, 2]], "tv": [[2, 6]], "chair": [[5, 3], [7, 3]]}'
QUESTION = traced(choice("A", "A. left", "B. right"), CELLS)


def score(cells: str, *assertions: str, answer: str = "A") -> float:
    said = "".join(f"<assert>{text}</assert>" for text in assertions)
    return mindcube(batch(QUESTION, f"<think><map>{cells}</map>{said}</think><answer>{answer}</answer>"))[0]


def test_all_that_holds_and_all_that_does_not() -> None:
    assert score(CELLS, 'count("chair") == 2', 'distance("bed", "tv") == 4') == 6.5  # 5 + .5 * 3
    assert score("{}", 'count("chair") == 3') == 4.25  # 5 - .5 * 1.5
    assert score(CELLS, answer="B") == 0
    assert mindcube(batch(QUESTION, "A", "B")) == [4.25, 0]


def test_assertions_are_true_or_not() -> None:
    # by the bed, facing the tv (along +y), the chairs are no one object; the tv is on the left of the line bed -> ...
    facts = map_facts(map_of(f"<map>{CELLS}</map>") or {})
    stated = ['count("chair")', 'closest("bed", "tv", "chair")', 'distance("bed", "chair") < 4', 'center("tv")[1]']
    values = [outcome.value for outcome in run_programs(facts, stated)]
    assert values == [2, "chair", True, 6]  # (2, 2) to (5, 3): sqrt 10 = 3.2 against 4
    half = score(CELLS, 'count("chair") == 2', 'count("chair") == 3')  # (1 - .5) / 2 = .25
    assert half == pytest.approx(5 + 0.5 * (0.25 + 1 + 1))
    for false in ("1", "'True'", 'height("bed") > 0', 'exists("bed", frame=0)', "room_size() > 0", "1 +", "True", ""):
        assert score(CELLS, false) == pytest.approx(5 + 0.5 * (-0.5 + 1 + 1)), false


def test_directions_of_the_map_hold_in_the_best_rotation() -> None:
    # turned by 90 degrees, (x, y) -> (-y, x), moved by 9 to stay on the map: all three pairs hold
    turned = '{"bed": [[7, 2]], "tv": [[3, 2]], "chair": [[6, 5], [6, 7]]}'
    assert score(turned, 'count("bed") == 1') == pytest.approx(6.5)
    # the chairs' mean moves below the bed: bed-tv and tv-chair hold, bed-chair does not: (1 + 1 - .5) / 3 = .5
    lower = '{"bed": [[2, 2]], "tv": [[2, 6]], "chair": [[5, 1], [7, 1]]}'
    assert score(lower, 'count("bed") == 1') == pytest.approx(5 + 0.5 * (1 + 0.5 + 1))


def test_retrieval_counts_categories_drawn_with_the_right_number() -> None:
    # bed and tv right, one chair of two where their mean is: (1 + 1 - .5) / 3 = .5
    fewer = '{"bed": [[2, 2]], "tv": [[2, 6]], "chair": [[6, 3]], "sofa": [[0, 0]]}'
    assert score(fewer, 'count("bed") == 1') == pytest.approx(5 + 0.5 * (1 + 1 + 0.5))


def test_without_a_true_map_a_right_answer_is_five() -> None:
    assert mindcube(batch(ASKED, "red", "blue", "<map>{}</map><answer>red</answer>")) == [5, 0, 5]


def test_one_category_has_no_directions() -> None:
    question = traced(choice("A", "A. left", "B. right"), '{"bed": [[2, 2]]}')
    text = '<map>{"bed": [[9, 9]]}</map><assert>count("bed") == 1</assert><answer>A</answer>'
    assert mindcube(batch(question, text)) == [5 + 0.5 * (1 + 0 + 1)]


def test_the_first_eight_assertions_are_run() -> None:
    assert assertions_in("<assert>a</assert>" * 20) == ["a"] * 8
    assert assertions_in("<assert>a <assert> b</assert> <assert>c") == ["b"]
    assert score(CELLS, *['count("bed") == 1'] * 8, "False") == 6.5


def test_hostile_assertions_are_false_in_bounded_time() -> None:
    begin = time.perf_counter()
    hostile = ['[1] * 10**9 and count("bed")', 'sum(range(10**12)) + count("bed")', "__import__('os')", "((" * 2000]
    hostile += ['count("bed") == 1', 'count("bed" * 10**9)', "while True: count('bed')\ncount('bed')"]
    expected = (1 - 0.5 * (len(hostile) - 1)) / len(hostile)
    assert score(CELLS, *hostile) == pytest.approx(5 + 0.5 * (expected + 1 + 1))
    assert time.perf_counter() - begin < 10
