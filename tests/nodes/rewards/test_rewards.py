"""Accuracy and format against numbers worked out by hand; which edits of rewards run what again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from graph.action import canonical
from graph.distributions import registered
from graph.kinds import find_kind, forget_kinds
from graph.params import Mistakes, read_params
from graph.registry import find_code
from nodes.probe.confidence import Confidence
from nodes.rewards.accuracy import accuracy, is_right, mra, parse_number
from nodes.rewards.answer import answer_of
from nodes.rewards.format import well_formed
from nodes.rewards.reward import ACCURACY, needs_of, score
from nodes.update.grpo import Grpo
from store.digest import digest
from tests.nodes.rewards.batches import batch, choice, number


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


@pytest.mark.parametrize("text", ["", ".", "-", "2 3", "1e3", "nan", "2.3.4", "two", "1_000", "²", "9" * 400])
def test_what_is_no_plain_number_is_unparsable(text: str) -> None:
    assert parse_number(text) is None


def test_numbers_are_read_with_sign_dot_and_final_dot() -> None:
    assert [parse_number(text) for text in ("2.3", " 221 ", "-4", "3.", ".5")] == [2.3, 221.0, -4.0, 3.0, 0.5]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("red ", "red"),
        ("<think>blue</think> <answer> red </answer>", "red"),
        ("<answer>a</answer> no, <answer>b</answer>", "b"),  # the last one
        ("<answer>a</answer> <answer>", "a"),  # one that was cut off is none
        ("<answer>a</answer> </answer>", "a"),
        ("<answer>a", "<answer>a"),
        ("a</answer>", "a</answer>"),
    ],
)
def test_the_answer_is_what_the_last_tags_hold(text: str, expected: str) -> None:
    assert answer_of(text) == expected


def test_a_choice_is_exact_but_for_case_space_and_final_dot() -> None:
    said = ("red", " Red. ", "red box", "blue", "", "<think>blue</think><answer>Red</answer>")
    assert accuracy(batch(choice("red", "red", "blue"), *said)) == [1, 1, 0, 0, 0, 1]


def test_a_number_is_right_from_mra_one_half_on() -> None:
    # 3 -> MRA .6; 2.8 -> error .3: .50 .45 .40 .35 .30 are five -> .5; 2.7 -> error .325: four -> .4
    assert [is_right(text, number("4")) for text in ("3", "2.8", "2.7", "many")] == [True, True, False, False]


def test_format_accepts_options_letters_and_numbers_whether_right_or_not() -> None:
    assert well_formed(batch(choice("red", "red", "blue"), "blue", "green")) == [1, 0]
    assert well_formed(batch(choice("A", "A. left", "B. right"), "b", "left")) == [1, 0]
    assert well_formed(batch(number("4"), "9.5", "nine", "<think>x</think> <answer>7</answer>")) == [1, 0, 1]


def test_the_default_reward_is_the_one_that_specs_call_so() -> None:
    assert ACCURACY.target == registered("dataflow.reward")[ACCURACY.name] and ACCURACY.load() is accuracy


def params_of(kind: type[Struct], *rewards: str, folder: Path = Path()) -> Any:
    mistakes = Mistakes("spec")
    params = read_params(kind, {"rewards": list(rewards)}, mistakes, "nodes.x", folder)
    assert params is not None, mistakes.lines
    return params


@pytest.mark.parametrize(("kind", "name"), [(Confidence, "probe.confidence"), (Grpo, "update.grpo")])
def test_an_edited_reward_runs_again_what_names_it_and_nothing_else(kind: type, name: str, tmp_path: Path) -> None:
    def keys(*rewards: str) -> tuple[str, str]:
        return find_kind(name, Path()).code, digest(canonical(params_of(kind, *rewards)))

    (tmp_path / "mine.py").write_text("def mine(batch):\n    return [1.0 for _ in batch.texts]\n")
    mine = f"{tmp_path}/mine.py:mine"
    alone, both = keys("accuracy"), keys("accuracy", mine)
    (tmp_path / "mine.py").write_text("def mine(batch):\n    return [0.5 for _ in batch.texts]\n")
    forget_kinds()
    assert keys("accuracy") == alone
    assert keys("accuracy", mine)[0] == both[0] and keys("accuracy", mine)[1] != both[1]


def test_a_reward_of_a_users_file_scores_and_says_what_it_needs(tmp_path: Path) -> None:
    text = """
        from nodes.rewards.length import in_band
        from nodes.rewards.reward import reward

        @reward(needs=("shuffled",))
        def short(batch):
            return in_band(batch, 1, 3)
    """
    (tmp_path / "own.py").write_text("\n".join(line[8:] for line in text.splitlines()))
    (named,) = params_of(Grpo, "own.py:short", folder=tmp_path).rewards  # beside the spec
    question = choice("red", "red", "blue")
    assert score(named, batch(question, "red", "red", n_tokens=[3, 4], shuffled=[])) == [0.2, 0]
    with pytest.raises(ValueError, match="short': needs shuffled rollouts beside these, which an update alone draws"):
        score(named, batch(question, "red"))
    assert needs_of([named, ACCURACY]) == ("shuffled",)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("[float('nan')]", "nan for question 'q', expected a finite number"),
        ("[1, 2]", "2 values, expected 1, one a rollout"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("['a']", "ValueError: could not convert string to float: 'a'"),
        ("None", "TypeError: 'NoneType' object is not iterable"),
    ],
)
def test_a_reward_that_gives_no_numbers_fails_by_its_name(body: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(f"def bad(batch):\n    return {body}\n")
    (named,) = params_of(Confidence, f"{tmp_path}/bad.py:bad").rewards
    with pytest.raises(ValueError, match=r"reward '.*bad.py:bad': ") as caught:
        score(named, batch(choice("red", "red", "blue"), "red"))
    assert str(caught.value).endswith(said)


def test_an_unknown_reward_names_the_nearest() -> None:
    mistakes = Mistakes("spec")
    read_params(Confidence, {"rewards": ["acuracy"]}, mistakes, "nodes.probe", Path())
    assert "no reward is named 'acuracy'; did you mean 'accuracy'?" in mistakes.lines[0]


def test_no_reward_counts_the_code_of_another() -> None:
    leaves = set(registered("dataflow.reward")) - {"accuracy", "format", "spacer_map"}  # which others are made of
    for name, target in registered("dataflow.reward").items():
        module, _, attribute = target.partition(":")
        code = find_code(module, attribute)
        reached = {unit.partition(".py:")[0].removeprefix("nodes/rewards/") for unit in code.units}
        assert reached & leaves <= {module.rpartition(".")[2]} and not code.folders, name
