"""Rules that weigh questions, each worked out by hand."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, strategies

from nodes.probe.probe import Probe
from nodes.questions.question import pool_of, pool_rows
from nodes.select.cosine import Cosine, cosine, cosine_weight
from nodes.select.drawing import best_first, by_chance
from nodes.select.entropy import Entropy, entropy, entropy_weight
from nodes.select.posterior import Posterior, posterior, posterior_weights
from nodes.select.variance import variance
from nodes.select.weighing import Weighing
from tests.nodes.select.asked import ask, ids, pool, probe_of

ASKED = pool(closer=6)
NAMES = ids(ASKED)


def of(*values):
    return dict(zip(NAMES, values))


def with_rewards(probe, samples):
    return Probe(probe.rows, {"accuracy": np.zeros((len(probe.rows), samples))})


def test_variance_takes_the_highest():
    probe = probe_of(ASKED, reward_variance=of(0.25, 0.0, 0.1875, 0.0, 0.21, 0.0))
    assert ids(variance(probe, ASKED, params=Weighing(n=2), seed=1)) == ["closer-0", "closer-4"]
    assert ids(variance(probe, ASKED, params=Weighing(n=5, short="repeat"), seed=1)) == [
        "closer-0",
        "closer-2",
        "closer-4",
    ]
    filled = ids(variance(probe, ASKED, params=Weighing(n=5), seed=1))
    assert len(filled) == 5 and {"closer-0", "closer-2", "closer-4"} < set(filled)


def test_too_few_with_weight_fail_on_demand():
    probe = probe_of(ASKED, reward_variance=of(0.25))
    with pytest.raises(
        ValueError, match=r"select.variance: 1 of 6 questions weigh more than 0, expected at least n = 2"
    ):
        variance(probe, ASKED, params=Weighing(n=2, short="fail"), seed=1)
    with pytest.raises(ValueError, match=r"select.variance: 6 questions, expected at least n = 7"):
        variance(probe, ASKED, params=Weighing(n=7), seed=1)
    assert ids(variance(probe_of(ASKED), ASKED, params=Weighing(n=2, short="repeat"), seed=1)) == []


def test_a_posterior_by_hand():
    probe = probe_of(ASKED, mean_accuracy=of(1.0, 0.5, 0.0, 1.0, 1.0, 1.0))
    probed = list(zip(pool_rows(ASKED), probe.rows, strict=True))
    weights = {question.id: weight for (question, _), weight in zip(probed, posterior_weights(probed, 4, 2.0))}
    # the cell: chance .5, so (2 x .5 + 4.5) / (2 + 6) = .6875
    # closer-1: a = 2 x .6875 + 2 = 3.375, b = 2.625; 4 x 3.375 x 2.625 / (6 x 7) = .84375
    assert weights["closer-1"] == pytest.approx(0.84375)
    # closer-0: a = 5.375, b = .625; 4 x 5.375 x .625 / 42 = .3199; closer-2: a = 1.375, b = 4.625; .6057
    assert weights["closer-0"] == pytest.approx(0.31994, abs=1e-4)
    assert weights["closer-2"] == pytest.approx(0.60565, abs=1e-4)
    picked = posterior(with_rewards(probe, 4), ASKED, params=Posterior(n=2), seed=1)
    assert ids(picked) == ["closer-1", "closer-2"]


def test_a_posterior_is_drawn_toward_the_question_s_own_cell():
    asked = pool_of([*(ask(f"easy{n}", "exists") for n in range(9)), *(ask(f"half{n}", "closer") for n in range(9))])
    rates = {f"easy{n}": 1.0 for n in range(9)} | {f"half{n}": float(n % 2) for n in range(9)} | {"half0": 1.0}
    probe = with_rewards(probe_of(asked, mean_accuracy=rates), 4)
    # four of four in a cell that is half known tell less than in one that is mastered
    probed = list(zip(pool_rows(asked), probe.rows, strict=True))
    weights = {question.id: weight for (question, _), weight in zip(probed, posterior_weights(probed, 4, 2.0))}
    assert weights["half0"] > weights["easy0"]
    assert all(name.startswith("half") for name in ids(posterior(probe, asked, params=Posterior(n=9), seed=1)))


def test_a_posterior_needs_the_number_of_rollouts():
    with pytest.raises(ValueError, match=r"the probe holds no rewards"):
        posterior(probe_of(ASKED), ASKED, params=Posterior(n=2), seed=1)


def test_the_entropy_s_weight_is_evolmm_s():
    assert entropy_weight(0.9) == 1.0
    assert entropy_weight(0.0) == pytest.approx(math.exp(-0.81 / 0.245))  # .0367
    assert entropy_weight(0.55) == entropy_weight(1.25) == pytest.approx(math.exp(-0.5))  # one standard deviation


def test_the_cosine_s_weight_has_stages():
    # sin(pi / 4) = .7071 at .25 and .75
    assert [cosine_weight(p, "all") for p in (0, 0.25, 0.5, 1)] == pytest.approx([0, 0.7071, 1, 0], abs=1e-4)
    assert [cosine_weight(p, "easy") for p in (0, 0.25, 0.5, 0.75, 1)] == pytest.approx([0, 0.7071, 1, 1, 1], abs=1e-4)
    assert [cosine_weight(p, "hard") for p in (0, 0.25, 0.5, 0.75, 1)] == pytest.approx(
        [0.25, 1, 1, 0.7071, 0], abs=1e-4
    )


def test_draws_follow_the_weights():
    rows = pool_rows(ASKED)
    first = Counter(by_chance(rows, [4.0, 2.0, 1.0, 1.0, 0.0, 0.0], seed)[0].id for seed in range(2000))
    # of 8: a half, a quarter, an eighth each; the standard error of a half is .011
    assert [first[row.id] / 2000 for row in rows] == pytest.approx([0.5, 0.25, 0.125, 0.125, 0, 0], abs=0.045)


def test_what_weighs_nothing_comes_last():
    rows = pool_rows(ASKED)
    order = [row.id for row in by_chance(rows, [1.0, 0.0, 1e-9, 0.0, 1.0, 0.0], 1)]
    assert set(order[:3]) == {rows[0].id, rows[2].id, rows[4].id}


def test_equal_weights_are_the_seed_s():
    rows = pool_rows(ASKED)
    orders = [[row.id for row in best_first(rows, [0.1 + 0.2, 0.3] * 3, seed)] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_entropy_and_cosine_draw_by_weight():
    probe = probe_of(ASKED, entropy=of(0.9, 0.9, 9.0, 9.0, 9.0, 9.0), mean_accuracy=of(0.5, 0.0, 1.0, 0.5, 0.0, 1.0))
    assert ids(entropy(probe, ASKED, params=Entropy(n=2), seed=1)) == ["closer-0", "closer-1"]
    assert ids(cosine(probe, ASKED, params=Cosine(n=6, short="repeat"), seed=1)) == ["closer-0", "closer-3"]
    easy = ids(cosine(probe, ASKED, params=Cosine(n=6, stage="easy", short="repeat"), seed=1))
    assert easy == ["closer-0", "closer-2", "closer-3", "closer-5"]


RULES = {
    "variance": lambda probe, asked, n, seed: variance(probe, asked, params=Weighing(n=n), seed=seed),
    "posterior": lambda probe, asked, n, seed: posterior(probe, asked, params=Posterior(n=n), seed=seed),
    "entropy": lambda probe, asked, n, seed: entropy(probe, asked, params=Entropy(n=n), seed=seed),
    "cosine": lambda probe, asked, n, seed: cosine(probe, asked, params=Cosine(n=n), seed=seed),
}


@pytest.mark.parametrize("rule", RULES)
@given(
    strategies.lists(strategies.floats(0, 1), min_size=12, max_size=12),
    strategies.integers(1, 12),
    strategies.integers(0, 9),
)
def test_exactly_n_none_twice_in_whatever_order(rule, values, n, seed):
    asked = pool(closer=7, count=5)
    turned = pool_of(reversed(pool_rows(asked)))
    named = dict(zip(ids(asked), values))
    variances = {name: value * (1 - value) for name, value in named.items()}
    drawn = []
    for questions in (asked, turned):
        probe = probe_of(questions, mean_accuracy=named, reward_variance=variances, entropy=named)
        drawn.append(ids(RULES[rule](with_rewards(probe, 4), questions, n, seed)))
    assert len(drawn[0]) == len(set(drawn[0])) == n
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("rule", RULES)
def test_no_question_at_all_stays_none(rule):
    nothing = pool_of([])
    assert ids(RULES[rule](probe_of(nothing), nothing, 3, 1)) == []
