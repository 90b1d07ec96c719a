"""Learning progress by cell, worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies

from nodes.feedback.progress import CellProgress, CellRow, Progress, change, corrected, progress
from nodes.questions.question import pool_of, pool_rows
from store.open import open_store
from tests.nodes.select.asked import ask, pool, probe_of

ANCHORS = pool(closer=4, count=2)


def after(*rounds, questions=ANCHORS, by="p_geo"):
    """Return the progress after rounds, each given as the measure by task, or by question."""
    past = None
    for values in rounds:
        of = {row.id: values.get(row.id, values.get(row.task, 0.0)) for row in pool_rows(questions)}
        past = progress(probe_of(questions, **{by: of}), questions, past, params=Progress(by=by))
    return past.by_cell()


def test_the_first_round_knows_no_progress():
    cells = after({"closer-0": 1.0, "closer-1": 0.8, "closer-2": 0.6, "closer-3": 0.4, "count": 0.5})
    # closer: mean .7, chance .5, so (.7 - .5) / .5; count: at its chance
    assert cells["closer"] == CellRow("closer", 4, 0.5, (pytest.approx(0.4),), 0.0)
    assert cells["count"].means == (0.0,) and cells["count"].progress == 0.0


def test_progress_is_the_change_of_the_smoothed_mean_over_two_rounds():
    rounds = [{"closer": p, "count": 0.9} for p in (0.5, 0.7, 0.7, 0.9)]
    # p' = 0, .4, .4, .8; smoothed 0, .2, .3, .55; so .2 after the second, .3 - 0 after the third, .55 - .2 after that
    assert [after(*rounds[:n])["closer"].progress for n in (1, 2, 3, 4)] == pytest.approx([0.0, 0.2, 0.3, 0.35])
    assert after(*rounds)["count"].progress == pytest.approx(0.0)


def test_forgetting_counts_as_progress_does():
    assert after({"closer": 0.9}, {"closer": 0.7})["closer"].progress == pytest.approx(0.2)  # p' .8 to .4, half of it


def test_below_chance_is_not_clipped():
    assert after({"closer": 0.3})["closer"].means == (pytest.approx(-0.4),)


def test_chance_is_that_of_the_first_round():
    numbers = [ask(f"n{n}", "size", kind="number", options=(), answer=answer, chance=0.0)
               for n, answer in enumerate(("2", "2", "4"))]  # fmt: skip
    first = after({"size": 0.5}, questions=pool_of(numbers), by="mean_accuracy")["size"]
    assert first.chance == pytest.approx(0.7)  # of the median 2: (1 + 1 + .1) / 3
    past = CellProgress([first])
    others = pool_of(numbers[:2])  # of these alone it would be 1
    later = progress(
        probe_of(others, mean_accuracy={"n0": 1, "n1": 1}), others, past, params=Progress(by="mean_accuracy")
    )
    assert later.rows[0].chance == first.chance and later.rows[0].means[1] == pytest.approx(1.0)


def test_numbers_have_no_chance_in_tokens():
    number = pool_of([ask("n", "size", kind="number", options=(), answer="2", chance=0.0)])
    assert after({"size": 0.3}, questions=number)["size"] == CellRow("size", 1, 0.0, (0.3,), 0.0)


def test_a_cell_of_one_number_can_learn_nothing():
    number = pool_of([ask("n", "size", kind="number", options=(), answer="2", chance=0.0)])
    assert after({"size": 0.3}, {"size": 0.9}, questions=number, by="mean_accuracy")["size"].progress == 0.0


def test_a_new_cell_begins_and_one_that_is_gone_stays_as_it_was():
    first = progress(probe_of(pool(closer=4), p_geo={}), pool(closer=4), None, params=Progress())
    second = progress(probe_of(pool(count=2), p_geo={}), pool(count=2), first, params=Progress())
    assert [row.cell for row in second.rows] == ["closer", "count"]
    assert second.rows[0] == first.rows[0] and second.rows[1].means == (-1.0,)


def test_what_was_not_measured_is_left_out():
    nan = math.nan
    assert after({"closer-0": 0.7, "closer": nan, "count": nan}).keys() == {"closer"}
    assert after({"closer-0": 0.7, "closer": nan, "count": nan})["closer"].anchors == 1
    with pytest.raises(ValueError, match=r"feedback.progress: p_geo was measured of none of 6 questions"):
        after({"closer": nan, "count": nan})


def test_it_survives_the_store(tmp_path):
    store = open_store(str(tmp_path))
    made = CellProgress(list(after({"closer": 0.5}, {"closer": 0.7}).values()))
    opened = store.open(store.put(made), CellProgress)
    assert opened.rows == made.rows
    assert opened.summary()["closer"] == {"anchors": 4, "over_chance": 0.4, "progress": 0.2}


@given(strategies.lists(strategies.floats(0, 1), min_size=1, max_size=8), strategies.floats(0, 0.9))
def test_progress_is_bounded(p, chance):
    means = [corrected(value, chance) for value in p]
    spread = max(means) - min(means)
    assert abs(change(means)) <= spread + 1e-9
    assert all(-chance / (1 - chance) - 1e-9 <= value <= 1 + 1e-9 for value in means)
