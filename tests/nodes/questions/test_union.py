"""pool.union: several pools as one, and answers that nobody can know."""

from __future__ import annotations

import pytest

from nodes.questions.question import pool_rows, question_images
from nodes.questions.relabel import Relabel, relabel
from nodes.questions.union import Union, union
from tests.nodes.conftest import SmallPools


def test_all_questions_stand_in_one_pool_in_cells_of_their_own(small_pools: SmallPools):
    train, test = small_pools.train, small_pools.test
    both = union(train, test, None, None, params=Union(names=("old", "new")))
    assert len(pool_rows(both)) == len(pool_rows(train)) + len(pool_rows(test))
    ids = {row.id for row in pool_rows(train)}
    assert {row.template.split("/")[-1] for row in pool_rows(both) if row.id in ids} == {"old"}
    assert {row.template.split("/")[-1] for row in pool_rows(both) if row.id not in ids} == {"new"}


def test_two_pools_of_one_scene_meet(small_pools: SmallPools):
    train = small_pools.train
    wrong = relabel(train, params=Relabel(share=1.0, answers="wrong"), seed=1)
    both = union(train, wrong, None, None, params=Union())
    assert sorted(both) == sorted(train) and len(pool_rows(both)) == 2 * len(pool_rows(train))
    stored = small_pools.kept(both)
    assert all(question_images(stored, row)[0].shape == (64, 64, 3) for row in pool_rows(stored))


def test_an_id_twice_is_refused(small_pools: SmallPools):
    with pytest.raises(ValueError, match="ids stand in two pools, the first"):
        union(small_pools.train, small_pools.train, None, None, params=Union())
    with pytest.raises(ValueError, match=r"names = \['a'\], expected 2, one a pool"):
        union(small_pools.train, small_pools.test, None, None, params=Union(names=("a",)))
