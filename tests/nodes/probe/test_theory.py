"""A policy of known pass rate is probed: measures agree with theory, within stated standard errors; and what the method
claims of bands and of few rollouts."""

from __future__ import annotations

from itertools import product
from math import comb, log

import numpy as np
import pytest

from nodes.policy.rollout import Rollout
from nodes.policy.scripted import scripted_policy
from nodes.probe.confidence import Confidence, probe
from nodes.probe.probe import Probe
from nodes.rollouts.draw import Draw, draw
from tests.nodes.probe.made import said
from tests.nodes.questions.filters.test_filters import pool, question

QUESTIONS = 2000
SIGMAS = 4  # one in 16,000 falls outside


def probe_of(rate: float, k: int, group: int = 4) -> Probe:
    asked = pool(*(question(f"q{index}") for index in range(QUESTIONS)))
    drawn = draw(scripted_policy({"closer": rate}), asked, params=Draw(rollout=Rollout(), samples=k), seed=1)
    return probe(drawn, asked, None, params=Confidence(group=group))


def check(values: list[float], of_right: list[float], rate: float, mean: float | None = None) -> None:
    """Hold the mean of a measure to its expectation: `of_right` is its value where 0, 1 .. K rollouts are right."""
    k = len(of_right) - 1
    weights = np.array([comb(k, right) * rate**right * (1 - rate) ** (k - right) for right in range(k + 1)])
    expected = float(weights @ of_right)
    error = np.sqrt(weights @ (np.array(of_right) - expected) ** 2 / len(values))
    assert abs(np.mean(values) - expected) < SIGMAS * error
    if mean is not None:  # unbiased
        assert expected == pytest.approx(mean)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.7, 0.95])
def test_measures_of_a_known_policy_agree_with_theory(rate: float) -> None:
    k, group = 8, 4
    rows, each = probe_of(rate, k, group).rows, range(k + 1)
    check([row.pass_rate for row in rows], [right / k for right in each], rate, mean=rate)
    silent = [(comb(right, group) + comb(k - right, group)) / comb(k, group) for right in each]
    check([row.zero_group for row in rows], silent, rate, mean=rate**group + (1 - rate) ** group)
    # Two answers. The entropy of eight draws is below the policy's own; theory gives both.
    shares = [right / k for right in each]
    entropies = [sum(-p * log(p) for p in (share, 1 - share) if p) for share in shares]
    check([row.entropy for row in rows], entropies, rate)
    assert np.mean([row.entropy for row in rows]) < -rate * log(rate) - (1 - rate) * log(1 - rate)
    check([row.majority_share for row in rows], [max(share, 1 - share) for share in shares], rate)
    check([row.reward_variance for row in rows], [p * (1 - p) for p in shares], rate, mean=rate * (1 - rate) * 7 / 8)


def test_a_calibrated_policy_is_found_calibrated() -> None:
    # The scripted policy holds the truth at its very rate: ECE is the sampling error of 16,000 rollouts, .0036.
    (row,) = [row for row in probe_of(0.7, 8).calibration if row.signal == "p_geo"]
    assert row.ece < SIGMAS * 0.0036 and row.auroc == 0.5


def test_a_band_lets_guesses_in_unless_corrected_for_chance() -> None:
    # All 256 outcomes of eight guesses at two options, each once. In .1-.9 are all but 0 and 8 right: 254 of 256.
    # Over chance that band is .55-.95 right: 5, 6 or 7 of 8, 56 + 28 + 8 = 92.
    texts = {f"q{n}": each for n, each in enumerate(product(("bed", "chair"), repeat=8))}
    asked = [question(id) for id in texts]
    rows = probe(said(texts, asked), pool(*asked), None, params=Confidence()).rows
    assert sum(0.1 <= row.pass_rate <= 0.9 for row in rows) / 256 == pytest.approx(0.99, abs=0.005)
    assert sum(0.1 <= row.over_chance <= 0.9 for row in rows) / 256 == pytest.approx(0.36, abs=0.005)


def test_four_rollouts_hide_what_is_not_quite_mastered() -> None:
    # .95^4 = .8145
    rows = probe_of(0.95, 4).rows
    share = np.mean([row.pass_rate == 1 for row in rows])
    assert abs(share - 0.8145) < SIGMAS * np.sqrt(0.8145 * 0.1855 / len(rows))


def test_half_of_the_rollouts_foretell_the_rest_only_where_questions_differ() -> None:
    asked = pool(
        *(question(f"e{n}", task="easy", template="easy") for n in range(500)),
        *(question(f"h{n}", task="hard", template="hard") for n in range(500)),
    )
    drawn = draw(scripted_policy({"easy": 0.9, "hard": 0.1}), asked, params=Draw(samples=8), seed=1)
    found = {row.signal: row for row in probe(drawn, asked, None, params=Confidence()).calibration}
    # Held at .9 or .1: a right rollout is easy in .9, a wrong one in .1: .81 won, .18 tied.
    assert found["p_geo"].auroc == pytest.approx(0.9, abs=0.01)
    assert found["p_geo"].auroc > found["pass_rate"].auroc > 0.85
    same = {row.signal: row for row in probe_of(0.5, 8).calibration}
    assert same["pass_rate"].auroc == pytest.approx(0.5, abs=0.02)
