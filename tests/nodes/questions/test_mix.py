"""Mixing: shares to a question, the same draw for a seed, and general questions through training and evaluation."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies
from msgspec.structs import replace

from nodes.evaluate.questions import Evaluate, evaluate
from nodes.feedback.compile import Compile, compile_feedback
from nodes.policy.policy import load_model
from nodes.policy.rollout import Pictures, Rollout
from nodes.probe.confidence import Confidence, probe
from nodes.questions.mix import Mix, largest_total, mix, split
from nodes.questions.question import pool_of, pool_rows
from nodes.rollouts.draw import Draw, draw
from nodes.select.band import Band, band
from nodes.update.conversations import conversations
from nodes.update.lengths import Lengths
from nodes.update.sft import Sft, sft


@pytest.fixture
def pools(some_question):
    """40 spatial questions on one scene, 20 general ones of no scene and no frames."""
    plain = replace(some_question, scene="", place="", frames=(), frames_digest="", task="general")
    spatial = pool_of(replace(some_question, id=f"s{n}") for n in range(40))
    return spatial, pool_of(replace(plain, id=f"g{n}") for n in range(20))


def drawn(pools, **params):
    seed = params.pop("seed", 1)
    return [row.id for row in pool_rows(mix(*pools, params=Mix(**params), seed=seed))]


def test_share_is_exact_to_a_question(pools):
    ids = drawn(pools, share=0.25, n=10)  # 7.5 and 2.5: the tie is spatial
    assert (sum(name[0] == "s" for name in ids), sum(name[0] == "g" for name in ids)) == (8, 2)
    assert split(151_000, 60 / 151)["general"] == 60_000


def test_without_n_it_takes_all_that_the_share_allows(pools):
    ids = drawn(pools, share=0.5)
    assert len(ids) == 41  # 20 general ones; of 41 the odd one is spatial
    assert len(drawn(pools, share=0.0)) == 40 and len(drawn(pools, share=1.0)) == 20


@given(strategies.floats(0, 1), strategies.integers(0, 60), strategies.integers(0, 60))
def test_largest_total_fits_and_the_next_does_not(share, n_spatial, n_general):
    n = largest_total(share, n_spatial, n_general)

    def fits(total):
        parts = split(total, share)
        return parts["spatial"] <= n_spatial and parts["general"] <= n_general

    assert fits(n) and not fits(n + 1)


def test_a_seed_draws_the_same_and_one_more_question_moves_one(pools):
    spatial, general = pools
    before = drawn(pools, share=0.5, n=20)
    assert before == drawn(pools, share=0.5, n=20) != drawn(pools, share=0.5, n=20, seed=2)
    more = pool_of([*pool_rows(spatial), replace(pool_rows(spatial)[0], id="new")])
    after = drawn((more, general), share=0.5, n=20)
    assert len(set(before) - set(after)) <= 1


def test_too_few_and_ids_in_both_are_refused(pools):
    with pytest.raises(ValueError, match=r"pool.mix: 20 general questions, expected 30 for n = 60 and share = 0.5"):
        drawn(pools, share=0.5, n=60)
    with pytest.raises(ValueError, match=r"40 ids stand in both pools, the first 's0'"):
        drawn((pools[0], pools[0]), share=0.5)


def test_mix_trains_probes_selects_and_evaluates(small_pools, pools, small_policy):
    general = pools[1]
    mixed = small_pools.kept(mix(small_pools.train, general, params=Mix(share=0.25), seed=1))
    assert "general" in mixed
    assert len(pool_rows(mixed)) == 82  # of 82: 61.5 and 20.5, the tie is spatial; 83 would take 21 of 20
    update = sft(small_policy, mixed, params=Sft(steps=2, batch=4), seed=1)
    places = update.weights.trained_places
    assert places and "" not in places
    held = small_pools.kept(general)
    scores = evaluate(update.weights, held, params=Evaluate(), progress=None)  # no place of it trained the policy
    assert len(scores.rows) == 20
    probed = probe(draw(update.weights, mixed, params=Draw(samples=2), seed=1), mixed, None, params=Confidence())
    chosen = band(probed, mixed, params=Band(low=0, high=1, n=82), seed=1)
    assert {row.id for row in pool_rows(chosen)} == {row.id for row in pool_rows(mixed)}
    assert set(compile_feedback(probed, mixed, None, params=Compile())) == set(small_pools.train)


def test_questions_without_frames_are_conversations_of_their_own(pools, small_policy):
    rows = pool_rows(pools[1])
    lengths = Lengths(load_model(small_policy)[1], Pictures(pools[1]), Rollout())
    talks, dropped = conversations(rows, [row.answer for row in rows], 8, 1, lengths, 999)
    assert [len(talk.rows) for talk in talks] == [1] * 20 and not dropped
