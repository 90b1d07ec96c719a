"""The probe of policies: what a scripted one and a tiny model are found to do, and that it keeps."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from graph.code import read_code
from nodes.policy.policy import Policy
from nodes.policy.scripted import scripted_policy
from nodes.probe.confidence import Confidence, probe
from nodes.probe.probe import Bin, Calibration, Probe
from nodes.questions.question import QuestionPool
from nodes.rollouts.draw import Draw, draw
from nodes.rollouts.rollouts import Rollouts
from tests.nodes.conftest import SmallPools
from tests.nodes.probe.made import said
from tests.nodes.questions.filters.test_filters import pool, question

RATES = {"exists": 1.0, "count": 0.0, "closer": 0.5, "taller": 0.5, "further_left": 0.5}


def probe_of(questions: QuestionPool, samples: int = 8) -> Probe:
    drawn = draw(scripted_policy(RATES), questions, params=Draw(samples=samples), seed=1)
    return probe(drawn, questions, None, params=Confidence())


def as_json(probed: Probe) -> bytes:
    return msgspec.json.encode((probed.rows, probed.calibration, probed.bins))  # NaN is not equal to itself


def test_a_probe_survives_the_store(small_pools: SmallPools) -> None:
    probed = probe_of(small_pools.train, samples=3)
    opened = small_pools.store.open(small_pools.store.put(probed), Probe)
    assert as_json(opened) == as_json(probed) and opened.calibration and opened.bins
    assert (opened.rewards()["accuracy"] == probed.rewards()["accuracy"]).all()
    assert small_pools.store.put(opened) == opened.digest


def test_what_was_left_out_or_dropped_survives_the_store(small_pools: SmallPools) -> None:
    row = question("q")
    given = Rollouts([], 8, said({}, [row])._drawn, {"q": "1,200 tokens, expected at most 1,024"})
    probed = probe(given, pool(row), None, params=Confidence())
    probed.left_out["temporal"] = "needs shuffled rollouts, which are not drawn"
    opened = small_pools.store.open(small_pools.store.put(probed), Probe)
    assert (opened.dropped, opened.left_out) == (given.dropped, probed.left_out)
    assert opened.summary()["dropped"] == 1


def test_a_reward_may_be_named_by_a_path(small_pools: SmallPools) -> None:
    probed = Probe([], {"../mine.py:good": np.ones((0, 2))})
    opened = small_pools.store.open(small_pools.store.put(probed), Probe)
    assert {name: of.shape for name, of in opened.rewards().items()} == {"../mine.py:good": (0, 2)}


def test_a_probe_measures_rate_variance_and_reward(small_pools: SmallPools) -> None:
    probed = probe_of(small_pools.train)
    for row, rewards in zip(probed.rows, probed.rewards()["accuracy"], strict=True):
        if row.task != "count":  # exact answers: accuracy is 0 or 1, the variance of its mean p is p (1 - p)
            assert row.mean_accuracy == row.pass_rate == rewards.mean()
            assert row.reward_variance == pytest.approx(row.pass_rate * (1 - row.pass_rate))
    for row in probed.rows:
        if row.task in ("exists", "count"):
            assert (row.reward_variance, row.zero_group, row.entropy) == (0.0, 1.0, 0.0)


def test_a_model_can_be_probed(small_pools: SmallPools, small_policy: Policy) -> None:
    drawn = draw(small_policy, small_pools.test, params=Draw(samples=4, batch=7), seed=1)
    probed = probe(drawn, small_pools.test, None, params=Confidence())
    again = draw(small_policy, small_pools.test, params=Draw(samples=4, batch=7), seed=1)
    assert as_json(probed) == as_json(probe(again, small_pools.test, None, params=Confidence()))
    assert all(0 < row.p_geo < 1 and row.p_geo == row.p_joint for row in probed.rows)  # one token, no end


def test_summary_is_for_people_and_json_takes_it(small_pools: SmallPools) -> None:
    told = probe_of(small_pools.train).summary()
    assert (told["pass_rate"]["exists"], told["pass_rate"]["count"]) == (1.0, 0.0)
    assert 0 < told["without_variance"] <= told["zero_groups"] < 1
    assert told["calibration"]["p_geo"].startswith("AUROC 0.")
    json.dumps(told, allow_nan=False)


def test_summary_says_where_nothing_can_be_told() -> None:
    told = Probe([], calibration=[Calibration("-entropy", 8, 8, float("nan"), float("nan"))]).summary()
    assert told["calibration"] == {"-entropy": "all right or all wrong"}


def test_bins_are_enough_for_the_diagram_and_its_error(small_pools: SmallPools) -> None:
    probed = probe_of(small_pools.train)
    (row,) = [row for row in probed.calibration if row.signal == "p_geo"]
    bins: list[Bin] = [bin for bin in probed.bins if bin.signal == "p_geo"]
    assert sum(bin.n for bin in bins) == row.n == 8 * len(probed.rows)
    assert sum(bin.n * abs(bin.accuracy - bin.confidence) for bin in bins) / row.n == pytest.approx(row.ece)


def test_how_it_is_measured_is_in_no_key_of_those_who_read_it() -> None:
    labels = read_code("nodes.questions.proposals.labelled", "label")
    assert {unit.partition(":")[0] for unit in labels.units if "probe" in unit} == {"nodes/probe/probe.py"}
