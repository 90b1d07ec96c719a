"""Draws without a probe: at random, and by quotas over cells."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies

from nodes.feedback.progress import CellProgress, CellRow
from nodes.questions.lots import lot
from nodes.questions.question import pool_of, pool_rows
from nodes.select.cells import Cells, cells
from nodes.select.uniform import Uniform, uniform
from store.collection import Collection
from tests.nodes.select.asked import ask, counts, ids, learned, pool

NOTHING = pool_of([])


def test_uniform_draws_n_by_the_seed():
    asked = pool(closer=20, count=20)
    first, again, other = (ids(uniform(asked, None, params=Uniform(n=10), seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert len(set(first)) == 10 and set(first) < set(ids(asked))


def test_one_question_more_changes_one_at_most():
    asked = pool(closer=40)
    more = pool_of([*pool_rows(asked), ask("new")])
    before, after = (set(ids(uniform(of, None, params=Uniform(n=10), seed=3))) for of in (asked, more))
    assert len(before - after) <= 1


def test_lots_are_uniform():
    lots = [lot(1, str(number)) for number in range(2000)]
    assert all(0 < value < 1 for value in lots)
    assert sum(lots) / 2000 == pytest.approx(0.5, abs=0.03)  # the standard error is .289 / sqrt(2000) = .0065
    assert sum(value < 0.1 for value in lots) / 2000 == pytest.approx(0.1, abs=0.03)


def test_too_few_are_named_or_taken_alone():
    asked = pool(closer=3)
    with pytest.raises(ValueError, match=r"select.uniform: 3 questions, expected at least n = 4; short = 'repeat'"):
        uniform(asked, None, params=Uniform(n=4), seed=1)
    with pytest.raises(ValueError, match=r"select.cells: 3 questions, expected at least n = 4"):
        cells(asked, None, None, params=Cells(n=4), seed=1)
    assert ids(uniform(asked, None, params=Uniform(n=4, short="repeat"), seed=1)) == ids(asked)
    assert ids(cells(asked, None, None, params=Cells(n=4, short="repeat"), seed=1)) == ids(asked)


def test_no_question_at_all_stays_none():
    assert len(uniform(NOTHING, None, params=Uniform(n=4), seed=1)) == 0
    assert len(cells(NOTHING, learned(closer=0.3), None, params=Cells(n=4), seed=1)) == 0


def test_cells_are_equal_without_progress():
    drawn = cells(pool(closer=30, count=90, taller=10), None, None, params=Cells(n=24), seed=1)
    assert counts(drawn) == {"closer": 8, "count": 8, "taller": 8}


def test_what_a_cell_lacks_the_others_give():
    # 24 / 3 = 8 each; taller has 2, so 6 go to the other two
    drawn = cells(pool(closer=30, count=90, taller=2), None, None, params=Cells(n=24), seed=1)
    assert counts(drawn) == {"closer": 11, "count": 11, "taller": 2}


def test_a_fifth_is_equal_and_the_rest_follows_progress():
    # of 60, 12 by equal parts: 4 each; 48 by .3 : .1 : 0, which is 36, 12 and 0
    progress = learned(closer=0.3, count=0.1, taller=0.0)
    drawn = cells(pool(closer=60, count=60, taller=60), progress, None, params=Cells(n=60), seed=1)
    assert counts(drawn) == {"closer": 40, "count": 16, "taller": 4}


def test_cells_are_equal_while_no_progress_is_known():
    once = CellProgress([CellRow("closer", 16, 0.5, (0.4,), 0.0), CellRow("count", 16, 0.5, (0.1,), 0.0)])
    for progress in (once, learned(closer=0.0, count=0.0), CellProgress([])):
        assert counts(cells(pool(closer=9, count=9), progress, None, params=Cells(n=10), seed=1)) == {
            "closer": 5,
            "count": 5,
        }


def test_a_cell_met_first_counts_as_a_mean_one():
    # known: .3 and .1, mean .2; all but equal by .3 : .1 : .2 of 60
    drawn = cells(
        pool(closer=60, count=60, taller=60), learned(closer=0.3, count=0.1), None, params=Cells(n=60, equal=0), seed=1
    )
    assert counts(drawn) == {"closer": 30, "count": 10, "taller": 20}


def test_a_cell_that_is_gone_takes_no_share():
    drawn = cells(pool(closer=20, count=20), learned(closer=0.1, count=0.1, gone=0.8), None, params=Cells(n=20), seed=1)
    assert counts(drawn) == {"closer": 10, "count": 10}


def test_a_cell_without_progress_gives_what_nobody_else_can():
    drawn = cells(pool(closer=5, count=20), learned(closer=0.5, count=0.0), None, params=Cells(n=12, equal=0), seed=1)
    assert counts(drawn) == {"closer": 5, "count": 7}


def test_anchors_are_left_out():
    asked, kept = pool(closer=8, count=8), pool(closer=4)  # the same ids: closer-0 to closer-3
    for drawn in (
        uniform(asked, kept, params=Uniform(n=12), seed=1),
        cells(asked, None, kept, params=Cells(n=12), seed=1),
    ):
        assert counts(drawn) == {"closer": 4, "count": 8} and not set(ids(drawn)) & set(ids(kept))


def test_the_order_of_scenes_changes_nothing():
    asked = pool(closer=20, count=9)
    turned = Collection(asked.item, {key: asked[key] for key in reversed(list(asked))})
    renamed = pool_of(reversed(pool_rows(asked)))
    for rule, params in (
        (lambda of, **given: uniform(of, None, **given), Uniform(n=7)),
        (lambda of, **given: cells(of, None, None, **given), Cells(n=7)),
    ):
        drawn = [ids(rule(of, params=params, seed=5)) for of in (asked, turned, renamed)]
        assert drawn[0] == drawn[1] == drawn[2]


@given(
    strategies.lists(strategies.integers(1, 12), min_size=1, max_size=5),
    strategies.lists(strategies.floats(0, 1), min_size=5, max_size=5),
    strategies.floats(0, 1),
    strategies.integers(0, 9),
    strategies.data(),
)
def test_quotas_give_exactly_n_and_none_twice(sizes, changes, equal, seed, data):
    names = [f"cell{number}" for number in range(len(sizes))]
    n = data.draw(strategies.integers(1, sum(sizes)))
    progress = learned(**dict(zip(names, changes)))
    drawn = ids(cells(pool(**dict(zip(names, sizes))), progress, None, params=Cells(n=n, equal=equal), seed=seed))
    assert len(drawn) == len(set(drawn)) == n
