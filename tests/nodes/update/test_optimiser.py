"""The optimiser over rounds: two updates that carry it are one update of all their steps."""

from __future__ import annotations

import numpy as np
import pytest

from graph.node import Named
from nodes.policy.policy import Policy
from nodes.questions.question import QuestionPool, Questions, pool_rows
from nodes.update.grpo import Grpo, grpo
from nodes.update.sft import Sft, sft
from nodes.update.update import Trainer, Update
from store.collection import Collection
from tests.nodes.conftest import SmallPools

WORDY = Named("wordy", "tests.nodes.update.rewards_that_look:wordy")
CARRIED = Sft(steps=3, batch=1, turns=4, schedule="constant", carry=True)


@pytest.fixture
def one_talk(small_pools: SmallPools) -> QuestionPool:
    """Four questions on one picture: one conversation, so that every order of the data is the same."""
    rows = pool_rows(small_pools.train)
    first = [row for row in rows if (row.scene, row.frames) == (rows[0].scene, rows[0].frames)][:4]
    frames = small_pools.train[rows[0].scene].frames(rows[0].frames_digest)
    return Collection(Questions, {rows[0].scene: Questions(first, frames)})


def test_two_rounds_that_carry_the_optimiser_are_one_run(
    small_pools: SmallPools, small_policy: Policy, one_talk: QuestionPool
) -> None:
    store = small_pools.store
    first = store.open(store.put(sft(small_policy, one_talk, params=CARRIED, seed=1)), Update)
    second = sft(first.weights, one_talk, first.trainer, params=CARRIED, seed=1)
    whole = sft(small_policy, one_talk, params=replaced(CARRIED, steps=6), seed=1)
    assert store.put(second.weights) == store.put(whole.weights)
    assert store.put(second.trainer) == store.put(whole.trainer)
    assert second.trainer.steps == 6
    assert whole.log.metrics["loss"].tolist() == [*first.log.metrics["loss"], *second.log.metrics["loss"]]
    fresh = sft(first.weights, one_talk, params=CARRIED, seed=1)
    assert store.put(fresh.weights) != store.put(whole.weights)


def replaced(params: Sft, **fields: object) -> Sft:
    import msgspec

    return msgspec.structs.replace(params, **fields)


def test_the_state_holds_two_moments_a_parameter_and_tied_ones_once(
    small_policy: Policy, one_talk: QuestionPool
) -> None:
    trainer = sft(small_policy, one_talk, params=CARRIED, seed=1).trainer
    tensors = trainer.tensors()
    sizes = {name: values.shape for name, values in small_policy.tensors().items()}
    for moment in ("exp_avg", "exp_avg_sq"):
        held = {
            name.removeprefix(moment + "."): v.shape for name, v in tensors.items() if name.startswith(moment + ".")
        }
        assert held == sizes
    assert tensors["step"].tolist() == [3.0] * len(sizes)
    assert trainer.summary() == {"steps": 3, "parameters": len(sizes)}


def test_nothing_is_stored_where_nobody_carries(small_policy: Policy, one_talk: QuestionPool) -> None:
    trainer = sft(small_policy, one_talk, params=replaced(CARRIED, carry=False), seed=1).trainer
    assert (trainer.steps, trainer.tensors()) == (3, {})


def test_grpo_carries_its_optimiser(small_pools: SmallPools, small_policy: Policy) -> None:
    params = Grpo(steps=2, prompts=4, group=3, rewards=(WORDY,), schedule="constant", carry=True)
    first = grpo(small_policy, small_pools.train, params=params, seed=5)
    second = grpo(first.weights, small_pools.train, first.trainer, params=params, seed=6)
    fresh = grpo(first.weights, small_pools.train, params=params, seed=6)
    assert second.trainer.steps == 4 and set(second.trainer.tensors()["step"]) == {4.0}
    assert any((values != fresh.weights.tensors()[name]).any() for name, values in second.weights.tensors().items())


def test_the_learning_rate_spans_all_rounds(small_policy: Policy, one_talk: QuestionPool) -> None:
    params = replaced(CARRIED, steps=2, schedule="linear", schedule_steps=8, learning_rate=0.008)
    first = sft(small_policy, one_talk, params=params, seed=1)
    second = sft(first.weights, one_talk, first.trainer, params=params, seed=1)
    rates = [*first.log.metrics["learning_rate"], *second.log.metrics["learning_rate"]]
    # Before step n of 8, from 0: .008 (1 - n / 8).
    assert np.allclose(rates, [0.008, 0.007, 0.006, 0.005], rtol=1e-12)
    alone = sft(small_policy, one_talk, params=replaced(params, schedule_steps=0), seed=1)
    assert np.allclose(alone.log.metrics["learning_rate"], [0.008, 0.004], rtol=1e-12)


def test_the_optimiser_of_another_policy_is_refused(small_policy: Policy, one_talk: QuestionPool) -> None:
    odd = Trainer(2, {"exp_avg.lm.weight": np.zeros((2, 2), np.float32), "step": np.ones(1, np.float32)})
    with pytest.raises(ValueError, match=r"input trainer: exp_avg of 'lm.weight' is \(2, 2\), expected a parameter"):
        sft(small_policy, one_talk, odd, params=CARRIED, seed=1)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_a_learning_rate_at_its_end_is_told_before_steps_are_spent(
    schedule: str, small_policy: Policy, one_talk: QuestionPool
) -> None:
    params = replaced(CARRIED, schedule=schedule, schedule_steps=4)  # linear would stay at 0, a cosine rise again
    first = sft(small_policy, one_talk, params=params, seed=1)
    with pytest.raises(ValueError, match=r"params.schedule_steps = 4: this update's steps are 4 to 6; expected at"):
        sft(first.weights, one_talk, first.trainer, params=params, seed=1)
    assert sft(small_policy, one_talk, first.trainer, params=replaced(CARRIED, schedule_steps=4), seed=1).trainer


def test_an_optimiser_of_another_kind_is_not_carried() -> None:
    with pytest.raises(ValueError, match=r"carry: not with trl.optim = 'adafactor', expected one of adamw_torch, "):
        Sft(carry=True, trl={"optim": "adafactor"})
    assert Grpo(trl={"optim": "adafactor"})


def test_an_optimiser_of_another_kind_does_not_go_on(small_policy: Policy, one_talk: QuestionPool) -> None:
    first = sft(small_policy, one_talk, params=CARRIED, seed=1)
    other = replaced(CARRIED, carry=False, trl={"optim": "adafactor"})
    with pytest.raises(ValueError, match=r"carry: not with trl.optim = 'adafactor'"):
        sft(first.weights, one_talk, first.trainer, params=other, seed=1)


def test_a_stored_trainer_is_summed_up_without_its_tensors(
    small_pools: SmallPools, small_policy: Policy, one_talk: QuestionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, update = small_pools.store, sft(small_policy, one_talk, params=CARRIED, seed=1)
    opened = store.open(store.put(update.trainer), Trainer)
    empty = store.open(store.put(Trainer(2, {})), Trainer)
    monkeypatch.setattr(Trainer, "tensors", None)
    assert opened.summary() == update.trainer.summary() and opened.summary()["parameters"] > 10
    assert empty.summary() == {"steps": 2, "parameters": 0}
