"""Bands: of the pass rate, of what papers select by, of the majority's share."""

from __future__ import annotations

import math

import pytest

from nodes.questions.question import pool_of, pool_rows, question_images
from nodes.select.band import Band, Bounds, band
from nodes.select.majority import Majority, majority
from tests.nodes.conftest import SmallPools
from tests.nodes.select.asked import ids, pool, probe_of

ASKED = pool(closer=8)


def pick(rates, measure="pass_rate", seed=1, **params):
    probe = probe_of(ASKED, **{measure: dict(zip(ids(ASKED), rates))})
    return ids(band(probe, ASKED, params=Band(**params), seed=seed))


def named(*numbers):
    return [f"closer-{number}" for number in numbers]


def test_the_band_is_inclusive_at_both_ends():
    assert pick([0.1, 0.9, 0.05, 0.95, 0.5], n=3) == named(0, 1, 4)


def test_the_seed_breaks_ties_and_nothing_else():
    picks = [pick([0.5] * 8, n=4, seed=seed) for seed in (1, 1, 2)]
    assert picks[0] == picks[1] != picks[2] and len(picks[0]) == 4


def test_a_short_band_takes_the_nearest_repeats_or_fails():
    rates = [0.5, 0.95, 0.97]
    assert pick(rates, low=0.2, n=3) == named(0, 1, 2)  # outside by .05, .07; the rest by .2
    assert pick(rates, low=0.2, n=3, short="repeat") == named(0)
    with pytest.raises(ValueError, match=r"1 of 8 questions have pass_rate in \[0.2, 0.9\], expected at least n = 3"):
        pick(rates, low=0.2, n=3, short="fail")
    with pytest.raises(ValueError, match=r"select.band: 8 questions, expected at least n = 9"):
        pick(rates, n=9)


def test_with_nothing_in_the_band_repeat_takes_nothing():
    assert pick([0.0] * 8, n=3, short="repeat") == []
    nothing = pool_of([])
    for short in ("nearest", "repeat", "fail"):
        assert ids(band(probe_of(nothing), nothing, params=Band(n=3, short=short), seed=1)) == []


def test_presets_are_the_papers_and_may_be_overruled():
    assert Band(n=1).bounds() == Bounds("pass_rate", 0.1, 0.9)
    assert Band(n=1, preset="dapo").bounds() == Bounds("mean_accuracy", 0.01, 0.99)
    assert Band(n=1, preset="ouroboros", low=0.2).bounds() == Bounds("p_geo", 0.2, 0.9)
    assert pick([0.0, 1.0, 0.125, 0.875], "mean_accuracy", n=9, preset="dapo", short="repeat") == named(2, 3)
    assert pick([0.05, 0.95, 0.5], "p_geo", n=9, preset="ouroboros", short="repeat") == named(2)


def test_a_question_without_the_measure_comes_last():
    p = [0.5, math.nan, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert pick(p, "p_geo", n=7, by="p_geo") == named(0, 2, 3, 4, 5, 6, 7)
    with pytest.raises(
        ValueError, match=r"select.band: p_geo was measured of none of 8 questions; pass_rate always is"
    ):
        pick([math.nan] * 8, "p_geo", n=7, by="p_geo")


def test_an_unprobed_question_is_not_selected_and_a_probe_of_another_pool_refused():
    some = pool_of(pool_rows(ASKED)[:3])
    picked = band(probe_of(some), ASKED, params=Band(n=3), seed=1)
    assert ids(picked) == ids(some) and picked.summary()["dropped"] == {"not probed": 5}
    with pytest.raises(ValueError, match=r"select.band: 0 of 8 questions probed"):
        band(probe_of(pool(count=3)), ASKED, params=Band(n=3), seed=1)


def test_a_band_upside_down_is_refused():
    with pytest.raises(ValueError, match=r"low = 0.9: need at most high = 0.1"):
        Band(n=1, low=0.9, high=0.1)
    with pytest.raises(ValueError, match=r"low = 0.95: need at most high = 0.9"):  # the preset's
        Band(n=1, low=0.95)
    with pytest.raises(ValueError, match=r"low = 0.9: need at most high = 0.8"):
        Majority(n=1, low=0.9)


def test_a_selected_pool_still_finds_its_pictures(small_pools: SmallPools):
    picked = small_pools.kept(band(probe_of(small_pools.train), small_pools.train, params=Band(n=5, low=0), seed=1))
    assert all(question_images(picked, row)[0].shape == (64, 64, 3) for row in pool_rows(picked))


def test_a_majority_is_neither_small_nor_all():
    shares = {name: share for name, share in zip(ids(ASKED), [0.2, 0.3, 0.5, 0.8, 0.9, 1.0, 1.0, 1.0])}
    probe = probe_of(ASKED, majority_share=shares)
    assert ids(majority(probe, ASKED, params=Majority(n=9, short="repeat"), seed=1)) == named(1, 2, 3)
    # .1 outside at both ends; one of them for the fourth
    fourth = set(ids(majority(probe, ASKED, params=Majority(n=4), seed=1))) - set(named(1, 2, 3))
    assert fourth <= {"closer-0", "closer-4"}
