"""Right rollouts become traces."""

from __future__ import annotations

import numpy as np
import pytest

from nodes.policy.scripted import scripted_policy
from nodes.questions.question import Questions, pool_rows, question_images
from nodes.rollouts.draw import Draw, draw
from nodes.rollouts.keep import Keep, keep_correct
from nodes.rollouts.rollouts import Rollouts
from store.collection import Collection
from tests.nodes.conftest import SmallPools
from tests.nodes.probe.made import number, said
from tests.nodes.questions.filters.test_filters import pool, question


def test_the_first_right_rollout_is_the_trace() -> None:
    right, other = "<think>it stands near</think><answer>bed</answer>", "<think>so it is</think><answer>bed</answer>"
    row = question("q", trace="from elsewhere")
    kept = keep_correct(said({"q": ["chair", right, other]}, [row]), pool(row), params=Keep())
    (found,) = pool_rows(kept)
    assert (found.trace, found.answer, found.id) == (right, "bed", "q")


def test_what_is_not_kept_is_dropped_with_the_reason() -> None:
    rows = [question(name, scene=name[0]) for name in ("a1", "a2", "b1", "b2", "c1")]
    cut = np.array([[False] * 2, [False] * 2, [True, False], [False] * 2])
    texts = {"a1": ["bed", "chair"], "a2": ["chair", "chair"], "b1": ["bed", "chair"], "b2": ["no", "no"]}
    given = said(texts, rows, truncated=cut)
    rollouts = Rollouts(given.rows, 2, given.drawn(), {"c1": "1200 tokens, expected at most 1024"})
    kept = keep_correct(rollouts, pool(*rows), params=Keep())
    assert [row.id for row in pool_rows(kept)] == ["a1"] and list(kept) == ["a", "b", "c"]
    assert {id: why for scene in kept.values() for id, why in scene.dropped.items()} == {
        "a2": "wrong: 0 of 2 rollouts right",
        "b1": "truncated: 1 of 2 rollouts right, all cut short",
        "b2": "wrong: 0 of 2 rollouts right",
        "c1": "unasked: 1200 tokens, expected at most 1024",
    }
    assert kept.summary()["dropped"] == {"truncated": 1, "unasked": 1, "wrong": 2}


def test_a_right_rollout_after_one_cut_short_is_taken() -> None:
    row = question("q")
    given = said({"q": ["bed", "Bed."]}, [row], truncated=np.array([[True, False]]))
    assert pool_rows(keep_correct(given, pool(row), params=Keep()))[0].trace == "Bed."


def test_a_number_is_learned_from_what_is_near() -> None:
    # For 4.0: 3.0 is off by .25, MRA .6; 3.7 by .075, MRA .9
    row = number("q", "4.0")
    given = said({"q": ["3.0", "3.7"]}, [row])
    assert pool_rows(keep_correct(given, pool(row), params=Keep()))[0].trace == "3.7"
    assert pool_rows(keep_correct(given, pool(row), params=Keep(right_at=0.5)))[0].trace == "3.0"
    assert not pool_rows(keep_correct(given, pool(row), params=Keep(right_at=1.0)))


def test_a_kept_pool_still_finds_its_pictures(small_pools: SmallPools) -> None:
    policy = scripted_policy({"exists": 1.0, "closer": 0.5})
    drawn = draw(policy, small_pools.train, params=Draw(samples=2), seed=1)
    kept = small_pools.kept(keep_correct(drawn, small_pools.train, params=Keep()))
    rows = pool_rows(kept)
    assert {row.task for row in rows} == {"exists", "closer"} and all(row.trace == row.answer for row in rows)
    assert question_images(kept, rows[0])[0].shape == (64, 64, 3)
    assert isinstance(kept, Collection) and kept.keys() == small_pools.train.keys()


def test_rollouts_of_another_pool_are_refused() -> None:
    given = said({"z": ["bed"]}, [question("z")])
    with pytest.raises(ValueError, match="rollouts of question 'z', which is not in the pool"):
        keep_correct(given, Collection(Questions, {}), params=Keep())
