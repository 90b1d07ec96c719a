"""Evaluation: intervals by scene, paired differences, and no question on a place that trained the policy."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from nodes.evaluate.intervals import clustered_interval
from nodes.evaluate.questions import Evaluate, evaluate
from nodes.evaluate.scores import Score, Scores, paired_difference
from nodes.policy.policy import Policy
from nodes.policy.scripted import scripted_policy
from nodes.questions.question import Questions, pool_of, pool_rows
from store.collection import Collection
from tests.nodes.conftest import SmallPools


def _scores(values: list[float], scenes: list[str] | None = None) -> Scores:
    where = scenes or [f"s{index}" for index in range(len(values))]
    rows = [Score(f"q{index}", where[index], "count", "", value, 0.5) for index, value in enumerate(values)]
    return Scores(rows, is_blind=False)


def test_equal_scores_leave_no_doubt() -> None:
    assert clustered_interval([0.5] * 6, list("aabbcc")) == (0.5, 0.5, 0.5)


def test_the_mean_lies_in_its_interval_to_the_last_bit() -> None:
    # summed in another order, eleven times .9 is another float than eleven times the mean
    mean, low, high = clustered_interval([0.9] * 11, ["one scene"] * 11)
    assert low <= mean <= high


def test_clusters_widen_the_interval() -> None:
    values = [1.0] * 50 + [0.0] * 50
    alone = clustered_interval(values, [str(index) for index in range(100)])
    together = clustered_interval(values, [str(index // 10) for index in range(100)])
    # 100 free coins: standard error .05, interval about +-.1; ten whole scenes: .158 and +-.31.
    assert alone.high - alone.low == pytest.approx(0.196, abs=0.03)
    assert together.high - together.low == pytest.approx(0.62, abs=0.1)


def test_a_single_scene_gives_its_own_mean() -> None:
    assert clustered_interval([1.0, 0.0], ["a", "a"]) == (0.5, 0.5, 0.5)


def test_no_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="0 scores"):
        clustered_interval([], [])


def test_a_paired_difference_is_sharper_than_two_means() -> None:
    before = _scores([0.0, 1.0] * 50)
    after = _scores([0.0, 1.0] * 45 + [1.0, 1.0] * 5)  # 5 of 100 questions gained
    gain = paired_difference(before, after)
    assert gain.mean == pytest.approx(0.05) and gain.low > 0
    assert after.overall.low < before.overall.mean


def test_scores_on_other_questions_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="3 and 2 questions, 2 of them in both"):
        paired_difference(_scores([1, 1, 1]), _scores([1, 1]))


def test_a_scripted_policy_scores_what_it_can(small_pools: SmallPools) -> None:
    rates = {"exists": 1.0, "closer": 1.0, "count": 0.0}
    scores = evaluate(scripted_policy(rates), small_pools.test, params=Evaluate())
    assert scores.table["exists"] == (1, 1, 1) and scores.table["count"] == (0, 0, 0)
    rows = pool_rows(small_pools.test)
    assert scores.overall.mean == pytest.approx(sum(rates.get(row.task, 0) for row in rows) / len(rows))


def test_a_model_is_scored_with_pictures_and_blind(small_pools: SmallPools, small_policy: Policy) -> None:
    seeing = evaluate(small_policy, small_pools.test, params=Evaluate())
    blind = evaluate(small_policy, small_pools.test, params=Evaluate(blind=True))
    assert not seeing.is_blind and blind.is_blind
    assert [row.p_answer for row in seeing.rows] != [row.p_answer for row in blind.rows]


def test_a_question_over_the_context_is_wrong_and_told_of(small_pools: SmallPools, small_policy: Policy) -> None:
    rows = pool_rows(small_pools.test)
    rows[1], rows[4] = replace(rows[1], prompt="left " * 2100), replace(rows[4], prompt="left " * 2100)
    scores = evaluate(small_policy, small_pools.kept(pool_of(rows)), params=Evaluate())
    # 2,100 words; 16 tokens of the picture and 3 around it; <user>, its end and <assistant>
    said = "context: 2122 tokens of prompt and 1 of answer, the policy reads 2048"
    assert scores.dropped == {rows[1].id: said, rows[4].id: said}
    assert [row.id for row in scores.rows] == [row.id for row in rows]
    assert (scores.rows[1].text, scores.rows[1].accuracy) == ("", 0)
    opened = small_pools.store.open(small_pools.store.put(scores), Scores)
    assert opened.dropped == scores.dropped and opened.summary()["dropped"] == 2
    others = evaluate(small_policy, small_pools.test, params=Evaluate())
    assert [row.text for row in scores.rows][5:] == [row.text for row in others.rows][5:]
    assert "dropped" not in others.summary()


def test_scores_survive_the_store(small_pools: SmallPools) -> None:
    scores = evaluate(scripted_policy({"exists": 1.0}), small_pools.test, params=Evaluate())
    opened = small_pools.store.open(small_pools.store.put(scores), Scores)
    assert opened.rows == scores.rows and opened.table == scores.table


def test_a_place_that_trained_the_policy_is_not_scored(small_pools: SmallPools) -> None:
    places = [row.place for row in pool_rows(small_pools.test)]
    with pytest.raises(ValueError, match="1 places of the pool trained the policy"):
        evaluate(scripted_policy({}, trained_places=places[:1]), small_pools.test, params=Evaluate())


def test_an_empty_pool_is_refused() -> None:
    with pytest.raises(ValueError, match="0 questions"):
        evaluate(scripted_policy({}), Collection(Questions, {}), params=Evaluate())
