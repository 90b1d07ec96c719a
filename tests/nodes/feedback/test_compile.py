"""Feedback by scene, driven by policies with known pass rates."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from nodes.feedback.compile import (
    Compile,
    Rule,
    SceneFeedback,
    beta_signal,
    chance_of,
    compile_feedback,
    evo_weight,
    mean_signal,
)
from nodes.policy.scripted import scripted_policy
from nodes.probe.confidence import Confidence, Probe, probe
from nodes.questions.question import Question, QuestionPool, Questions, pool_of, pool_rows
from nodes.rollouts.draw import Draw, draw
from store.collection import Collection
from tests.nodes.conftest import SmallPools
from tests.nodes.select.asked import pool, probe_of

RATES = {"exists": 1.0, "count": 0.0, "closer": 0.5, "taller": 0.5, "further_left": 0.5}


def _probe(questions: QuestionPool, rates: dict[str, float]) -> Probe:
    return probe(
        draw(scripted_policy(rates), questions, params=Draw(samples=8), seed=1), questions, None, params=Confidence()
    )


def _feedback(
    questions: QuestionPool,
    rates: dict[str, float],
    rule: Rule = "variance",
    past: Collection[SceneFeedback] | None = None,
) -> Collection[SceneFeedback]:
    return compile_feedback(_probe(questions, rates), questions, past, params=Compile(budget=20, rule=rule))


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
            # yes or no: c = 1/2, so 1 and 1 to begin with, halved; all n right
            templates = [row.template for row in small_pools.train[scene].rows if row.task == "exists"]
            n = templates.count("exists")
            assert entry.counts["exists"] == (0.5 + n, 0.5)
            assert second[scene].counts["exists"] == (0.5 * (0.5 + n) + n, 0.25)


def test_a_posterior_starts_from_the_chance_of_the_cell_in_all_scenes(some_question: Question) -> None:
    # one number a scene, 2, 2 and 4: the median 2 earns 1, 1 and .1, so c = .7; of each scene alone it would be 1
    rows = [
        replace(some_question, id=f"n{n}", scene=f"s{n}", task="size", template="size", kind="number", options=(),
                answer=answer, chance=0.0)
        for n, answer in enumerate(("2", "2", "4"))
    ]  # fmt: skip
    asked = pool_of(rows)
    found = compile_feedback(
        probe_of(asked, mean_accuracy={"n0": 1.0, "n1": 0.0}, chance=dict.fromkeys(("n0", "n1", "n2"), 0.7)),
        asked,
        None,
        params=Compile(rule="posterior"),
    )
    assert found["s0"].counts["size"] == pytest.approx((0.7 + 1, 0.3))
    assert found["s1"].counts["size"] == pytest.approx((0.7, 0.3 + 1))


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


def test_a_question_that_was_not_drawn_says_nothing() -> None:
    asked = pool(closer=6)
    probed = pool_of(pool_rows(asked)[:5])
    variance = {row.id: 0.25 for row in pool_rows(probed)}
    entries = compile_feedback(probe_of(probed, reward_variance=variance), asked, None, params=Compile(budget=20))
    # room2 has one of its two: (1 + 4 x .5) / 5 = .6, the middle budget; the others (2 + 4 x .5) / 6 = .67, above .65
    assert {scene: entry.budget for scene, entry in entries.items()} == {"room0": 30, "room1": 30, "room2": 20}


def test_a_probe_of_another_pool_is_refused() -> None:
    with pytest.raises(ValueError, match=r"feedback.compile: 0 of 6 questions probed, the first 'closer-0'"):
        compile_feedback(probe_of(pool(count=4)), pool(closer=6), None, params=Compile())


def test_all_scenes_are_told_in_a_table_by_cell() -> None:
    scenes = {"a": SceneFeedback(12, {"closer": 50, "count": 100}), "b": SceneFeedback(36, {"closer": 75})}
    assert Collection(SceneFeedback, scenes).summary() == {
        "entries": 2,
        "budget": "12 to 36, 48 in all",
        "cells": {"closer": {"scenes": 2, "weight": 62.5}, "count": {"scenes": 1, "weight": 100}},
    }
    assert Collection(SceneFeedback, {}).summary() == {"entries": 0}
