"""`select.progress`: quotas by learning progress, the band inside the cell."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies

from nodes.questions.question import pool_of, pool_rows
from nodes.select.drawing import NOT_PROBED
from nodes.select.progress import Progress, progress
from tests.nodes.select.asked import counts, ids, learned, pool, probe_of


def spread(questions, **rates):
    """Return p_geo by id: in each cell so many questions of p = .5, the others mastered."""
    rows = pool_rows(questions)
    return {row.id: 0.5 if int(row.id.partition("-")[2]) < rates.get(row.task, 0) else 1.0 for row in rows}


def draw(questions, p, learning=None, **params):
    seed = params.pop("seed", 1)
    probe = probe_of(questions, p_geo=p, pass_rate=params.pop("rates", {}))
    return progress(probe, questions, learning, params=Progress(**params), seed=seed)


def test_the_band_is_kept_inside_a_cell():
    asked = pool(closer=20, count=20)
    drawn = draw(asked, spread(asked, closer=8, count=8), n=12)
    assert counts(drawn) == {"closer": 6, "count": 6}
    assert all(int(name.partition("-")[2]) < 8 for name in ids(drawn))


def test_the_band_is_inclusive():
    asked = pool(closer=4)
    p = dict(zip(ids(asked), [0.1, 0.9, 0.0999, 0.9001]))
    assert ids(draw(asked, p, n=2)) == ["closer-0", "closer-1"]


def test_a_shortage_is_filled_in_the_cell_before_elsewhere():
    # of 19 the cells give 6.3 each; of count there are 3, so the other two give 8; taller has 2 of its 8 in the band
    asked = pool(closer=20, count=3, taller=20)
    drawn = draw(asked, spread(asked, closer=20, taller=2), n=19)
    assert counts(drawn) == {"closer": 8, "count": 3, "taller": 8}
    assert {"taller-0", "taller-1"} < set(ids(drawn))


def test_progress_sets_the_quotas():
    asked = pool(closer=60, count=60, taller=60)
    everything = spread(asked, closer=60, count=60, taller=60)
    drawn = draw(asked, everything, learned(closer=0.3, count=0.1, taller=0.0), n=60)
    assert counts(drawn) == {"closer": 40, "count": 16, "taller": 4}


def test_pass_rate_may_be_the_measure():
    asked = pool(closer=4)
    assert ids(draw(asked, {}, n=1, by="pass_rate", rates={"closer-2": 0.5})) == ["closer-2"]


def test_repeat_takes_those_in_the_band_alone_and_fail_names_numbers():
    asked = pool(closer=20, count=20)
    p = spread(asked, closer=3, count=2)
    assert counts(draw(asked, p, n=12, short="repeat")) == {"closer": 3, "count": 2}
    assert len(draw(asked, spread(asked), n=12, short="repeat")) == 0  # nothing to learn: the policy is carried
    with pytest.raises(ValueError, match=r"5 of 40 questions have p_geo in \[0.1, 0.9\], expected at least n = 12"):
        draw(asked, p, n=12, short="fail")
    with pytest.raises(ValueError, match=r"select.progress: 40 questions, expected at least n = 41"):
        draw(asked, p, n=41)


def test_what_was_not_probed_is_told_and_not_selected():
    asked = pool(closer=6)
    probed = pool_of(pool_rows(asked)[:4])
    drawn = progress(probe_of(probed), asked, None, params=Progress(n=4), seed=1)
    assert ids(drawn) == ids(probed)
    told = {name: why for key in drawn for name, why in drawn[key].dropped.items()}
    assert told == dict.fromkeys(set(ids(asked)) - set(ids(probed)), NOT_PROBED)
    assert drawn.summary()["dropped"] == {"not probed": 2}


def test_a_probe_of_another_pool_is_refused():
    with pytest.raises(ValueError, match=r"0 of 6 questions probed, the first 'closer-0'; the probe has 5 others"):
        progress(probe_of(pool(count=5)), pool(closer=6), None, params=Progress(n=4), seed=1)


def test_no_question_at_all_stays_none():
    nothing = pool_of([])
    for short in ("fill", "repeat", "fail"):
        assert len(draw(nothing, {}, n=4, short=short)) == 0
    everything_dropped = progress(probe_of(nothing), pool(closer=2), None, params=Progress(n=4), seed=1)
    assert ids(everything_dropped) == []


def test_a_band_upside_down_is_refused():
    with pytest.raises(ValueError, match=r"low = 0.9: need at most high = 0.1"):
        Progress(n=1, low=0.9, high=0.1)


@given(
    strategies.lists(strategies.integers(1, 9), min_size=1, max_size=4),
    strategies.lists(strategies.floats(0, 1), min_size=36, max_size=36),
    strategies.integers(0, 9),
    strategies.data(),
)
def test_exactly_n_none_twice_whatever_the_probe_says(sizes, p, seed, data):
    asked = pool(**{f"cell{number}": size for number, size in enumerate(sizes)})
    n = data.draw(strategies.integers(1, sum(sizes)))
    measured = dict(zip(ids(asked), p))
    drawn = ids(draw(asked, measured, n=n, seed=seed))
    assert len(drawn) == len(set(drawn)) == n
    assert drawn == ids(draw(pool_of(reversed(pool_rows(asked))), measured, n=n, seed=seed))
