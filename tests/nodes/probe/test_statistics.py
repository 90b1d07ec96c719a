"""Every measure of a probe against numbers worked out by hand."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from graph.node import Named
from nodes.probe.confidence import Confidence, probe
from nodes.probe.probe import ProbeRow
from nodes.probe.statistics import zero_groups
from nodes.rewards.reward import ACCURACY, Batch, reward
from nodes.rollouts.rollouts import Rollouts
from tests.nodes.probe.made import number, said
from tests.nodes.questions.filters.test_filters import pool, question

FORMAT = Named("format", "nodes.rewards.format:well_formed")


def probed_row(rollouts: Rollouts, *rows: object, **params: object) -> ProbeRow:
    return probe(rollouts, pool(*rows), None, params=Confidence(**params)).rows[0]  # type: ignore[arg-type]


def test_a_choice_is_right_or_wrong() -> None:
    row = question("q")
    found = probed_row(said({"q": ["bed", "Bed.", "chair", "bed"]}, [row]), row)
    assert found.pass_rate == found.mean_accuracy == 0.75
    assert found.reward_variance == 0.75 * 0.25


def test_a_number_has_a_mean_accuracy_beside_its_pass_rate() -> None:
    # MRA of 4.0, 3.0, 2.0, "far" for 4: 1, .6, .1, 0. Two of four reach .5; the mean is 1.7 / 4.
    row = number("q", "4.0")
    rollouts = said({"q": ["4.0", "3.0", "2.0", "far"]}, [row])
    found = probed_row(rollouts, row)
    assert found.pass_rate == 0.5 and found.mean_accuracy == pytest.approx(0.425)
    # mean of squares (1 + .36 + .01) / 4 = .3425, less .425^2 = .180625
    assert found.reward_variance == pytest.approx(0.161875)
    assert probed_row(rollouts, row, right_at=0.7).pass_rate == 0.25


@pytest.mark.parametrize("k", [2, 3, 6, 7])
def test_equal_rollouts_have_no_variance_to_the_last_bit(k: int) -> None:
    # 3.0 for 4 has an MRA of .6, 3.2 one of .7; .7 + .7 + .7 is 2.0999999999999996
    row = number("q", "4.0")
    for text in ("3.0", "3.2"):
        assert probed_row(said({"q": [text] * k}, [row]), row).reward_variance == 0


@pytest.mark.parametrize(
    ("totals", "group", "expected"),
    [
        ([1, 1, 1, 0], 2, 1 / 2),  # of the 6 pairs, the 3 among the three ones
        ([1, 1, 0, 0], 2, 1 / 3),  # 1 + 1 of 6
        ([1, 1, 1, 0], 3, 1 / 4),  # 1 of 4 triples
        ([1, 1, 1, 0], 4, 0.0),
        ([1, 1, 1, 1], 4, 1.0),
        ([1, 1, 1, 1, 1, 1, 0, 0], 4, 15 / 70),  # C(6, 4) + 0 of C(8, 4)
        ([0.5, 0.5, 0.5 + 1e-12, 0.5], 4, 0.0),  # equal is equal: however small, there is an advantage
    ],
)
def test_zero_group_is_the_share_of_equal_groups(totals: list[float], group: int, expected: float) -> None:
    assert zero_groups(np.array([totals]), group) == pytest.approx([expected])


def test_fewer_rollouts_than_a_group_tell_nothing_of_it() -> None:
    assert np.isnan(zero_groups(np.ones((1, 3)), 4)).all()


def test_a_group_is_silent_if_the_sums_of_its_rewards_agree() -> None:
    # accuracy 1 0 0 0, format 1 1 1 0: sums 2 1 1 0, so one of six pairs; accuracy alone, three of six.
    row = question("q")
    rollouts = said({"q": ["bed", "chair", "chair", "it is the bed"]}, [row])
    assert probed_row(rollouts, row, rewards=(ACCURACY, FORMAT), group=2).zero_group == pytest.approx(1 / 6)
    both = probed_row(rollouts, row, group=2)
    assert both.zero_group == pytest.approx(1 / 2)
    # The variance is of accuracy, whatever is rewarded: 1/4 x 3/4.
    assert both.reward_variance == probed_row(rollouts, row, rewards=(FORMAT,), group=2).reward_variance == 0.1875


def test_probabilities_of_the_answer_leave_the_end_out_or_count_it() -> None:
    row = number("q", "4.0")
    found = probed_row(said({"q": ["4.0"]}, [row], answers=[[0.5, 0.25, 0.5, 0.8]]), row)
    assert found.p_geo == pytest.approx((0.5 * 0.25 * 0.5) ** (1 / 3))
    assert found.p_joint == pytest.approx(0.5 * 0.25 * 0.5 * 0.8)


def test_an_answer_of_one_token_awaits_no_end() -> None:
    row = question("q")
    found = probed_row(said({"q": ["bed"]}, [row], answers=[[0.3]]), row)
    assert found.p_geo == found.p_joint == pytest.approx(0.3)


def test_answers_of_different_lengths_keep_to_themselves() -> None:
    rows = [number("a", "4.0"), question("b"), number("c", "12")]
    rollouts = said({row.id: ["x"] for row in rows}, rows, answers=[[0.5, 0.5, 0.9], [0.3], [0.2, 0.0]])
    found = probe(rollouts, pool(*rows), None, params=Confidence()).rows
    assert [row.p_geo for row in found] == pytest.approx([0.5, 0.3, 0.2])
    assert [row.p_joint for row in found] == pytest.approx([0.225, 0.3, 0.0])  # an end that never comes: 0


def test_p_option_is_the_true_one_among_the_options() -> None:
    # Words: .2 / (.2 + .1). Letters: B of .1 .3 .1, 3/5. Numbers have none.
    words, letters = question("w"), question("l", options=("A. left", "B. right", "C. back"), answer="B")
    rows = [words, letters, number("n", "3")]
    rollouts = said({row.id: ["x"] for row in rows}, rows, options=[[0.2, 0.1], [0.1, 0.3, 0.1], []])
    found = probe(rollouts, pool(*rows), None, params=Confidence()).rows
    assert [row.p_option for row in found[:2]] == pytest.approx([2 / 3, 3 / 5]) and math.isnan(found[2].p_option)


def test_p_option_of_very_improbable_options_is_still_a_share() -> None:
    row = question("q")
    rollouts = said({"q": ["x"]}, [row])
    rollouts._drawn = rollouts.drawn()._replace(option_logprobs=np.array([-2000.0, -2000.0 - math.log(3)]))
    assert probed_row(rollouts, row).p_option == pytest.approx(0.75)


def test_p_thought_is_a_mean_over_the_rollouts_that_thought() -> None:
    row = question("q")
    thoughts = np.log([[0.2, 0.6, np.nan]])
    assert probed_row(said({"q": ["x"] * 3}, [row], thought_logprobs=thoughts), row).p_thought == pytest.approx(0.4)
    assert math.isnan(probed_row(said({"q": ["x"] * 3}, [row]), row).p_thought)


def test_answers_agree_by_value_and_not_by_spelling() -> None:
    # 2, 2.0, 2. are one answer, 3 and "two" others: 3/5, 1/5, 1/5.
    row = number("q", "4.0")
    texts = ["2", "<think>a b</think><answer> 2.0 </answer>", "2.", "3", "two"]
    found = probed_row(said({"q": texts}, [row]), row)
    assert found.majority_share == 0.6
    assert found.entropy == pytest.approx(-(0.6 * math.log(0.6) + 2 * 0.2 * math.log(0.2)))


def test_a_policy_that_says_one_thing_has_no_entropy() -> None:
    row = question("q")
    found = probed_row(said({"q": ["chair", "Chair", "chair."]}, [row]), row)
    assert (found.majority_share, found.entropy, found.pass_rate) == (1.0, 0.0, 0.0)


def silence(batch: Batch) -> list[float]:
    return [math.nan if text == "chair" else 1.0 for text in batch.texts]


@reward(needs=("shuffled",))
def needy(batch: Batch) -> list[float]:
    raise AssertionError("has no companions here")


def test_a_reward_that_is_no_number_is_named_with_its_question() -> None:
    row = question("q")
    mine = Named("silence", f"{__name__}:silence")
    with pytest.raises(ValueError, match=r"^reward 'silence': nan for question 'q', expected a finite number$"):
        probed_row(said({"q": ["bed", "chair"]}, [row]), row, rewards=(ACCURACY, mine))


def test_a_reward_that_needs_companions_is_left_out_and_said_so() -> None:
    row = question("q")
    rollouts, mine = said({"q": ["bed", "chair"]}, [row]), Named("needy", f"{__name__}:needy")
    probed = probe(rollouts, pool(row), None, params=Confidence((ACCURACY, mine), group=2))
    assert list(probed.rewards()) == ["accuracy"] and probed.rows[0].zero_group == 0.0
    assert probed.summary()["left_out"] == {"needy": "needs shuffled rollouts, which are not drawn"}
    alone = probe(rollouts, pool(row), None, params=Confidence((mine,), group=2))
    assert alone.rewards() == {} and math.isnan(alone.rows[0].zero_group)


def test_rollouts_of_another_pool_are_refused() -> None:
    rollouts = said({"q": ["bed"]}, [question("q")])
    with pytest.raises(ValueError, match=r"rollouts of question 'q', which is not in the pool of 1 questions"):
        probed_row(rollouts, question("other"))
    with pytest.raises(ValueError, match=r"question 'q' was asked with 2 options and has 3 in the pool"):
        probed_row(rollouts, question("q", options=("bed", "chair", "lamp")))
    with pytest.raises(ValueError, match=r"two questions have the id 'q'"):
        probed_row(rollouts, question("q"), question("q", scene="b"))


def test_no_question_at_all_is_no_mistake() -> None:
    probed = probe(said({}, []), pool(), None, params=Confidence())
    assert probed.rows == [] and probed.calibration == []
    assert probed.summary() == {"questions": 0, "pass_rate": {}, "without_variance": None, "zero_groups": None}


def test_what_is_not_measured_is_null_in_json() -> None:
    row = number("q", "4.0")
    told = msgspec.json.decode(msgspec.json.encode(probed_row(said({"q": ["4.0"]}, [row]), row)))
    assert told["p_option"] is None and told["p_thought"] is None and told["zero_group"] is None
