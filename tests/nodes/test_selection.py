"""Probe, selection and feedback, driven by policies with known pass rates."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from nodes.feedback import (
    Compile,
    Rule,
    SceneFeedback,
    beta_signal,
    chance_of,
    compile_feedback,
    evo_weight,
    mean_signal,
)
from nodes.policy.policy import Policy
from nodes.policy.scripted import scripted_policy
from nodes.probe import Confidence, Probe, ProbeRow, probe
from nodes.questions.question import Question, QuestionPool, Questions, pool_rows
from nodes.select import Band, band
from store.collection import Collection
from tests.nodes.conftest import SmallPools

RATES = {"exists": 1.0, "count": 0.0, "closer": 0.5, "taller": 0.5, "further_left": 0.5}


def _probe_of(questions: QuestionPool, rates: dict[str, float]) -> Probe:
    """Return a probe whose pass rates by question id are given, 0 for the rest."""
    rows = [
        ProbeRow(q.id, q.scene, q.task, q.template, rates.get(q.id, 0.0), 0.0, 0.0, 0.0) for q in pool_rows(questions)
    ]
    empty = np.zeros((len(rows), 1))
    return Probe(rows, [["" for _ in range(1)] for _ in rows], empty, empty)


def _ids(pool: QuestionPool) -> set[str]:
    return {row.id for row in pool_rows(pool)}


def test_a_probe_survives_the_store(small_pools: SmallPools) -> None:
    probed = probe(scripted_policy(RATES), small_pools.train, params=Confidence(samples=3), seed=1)
    opened = small_pools.store.open(small_pools.store.put(probed), Probe)
    assert opened.rows == probed.rows and opened.texts() == probed.texts()
    assert (opened.rewards() == probed.rewards()).all() and (opened.logprobs() == probed.logprobs()).all()


def test_a_probe_measures_rate_variance_and_reward(small_pools: SmallPools) -> None:
    probed = probe(scripted_policy(RATES), small_pools.train, params=Confidence(samples=8), seed=1)
    for row, rewards in zip(probed.rows, probed.rewards(), strict=True):
        if row.task != "count":  # exact answers: accuracy is 0 or 1, the variance of its mean p is p (1 - p)
            assert row.mean_accuracy == row.pass_rate == rewards.mean()
            assert row.reward_variance == pytest.approx(row.pass_rate * (1 - row.pass_rate))
    assert {row.reward_variance for row in probed.rows if row.task in ("exists", "count")} == {0.0}


def test_a_model_can_be_probed(small_pools: SmallPools, small_policy: Policy) -> None:
    probed = probe(small_policy, small_pools.test, params=Confidence(samples=4, batch=7), seed=1)
    again = probe(small_policy, small_pools.test, params=Confidence(samples=4, batch=7), seed=1)
    assert probed.rows == again.rows and probed.logprobs().shape == (len(probed.rows), 4)
    assert (probed.logprobs() < 0).all()


def test_the_band_is_inclusive_at_both_ends(small_pools: SmallPools) -> None:
    rows = pool_rows(small_pools.train)
    rates = dict(zip((row.id for row in rows), [0.1, 0.9, 0.05, 0.95, 0.5], strict=False))
    picked = band(_probe_of(small_pools.train, rates), small_pools.train, params=Band(0.1, 0.9, n=3), seed=1)
    assert _ids(picked) == {rows[0].id, rows[1].id, rows[4].id}


def test_the_seed_breaks_ties_and_nothing_else(small_pools: SmallPools) -> None:
    rows = pool_rows(small_pools.train)
    probed = _probe_of(small_pools.train, {row.id: 0.5 for row in rows})
    picks = [_ids(band(probed, small_pools.train, params=Band(n=10), seed=seed)) for seed in (1, 1, 2)]
    assert picks[0] == picks[1] != picks[2] and len(picks[0]) == 10


def test_a_short_band_takes_the_nearest_repeats_or_fails(small_pools: SmallPools) -> None:
    rows = pool_rows(small_pools.train)
    rates = dict(zip((row.id for row in rows), [0.5, 0.95, 0.97], strict=False))
    probed = _probe_of(small_pools.train, rates)

    def pick(short: str) -> set[str]:
        return _ids(band(probed, small_pools.train, params=Band(0.2, 0.9, n=3, short=short), seed=1))  # type: ignore[arg-type]

    assert pick("nearest") == {row.id for row in rows[:3]}  # outside by .05, .07; the rest by .2
    assert pick("repeat") == {rows[0].id}
    with pytest.raises(ValueError, match=r"1 of 64 questions have a pass rate in \[0.2, 0.9\], expected at least 3"):
        pick("fail")


def test_a_selected_pool_still_finds_its_pictures(small_pools: SmallPools) -> None:
    from nodes.questions.question import question_images

    probed = _probe_of(small_pools.train, {})
    picked = small_pools.kept(band(probed, small_pools.train, params=Band(0, 1, n=5), seed=1))
    assert all(question_images(picked, row)[0].shape == (64, 64, 3) for row in pool_rows(picked))


def test_an_unprobed_question_is_named(small_pools: SmallPools) -> None:
    with pytest.raises(ValueError, match="not probed"):
        band(_probe_of(small_pools.test, {}), small_pools.train, params=Band(), seed=1)


def test_a_band_upside_down_is_refused() -> None:
    with pytest.raises(ValueError, match=r"low = 0.9: need at most high = 0.1"):
        Band(low=0.9, high=0.1)


def _feedback(
    questions: QuestionPool,
    rates: dict[str, float],
    rule: Rule = "variance",
    past: Collection[SceneFeedback] | None = None,
) -> Collection[SceneFeedback]:
    probed = probe(scripted_policy(rates), questions, params=Confidence(samples=8), seed=1)
    return compile_feedback(probed, questions, past, params=Compile(budget=20, rule=rule))


def test_feedback_moves_toward_what_is_nearly_done(small_pools: SmallPools) -> None:
    entries = _feedback(small_pools.train, RATES)
    assert entries.keys() == small_pools.train.keys()
    compared = [entry.weights for entry in entries.values() if "closer" in entry.weights]
    assert compared and all(weights["closer"] > weights["exists"] for weights in compared)
    for entry in entries.values():
        assert set(entry.weights.values()) <= {25, 50, 75, 100}


def test_one_more_scene_changes_no_other_entry(small_pools: SmallPools) -> None:
    every = small_pools.train
    fewer = Collection(Questions, {key: every[key] for key in list(every)[:-1]})
    one, other = _feedback(fewer, RATES), _feedback(every, RATES)
    assert all((one[key].budget, one[key].weights) == (other[key].budget, other[key].weights) for key in one)


@pytest.mark.parametrize(("rate", "factor"), [(0.0, 0.5), (1.0, 0.5), (0.5, 1.5)])
def test_budgets_are_bounded_whatever_the_policy_can_do(small_pools: SmallPools, rate: float, factor: float) -> None:
    entries = _feedback(small_pools.train, dict.fromkeys(RATES, rate))
    assert {entry.budget for entry in entries.values()} == {round(20 * factor)}


def test_a_mean_signal_starts_from_the_prior() -> None:
    assert mean_signal([]) == 0.5
    assert mean_signal([1.0, 1.0, 1.0, 1.0]) == 0.75  # (4 + 4 * .5) / 8


def test_a_posterior_halves_what_it_knew(small_pools: SmallPools) -> None:
    first = _feedback(small_pools.train, RATES, "posterior")
    second = _feedback(small_pools.train, RATES, "posterior", first)
    for scene, entry in first.items():
        if "exists" in entry.counts:
            # yes or no: c = 1/2, so 1 and 1 to begin with; all n right
            templates = [row.template for row in small_pools.train[scene].rows if row.task == "exists"]
            n = templates.count("exists")
            assert entry.counts["exists"] == (2 * 0.5 + n, 2 * 0.5)
            assert second[scene].counts["exists"] == (0.5 * (1 + n) + n, 0.5)


def test_a_posterior_by_hand() -> None:
    # Beta(1, 1) is uniform: E[p (1 - p)] = 1/6
    assert beta_signal(1, 1) == pytest.approx(4 / 6)
    # Beta(3, 1): 3 / (4 * 5)
    assert beta_signal(3, 1) == pytest.approx(4 * 3 / 20)


def test_spatialevo_weights_by_hand(small_pools: SmallPools) -> None:
    assert evo_weight(0, 0) == 65  # 1 - .7 / 2
    assert evo_weight(8, 0) == 13  # 1 - 8.7 / 10
    assert evo_weight(100, 0) == 5  # 1 - 100.7 / 102 = .013, below the floor
    first = _feedback(small_pools.train, RATES, "spatialevo")
    second = _feedback(small_pools.train, RATES, "spatialevo", first)
    for scene, entry in first.items():
        assert entry.budget == 20
        for cell, (right, wrong) in entry.counts.items():
            a, b = second[scene].counts[cell]
            assert (a, b) == pytest.approx((2 * right, 2 * wrong))


def test_feedback_survives_the_store(small_pools: SmallPools) -> None:
    entries = _feedback(small_pools.train, RATES)
    opened = small_pools.store.open(small_pools.store.put(entries), Collection[SceneFeedback])
    assert {key: (e.budget, e.weights, e.counts) for key, e in opened.items()} == {
        key: (e.budget, e.weights, e.counts) for key, e in entries.items()
    }


def test_what_was_known_of_a_scene_stays_while_nothing_of_it_is_probed(small_pools: SmallPools) -> None:
    first = _feedback(small_pools.train, RATES, "spatialevo")
    gone, *left = small_pools.train
    fewer = Collection(Questions, {key: small_pools.train[key] for key in left})
    second = _feedback(fewer, RATES, "spatialevo", first)
    assert second[gone].counts == first[gone].counts and second[gone].weights == first[gone].weights


def test_the_chance_of_numbers_is_what_their_median_earns(some_question: Question) -> None:
    numbers = [replace(some_question, kind="number", answer=answer, options=()) for answer in ("2", "2", "4")]
    # the median 2 is right twice; of 4 it is off by half, within the first of ten thresholds
    assert chance_of(numbers) == pytest.approx((1 + 1 + 0.1) / 3)
    assert chance_of([replace(some_question, kind="choice", chance=0.25)]) == 0.25
