"""report.efficiency: needs, ratios and comparisons on curves worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nodes.report.arms import default_accuracies, needs, read_arms
from nodes.report.efficiency import Compared, Efficiency, Mean, efficiency, holm
from nodes.report.points import PointRow, Points
from store.collection import Collection
from store.open import open_store

SCENES = [f"scene{number // 4}" for number in range(40)]


def run(means: list[float], step: int, tokens: int = 1) -> Points:
    """A run whose accuracy after each round is given, `step` questions and `step` x `tokens` tokens a round."""
    rows = [
        PointRow(r, 3 * r * step, 0, r * step, r * step * tokens, accuracy=mean, old=0.5)
        for r, mean in enumerate(means)
    ]
    accuracy = np.zeros((len(means), len(SCENES)), dtype=np.float32)
    for r, mean in enumerate(means):
        accuracy[r] = mean  # every question the same: intervals over scenes are points
    return Points(rows, accuracy, SCENES)


def pool(**arms: Points) -> Collection[Points]:
    runs = {f"{arm},seed={seed}": points for arm, points in arms.items() for seed in (7, 8)}
    return Collection(Points, runs)


def test_a_need_is_linear_between_rounds_and_infinite_beyond():
    cost, accuracy = np.array([0.0, 100.0, 200.0]), np.array([0.5, 0.6, 0.8])
    # .7: half of the way from .6 to .8
    assert needs(cost, accuracy, [0.5, 0.7, 0.81]) == pytest.approx([0, 150, float("inf")])


def test_a_dip_is_averaged_away():
    # isotonic: .7, .6 become .65, .65; .65 is reached at the first of them
    assert needs(np.array([0.0, 100, 200]), np.array([0.5, 0.7, 0.6]), [0.65]) == pytest.approx([100])


def test_a_rule_that_learns_twice_as_fast_is_worth_two():
    points = pool(uniform=run([0.5, 0.55, 0.6, 0.65, 0.7], 100), equal=run([0.5, 0.6, 0.7, 0.8, 0.9], 100))
    compared = efficiency(points, params=Efficiency(accuracies=(0.6, 0.7)))
    trained = [row for row in compared.ratios if row.axis == "trained"]
    assert [(row.arm, row.accuracy) for row in trained] == [("equal", 0.6), ("equal", 0.7)]
    assert [row.ratio for row in trained] == pytest.approx([2.0, 2.0])
    assert [(row.low, row.high) for row in trained] == [pytest.approx((2.0, 2.0))] * 2


def test_tokens_of_probes_count():
    equal = run([0.5, 0.6, 0.7, 0.8, 0.9], 100, tokens=4)  # twice as fast by questions, four times as dear by tokens
    compared = efficiency(pool(uniform=run([0.5, 0.55, 0.6, 0.65, 0.7], 100), equal=equal), params=Efficiency())
    found = {row.axis: row.ratio for row in compared.ratios if row.accuracy == 0.6}
    assert found["trained"] == pytest.approx(2.0) and found["tokens"] == pytest.approx(0.5)


def test_the_longer_run_shows_what_the_plain_arm_never_reaches():
    arms = {"uniform": run([0.5, 0.55], 100), "uniform10": run([0.5, 0.65, 0.75], 1000), "equal": run([0.5, 0.7], 100)}
    compared = efficiency(pool(**arms), params=Efficiency(longer="uniform10", accuracies=(0.7,)))
    # the plain curve: 0, 100, 1000, 2000 -> .5 (twice), .55, .65, .75; .7 at 1500, equal there at 100
    assert next(row.ratio for row in compared.ratios if row.axis == "trained") == pytest.approx(15)
    never = efficiency(pool(**arms), params=Efficiency(longer="uniform10", accuracies=(0.74, 0.76)))
    # equal ends at .7; .76 is beyond the plain arm, too
    ratios = [row.ratio for row in never.ratios if row.axis == "trained"]
    assert ratios[0] == 0 and np.isnan(ratios[1])


def test_the_plain_arm_passes_every_accuracy_that_nobody_chose():
    # isotonic: .5, then .7 and .6 become .65; the way .5 to .65 has .5375, .575, .6125
    for means, levels in (
        ([0.5, 0.7, 0.6], [0.537, 0.575, 0.612, 0.65]),
        ([0.5, 0.6496], [0.537, 0.574, 0.612, 0.649]),
    ):
        arms = read_arms(pool(uniform=run(means, 100), equal=run(means, 100)))
        assert default_accuracies(arms["uniform"]) == pytest.approx(levels)
        compared = efficiency(pool(uniform=run(means, 100), equal=run(means, 100)), params=Efficiency())
        assert [row.ratio for row in compared.ratios] == pytest.approx([1.0] * 12)


def test_the_longer_run_counts_from_where_the_plain_arm_ends():
    arms = {
        "uniform": run([0.5, 0.55, 0.6], 1000),
        "uniform10": run([0.5, 0.4, 0.8], 2000),
        "equal": run([0.5, 0.6], 100),
    }
    compared = efficiency(pool(**arms), params=Efficiency(longer="uniform10", accuracies=(0.6,)))
    # the plain curve: 0, 1000, 2000, 4000 -> .5, .55, .6, .8; what the longer run has at 2000 is no part of it
    assert next(row.ratio for row in compared.ratios if row.axis == "trained") == pytest.approx(20)


def test_rules_are_compared_with_the_balanced_arm_by_holm():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})
    points = pool(uniform=run([0.5, 0.5], 10), equal=run([0.5, 0.6], 10), progress=run([0.5, 0.7], 10))
    rows = {row.arm: row for row in efficiency(points, params=Efficiency()).arms}
    assert rows["progress"].better == pytest.approx(0.1) and rows["uniform"].better == pytest.approx(-0.1)
    assert np.isnan(rows["uniform"].p) and np.isnan(rows["equal"].p)  # neither is a rule that was tried
    assert rows["progress"].p == 0  # no seed and no scene says otherwise


def test_arms_that_are_told_are_compared_and_not_counted():
    rounds = {"uniform": [0.5, 0.5], "equal": [0.5, 0.6], "oracle": [0.5, 0.9], "band": [0.5, 0.7]}
    points = pool(**{arm: run(means, 1) for arm, means in rounds.items()})
    made = efficiency(points, params=Efficiency(told=("oracle", "absent")))
    rows = {row.arm: row for row in made.arms}
    assert made.tried == 1 and np.isnan(rows["oracle"].p) and rows["oracle"].better == pytest.approx(0.3)
    assert made.summary()["rules_tried"] == 1


def test_seeds_and_scenes_both_make_a_mean_uncertain():
    # two scenes of 2 questions, two seeds: sums 1, 0 and 1, 2; by seed .25 and .75, in the mean by scene 1 and 1
    over_seeds = Mean(np.array([[1.0, 0.0], [1.0, 2.0]]), np.array([2, 2]))
    assert over_seeds.mean == 0.5
    # seeds: variance .125, of their mean .0625; scenes: none; t of one degree of freedom, 12.706 x .25
    assert over_seeds.half == pytest.approx(12.706 * 0.25, abs=1e-3)
    # both seeds 2 and 0: no variance over seeds; scenes have 1 more and 1 less than their size tells: 2 x 2 / 16 = .25
    over_scenes = Mean(np.array([[2.0, 0.0], [2.0, 0.0]]), np.array([2, 2]))
    assert over_scenes.half == pytest.approx(12.706 * 0.5, abs=1e-3)
    # t = .5 / .5 = 1 of one degree of freedom: p = .5
    assert over_scenes.p == pytest.approx(0.5)
    assert Mean(np.zeros((2, 3)), np.array([1, 1, 1])).p == 1


def test_an_arm_that_lacks_a_seed_is_refused():
    points = Collection(
        Points,
        {"uniform,seed=7": run([0.5], 1), "uniform,seed=8": run([0.5], 1), "equal,seed=7": run([0.5], 1)},
    )
    with pytest.raises(ValueError, match="arm 'equal' has seed=7, expected seed=7, seed=8"):
        efficiency(points, params=Efficiency())


def test_a_comparison_travels(tmp_path: Path):
    store = open_store(str(tmp_path))
    points = pool(uniform=run([0.5, 0.6], 10), equal=run([0.5, 0.6], 10))
    made = efficiency(store.open(store.put(points), Collection[Points]), params=Efficiency())
    opened = store.open(store.put(made), Compared)
    assert opened.ratios == made.ratios and opened.png[:4] == b"\x89PNG"
    assert set(opened.summary()["arms"]) == {"uniform", "equal"}
