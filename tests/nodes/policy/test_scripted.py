"""The scripted policy: it has the pass rate that it was given, and needs no model."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nodes.policy.answers import open_answerer
from nodes.policy.rollout import Rollout
from nodes.policy.scripted import scripted_policy
from nodes.probe.confidence import Confidence, probe
from nodes.questions.question import pool_rows
from nodes.rollouts.draw import Draw, draw
from tests.nodes.conftest import SmallPools


def test_it_is_right_as_often_as_it_was_told(small_pools: SmallPools) -> None:
    policy = scripted_policy({"exists": 0.8, "closer": 0.3, "count": 1.0})
    rollouts = draw(policy, small_pools.train, params=Draw(samples=400), seed=1)
    probed = probe(rollouts, small_pools.train, None, params=Confidence())
    for row in probed.rows:
        rate = policy.rates.get(row.task, 0.0)
        assert abs(row.pass_rate - rate) < 0.12  # five standard errors: 5 * sqrt(.25 / 400) = .125
        assert row.p_geo == pytest.approx(rate)


def test_its_draws_on_a_question_do_not_depend_on_the_others(small_pools: SmallPools) -> None:
    answerer = open_answerer(scripted_policy({"exists": 0.5, "count": 0.5}), Rollout(), batch=4)
    rows = pool_rows(small_pools.train)
    whole = answerer.draw(rows, small_pools.train, 8, 3).drawn.texts
    assert answerer.draw(rows[5:9], small_pools.train, 8, 3).drawn.texts == whole[5:9]
    assert answerer.draw(rows, small_pools.train, 8, 4).drawn.texts != whole


def test_it_imports_no_torch() -> None:
    program = (
        "import sys; from nodes.policy.scripted import scripted_policy as s; from nodes.policy.rollout import Rollout;"
        "from nodes.policy.answers import open_answerer as o; o(s({}), Rollout(), 1).draw([], None, 2, 1);"
        "assert not {'torch', 'transformers', 'trl'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
