"""Rewards against numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from graph.action import canonical
from graph.distributions import registered
from graph.kinds import find_kind, forget_kinds
from graph.params import Mistakes, read_params
from nodes.probe import Confidence
from nodes.questions.question import Question
from nodes.rewards.accuracy import accuracy, is_right, mra, parse_number
from nodes.rewards.format import well_formed
from nodes.rewards.reward import ACCURACY, total_reward
from store.digest import digest


def _number(question: Question, answer: str) -> Question:
    return msgspec.structs.replace(question, kind="number", answer=answer, options=())


def _choice(question: Question, answer: str, *options: str) -> Question:
    return msgspec.structs.replace(question, kind="choice", answer=answer, options=options)


@pytest.mark.parametrize(
    ("said", "true", "expected"),
    [
        (4.0, 4.0, 1.0),  # error 0: all ten
        (3.0, 4.0, 0.6),  # .25 <= .50 .45 .40 .35 .30 .25: six of ten
        (5.0, 4.0, 0.6),  # the same above
        (2.0, 4.0, 0.1),  # .5 <= .50 alone
        (6.1, 4.0, 0.0),  # .525 is above every one
        (2.4, 3.0, 0.7),  # .2 is on a threshold, and 2.4 is no binary fraction: .50 .. .20 are seven
        (0.95, 1.0, 1.0),  # .05 is on the last one
        (-4.0, -4.0, 1.0),
        (0.0, 0.0, 1.0),
        (0.1, 0.0, 0.0),
        (float("nan"), 4.0, 0.0),
        (float("inf"), 4.0, 0.0),
    ],
)
def test_mra_agrees_with_hand_worked_numbers(said: float, true: float, expected: float) -> None:
    assert mra(said, true) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", ".", "-", "2 3", "1e3", "nan", "2.3.4", "two", "1_000", "²"])
def test_what_is_no_plain_number_is_unparsable(text: str) -> None:
    assert parse_number(text) is None


def test_numbers_are_read_with_sign_dot_and_final_dot() -> None:
    assert [parse_number(text) for text in ("2.3", " 221 ", "-4", "3.", ".5")] == [2.3, 221.0, -4.0, 3.0, 0.5]


def test_a_choice_is_exact_but_for_case_space_and_final_dot(some_question: Question) -> None:
    question = _choice(some_question, "red", "red", "blue")
    assert [accuracy(text, question) for text in ("red", " Red. ", "red box", "blue", "")] == [1, 1, 0, 0, 0]


def test_a_number_is_right_from_mra_one_half_on(some_question: Question) -> None:
    question = _number(some_question, "4")
    # 3 -> MRA .6; 2.8 -> error .3: .50 .45 .40 .35 .30 are five -> .5; 2.7 -> error .325: four -> .4
    assert [is_right(text, question) for text in ("3", "2.8", "2.7", "many")] == [True, True, False, False]


def test_format_accepts_options_letters_and_numbers_whether_right_or_not(some_question: Question) -> None:
    words, letters = _choice(some_question, "red", "red", "blue"), _choice(some_question, "A", "A. left", "B. right")
    assert [well_formed(text, words) for text in ("blue", "green")] == [1, 0]
    assert [well_formed(text, letters) for text in ("b", "left")] == [1, 0]
    assert [well_formed(text, _number(some_question, "4")) for text in ("9.5", "nine")] == [1, 0]


def test_rewards_add_up(some_question: Question) -> None:
    question = _choice(some_question, "red", "red", "blue")
    assert [total_reward((accuracy, well_formed), text, question) for text in ("red", "blue", "green")] == [2, 1, 0]


def test_the_default_reward_is_the_one_that_specs_call_so() -> None:
    assert ACCURACY.target == registered("dataflow.reward")[ACCURACY.name] and ACCURACY.load() is accuracy


def test_an_edited_reward_runs_again_what_names_it_and_nothing_else(tmp_path: Path) -> None:
    def keys(*rewards: str) -> tuple[str, str]:
        mistakes = Mistakes("spec")
        params = read_params(Confidence, {"rollout": {"rewards": list(rewards)}}, mistakes, "probe", Path())
        assert params is not None, mistakes.lines
        return find_kind("probe.confidence", Path()).code, digest(canonical(params))

    (tmp_path / "mine.py").write_text("def mine(text, question):\n    return 1.0\n")
    mine = f"{tmp_path}/mine.py:mine"
    alone, both = keys("accuracy"), keys("accuracy", mine)
    (tmp_path / "mine.py").write_text("def mine(text, question):\n    return 0.5\n")
    forget_kinds()
    assert keys("accuracy") == alone
    assert keys("accuracy", mine)[0] == both[0] and keys("accuracy", mine)[1] != both[1]


def test_an_unknown_reward_names_the_nearest() -> None:
    mistakes = Mistakes("spec")
    read_params(Confidence, {"rollout": {"rewards": ["acuracy"]}}, mistakes, "nodes.probe", Path())
    assert "no reward is named 'acuracy'; did you mean 'accuracy'?" in mistakes.lines[0]
