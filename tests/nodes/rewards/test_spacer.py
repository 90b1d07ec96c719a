"""SpaceR's rewards, worked out by hand: form, length, temporal."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from nodes.rewards.length import in_band, length, length_short
from nodes.rewards.reward import Batch, needs_of
from nodes.rewards.spacer_map import r_acc, s_map, spacer_map
from nodes.rewards.temporal import temporal
from nodes.rewards.think_format import think_format
from tests.nodes.rewards.batches import ASKED, batch, choice, number, traced


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>a</think><answer>b</answer>", 1),
        ("<think>a\nb</think> \n <answer>\n</answer>", 1),
        ("<think></think><answer></answer>", 1),
        ("<think>a</think><answer>b</answer><answer>c</answer>", 1),  # as the paper's expression has it
        ("<think>a</think>, so <answer>b</answer>", 0),
        ("so <think>a</think><answer>b</answer>", 0),
        ("<think>a</think><answer>b</answer>.", 0),
        ("<think>a<answer>b</answer>", 0),
        ("<answer>b</answer><think>a</think>", 0),
        ("<think></answer>", 0),
        ("b", 0),
    ],
)
def test_think_format_is_a_thought_and_an_answer_and_nothing_else(text: str, expected: float) -> None:
    assert think_format(batch(ASKED, text)) == [expected]


def test_length_pays_right_rollouts_within_the_band_where_two_are_right() -> None:
    right, wrong = "red", "blue"
    tokens = [320, 512, 319, 513, 400]
    assert length(batch(ASKED, right, right, right, right, wrong, n_tokens=tokens)) == [0.2, 0.2, 0, 0, 0]
    assert length(batch(ASKED, right, wrong, n_tokens=[400, 400])) == [0, 0]  # one alone
    assert length_short(batch(ASKED, right, right, n_tokens=[40, 65])) == [0.2, 0]
    assert in_band(batch(ASKED, right, right, n_tokens=[7, 8]), 8, 8) == [0, 0.2]


def test_length_counts_each_group_for_itself_and_takes_a_near_number() -> None:
    # 3 of 4 is MRA .6; 2 of 4 is .1, not above .1
    texts, asked = ["3", "2", "3", "4"], [number("4")] * 4
    assert length(Batch(texts, asked, [400] * 4, [0, 0, 1, 1])) == [0, 0, 0.2, 0.2]


def test_temporal_pays_right_rollouts_of_groups_that_keep_up_with_shuffled_frames() -> None:
    # 2 of 4 right: .5; shuffled 3 of 5 = .6, .8 x .6 = .48 <= .5; 2 of 3 = .67, .8 x .67 = .53 > .5
    texts = ("red", "blue", "red", "blue")
    assert temporal(batch(ASKED, *texts, shuffled=["red"] * 3 + ["blue"] * 2)) == [0.3, 0, 0.3, 0]
    assert temporal(batch(ASKED, *texts, shuffled=["red", "red", "blue"])) == [0, 0, 0, 0]
    assert temporal(batch(ASKED, "blue", shuffled=["blue"])) == [0]
    # MRA of 82, 52 and 71 for 100: .7, .1 and .5. (.7 + .1) / 2 is .8 x .5, and .1 is not above .1
    assert temporal(batch(number("100"), "82", "52", shuffled=["71"])) == [0.3, 0]
    assert needs_of([]) == () and temporal.__needs__ == ("shuffled",)


def test_temporal_gives_nothing_where_there_is_no_other_order() -> None:
    assert temporal(batch(replace(ASKED, frames=(3,)), "red", shuffled=["blue"])) == [0]
    assert temporal(batch(ASKED, "red", shuffled=[])) == [0]


def test_the_map_score_takes_the_closest_pairs_first() -> None:
    # chairs (0, 0) and (0, 3), said (0, 2) and (0, 9): the closest pair is (0, 2)-(0, 3), 1 apart; then (0, 9)-(0, 0).
    # 2 - 10 / 14.142 over 2 = .6464. In order of the true ones it would be 2 + 6 = 8: .7172
    true = {"chair": [(0.0, 0.0), (0.0, 3.0)]}
    assert s_map({"chair": [(0, 2), (0, 9)]}, true) == pytest.approx(1 - 5 / (10 * 2**0.5))


def test_the_map_score_weighs_categories_by_their_objects() -> None:
    # chair: (0, 0) met, (6, 8) by (0, 8), 6 away; bed not drawn: (1 + 1 - 6 / 14.142) / 2 of weight 2, 0 of weight 1
    true = {"chair": [(0.0, 0.0), (6.0, 8.0)], "bed": [(3.0, 3.0)]}
    assert s_map({"chair": [(0, 8), (0, 0)]}, true) == pytest.approx((2 - 6 / (10 * 2**0.5)) / 3)
    assert s_map(true, true) == 1.0
    # one chair too many: (1 + 1) / 3 of weight 2
    assert s_map({"chair": [(0, 0), (6, 8), (9, 9)]}, true) == pytest.approx(2 / 3 * 2 / 3)
    assert s_map({"sofa": [(0, 0)]}, true) == 0.0 and s_map({"chair": [(1e308, -1e308)]}, true) == 0.0


CELLS = '{"bed": [[2, 2]], "tv": [[2, 6]]}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"<think><map>{CELLS}</map></think><answer>A</answer>", 2.0),
        ("<map>{'bed': [[2, 2]]}</map><answer>A</answer>", 0.0),  # no JSON: drawn, and worth nothing
        ("<map></map><answer>A</answer>", 0.0),
        ('<map>{"sofa": [[2, 2]]}</map><answer>A</answer>', 0.0),
        ('<map>{" Bed ": [[2, 2]]}</map> <answer>A</answer>', 1.5),  # half of the objects
        ("<answer>A</answer>", 1.0),  # no map
        ("<map>{}<answer>A</answer>", 1.0),  # nor one that has no end
        (f"<map>{CELLS}</map><answer>B</answer>", 0.0),  # wrong, however well it is drawn
    ],
)
def test_r_acc_of_a_choice(text: str, expected: float) -> None:
    question = traced(choice("A", "A. left", "B. right"), CELLS)
    assert spacer_map(batch(question, text)) == [pytest.approx(expected)]


def test_r_acc_of_a_number_asks_for_more_than_one_half() -> None:
    question = traced(number("4"), CELLS)
    drawn, blank = f"<map>{CELLS}</map>", "<map>{}</map>"
    # 3 -> MRA .6 > .5: + 1, or 0; 2.8 -> MRA .5: as it is, whatever the map
    texts = [f"{cells}<answer>{said}</answer>" for said in ("3", "2.8") for cells in (drawn, blank)]
    assert spacer_map(batch(question, *texts)) == pytest.approx([1.6, 0, 0.5, 0.5])


def test_a_question_without_a_true_map_is_accuracy_alone() -> None:
    assert r_acc("<map>{}</map><answer>red</answer>", ASKED) == 1.0
    assert (
        r_acc("<map>{}</map><answer>red</answer>", replace(ASKED, trace="<think>So.</think><answer>red</answer>")) == 1
    )
