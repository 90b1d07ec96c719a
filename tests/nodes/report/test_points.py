"""report.points: what two rounds cost and came to, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from msgspec.structs import replace

from nodes.evaluate.scores import Score, Scores
from nodes.policy.scripted import scripted_policy
from nodes.questions.question import Questions, pool_of, pool_rows
from nodes.report.points import points
from nodes.rollouts.draw import Draw, draw
from nodes.rollouts.rollouts import Rollouts
from nodes.update.update import Log
from store.collection import Collection
from tests.nodes.conftest import SmallPools


def scores(values: list[float]) -> Scores:
    rows = [Score(f"q{n}", f"scene{n // 2}", "exists", "yes", value, value) for n, value in enumerate(values)]
    return Scores(rows, is_blind=False)


def rounds(item, *entries):
    return Collection(item, {f"{number:04d}": entry for number, entry in enumerate(entries, 1)})


def of(pool, n: int):
    return pool_of(pool_rows(pool)[:n])


def test_costs_add_up_and_accuracy_is_by_question(small_pools: SmallPools):
    pool, policy = small_pools.train, scripted_policy({})
    drawn = draw(policy, of(pool, 5), params=Draw(samples=2), seed=1)
    drawn = Rollouts([replace(row, n_prompt=10) for row in drawn.rows], 2, drawn.drawn())
    sft, grpo = (
        Log({"tokens": np.array([40.0, 60.0])}),
        Log({"tokens": np.array([50.0]), "reward": np.ones(1)}),
    )
    made = points(
        before=scores([0, 0, 1, 0]),
        rounds=rounds(Scores, scores([1, 0, 1, 0]), scores([1, 1, 1, 0])),
        generated=rounds(Collection[Questions], of(pool, 8), of(pool, 8)),
        trained=rounds(Collection[Questions], of(pool, 3), of(pool, 4)),
        logs=rounds(Log, sft, grpo),
        rollouts=rounds(Rollouts, drawn, drawn),
        old_before=scores([1, 1, 1, 1]),
        old_last=scores([1, 1, 1, 0]),
    )
    # each draw: 5 prompts of 10 tokens; answers of one token are chosen, not read again. 3 x 100, then 4 x 50 to train
    assert [(row.generated, row.probed, row.trained, row.tokens) for row in made.rows] == [
        (0, 0, 0, 0),
        (8, 5, 3, 350),
        (16, 10, 7, 600),
    ]
    assert [row.accuracy for row in made.rows] == [0.25, 0.5, 0.75]
    assert made.rows[0].old == 1.0 and math.isnan(made.rows[1].old) and made.rows[2].old == 0.75
    assert made.accuracy.tolist() == [[0, 0, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0]]
    assert made.scenes == ["scene0", "scene0", "scene1", "scene1"]


def test_other_test_questions_are_refused(small_pools: SmallPools):
    pool = small_pools.train
    one = rounds(Collection[Questions], of(pool, 1))
    with pytest.raises(ValueError, match="round 0001 was tested on other questions"):
        points(scores([0, 1]), rounds(Scores, scores([0])), one, one, rounds(Log, Log({})))
