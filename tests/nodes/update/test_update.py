"""Updates: the same seed gives the same bits, in this process, after another update, and in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from graph.node import Named
from nodes.policy.build import Build, build_tiny
from nodes.policy.policy import Policy
from nodes.policy.rollout import Rollout
from nodes.questions.question import QuestionPool, Questions, pool_rows
from nodes.questions.vocabulary import words
from nodes.rewards.reward import ACCURACY
from nodes.update.grpo import Grpo, grpo
from nodes.update.sft import Sft, sft
from nodes.update.update import Trainer, Update, log_from
from store.collection import Collection
from store.open import open_store
from tests.nodes.conftest import SmallPools

SFT = Sft(steps=2, batch=2, turns=4)
# An untrained policy is never right: by accuracy alone nothing would be learned, and any two runs be the same.
WORDY = Named("wordy", "tests.nodes.update.rewards_that_look:wordy")
GRPO = Grpo(steps=2, prompts=4, group=3, rewards=(WORDY,))
ROOT = Path(__file__).parents[3]
ELSEWHERE = """
import sys
from nodes.policy.build import Build, build_tiny
from nodes.policy.policy import Policy
from nodes.policy.rollout import Rollout
from nodes.questions.question import Questions
from nodes.update.{name} import {name}
from store.collection import Collection
from store.open import open_store
from tests.nodes.update.test_update import {params}
store = open_store(sys.argv[1])
policy, questions = store.open(sys.argv[2], Policy), store.open(sys.argv[3], Collection[Questions])
print("digest", store.put({name}(policy, questions, params={params}, seed=5)))
"""


def test_the_same_seed_gives_the_same_bits_here_and_in_another_process(
    small_pools: SmallPools, small_policy: Policy
) -> None:
    store, questions = small_pools.store, small_pools.train
    policy = store.open(store.put(small_policy), Policy)
    # GRPO after SFT in this process, and GRPO alone in another: nothing may leak from one update into the next.
    warmed = store.put(sft(policy, questions, params=SFT, seed=5))
    learned = store.put(grpo(policy, questions, params=GRPO, seed=5))
    assert learned != store.put(grpo(policy, questions, params=GRPO, seed=6))
    for name, params, digest in (("sft", "SFT", warmed), ("grpo", "GRPO", learned)):
        program = ELSEWHERE.format(name=name, params=params)
        where = (store_root(store), policy.digest, questions.digest)
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, where)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout.split()[-1] == digest


def store_root(store: object) -> str:
    return str(store.objects.root)  # type: ignore[attr-defined]


def test_an_update_leaves_the_random_generators_as_they_were(small_pools: SmallPools, small_policy: Policy) -> None:
    import random

    import torch

    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    update = grpo(small_policy, small_pools.train, params=GRPO, seed=5)
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    assert update.weights.trained_places == tuple(small_pools.train)  # place == scene id in generated rooms


def test_the_log_has_rewards_by_step_and_task_and_no_clock(small_pools: SmallPools, small_policy: Policy) -> None:
    seen: list[tuple[int, int]] = []

    def progress(done: int, total: int, **numbers: float) -> None:
        seen.append((done, total))
        assert numbers.keys() == ({"reward", "loss"} if done else {"million_tokens", "memory_gb", "stored_gb"})

    log = grpo(small_policy, small_pools.train, params=GRPO, seed=5, progress=progress).log
    assert seen == [(0, 2), (1, 2), (2, 2)]
    assert set(log.metrics) >= {"reward", "loss", "tokens", "frac_reward_zero_std"}
    assert (log.metrics["tokens"] > 12 * 20).all()  # of one step: 12 rollouts of more than 20 tokens each
    assert log.metrics["reward"].shape == (2,) and any(name.startswith("acc/") for name in log.metrics)
    assert not [name for name in log.metrics if "time" in name or "per_second" in name]


def test_qwen_policies_train_on_several_frames_and_long_answers(small_pools: SmallPools) -> None:
    import msgspec

    rollout = Rollout(frames=2, max_tokens=2)
    rewards = (ACCURACY, Named("format", "nodes.rewards.format:well_formed"))
    rows = pool_rows(small_pools.train)[:8]
    several = [msgspec.structs.replace(row, frames=(0, 1)) for row in rows[:4]]
    frames = small_pools.train[rows[0].scene].frames(rows[0].frames_digest)
    questions = Collection(Questions, {rows[0].scene: Questions([*several, *rows[4:]], frames)})
    policy = build_tiny(Build(family="qwen3_vl", width=32, vision_width=32), words(), seed=1)
    warmed = sft(policy, questions, params=Sft(rollout=rollout, steps=1, batch=2), seed=1)
    params = Grpo(rollout=rollout, rewards=rewards, steps=1, prompts=8, group=2)
    learned = grpo(warmed.weights, questions, params=params, seed=1)
    assert any((values != warmed.weights.tensors()[name]).any() for name, values in policy.tensors().items())
    assert {"rewards/accuracy/mean", "rewards/format/mean"} <= learned.log.metrics.keys()


@pytest.mark.parametrize("train", ["sft", "grpo"])
def test_in_bfloat16_weights_stay_whole_and_a_reference_is_held_in_it(
    train: str, small_pools: SmallPools, small_policy: Policy
) -> None:
    rollout = Rollout(dtype="bfloat16")
    if train == "sft":
        update = sft(small_policy, small_pools.train, params=Sft(steps=2, batch=2, rollout=rollout), seed=5)
    else:
        params = Grpo(steps=2, prompts=4, group=3, rewards=(WORDY,), rollout=rollout, trl={"beta": 0.1})
        update = grpo(small_policy, small_pools.train, None, small_policy, params=params, seed=5)
        assert np.isfinite(update.log.metrics["kl"]).all()
    before, after = small_policy.tensors(), update.weights.tensors()
    assert {name: values.dtype for name, values in after.items()} == {n: v.dtype for n, v in before.items()}
    assert any((after[name] != before[name]).any() for name in before)


def test_what_an_update_takes_is_told_before_it_starts(small_pools: SmallPools, small_policy: Policy) -> None:
    told: list[tuple[int, int, dict]] = []
    sft(
        small_policy, small_pools.train, params=SFT, seed=5, progress=lambda *at, **numbers: told.append((*at, numbers))
    )
    done, total, numbers = told[0]
    assert (done, total) == (0, 2) and numbers.keys() == {"million_tokens", "memory_gb", "stored_gb"}
    assert all(value > 0 for value in numbers.values())


def test_what_clocks_made_is_dropped_and_gaps_are_nan() -> None:
    history = [
        {"step": 1, "loss": 2.0, "step_time": 0.31, "epoch": 0.1},
        {"step": 2, "loss": 1.0, "acc/count": 0.5},
        {"step": 2, "rewards/in_time/mean": 0.5, "acc/epoch_order": 1.0},  # words of clocks in names of others
        {"step": 2, "train_runtime": 9.9, "train_loss": 1.5},
    ]
    metrics = log_from(history, steps=2).metrics
    assert sorted(metrics) == ["acc/count", "acc/epoch_order", "loss", "rewards/in_time/mean"]
    assert metrics["loss"].tolist() == [2.0, 1.0] and np.isnan(metrics["acc/count"]).tolist() == [True, False]


def test_sft_raises_the_probability_of_the_answers(small_pools: SmallPools, small_policy: Policy) -> None:
    log = sft(small_policy, small_pools.train, params=Sft(steps=30, batch=8), seed=1).log
    assert log.metrics["loss"][-5:].mean() < 0.7 * log.metrics["loss"][0]


def test_an_update_survives_the_store(small_pools: SmallPools, small_policy: Policy, tmp_path: Path) -> None:
    update = Update(small_policy, log_from([{"step": 1, "loss": 2.0}], steps=1))
    store = open_store(str(tmp_path))
    opened = store.open(store.put(update), Update)
    assert opened.log.metrics["loss"].tolist() == [2.0] and opened.trainer.steps == 0
    assert opened.weights.summary() == small_policy.summary()


def test_too_few_questions_are_refused(small_pools: SmallPools, small_policy: Policy) -> None:
    with pytest.raises(ValueError, match=r"expected at least params.prompts = 999"):
        grpo(small_policy, small_pools.train, params=Grpo(prompts=999), seed=1)


def test_a_round_without_questions_carries_the_policy_and_says_so(
    small_policy: Policy, capsys: pytest.CaptureFixture[str]
) -> None:
    empty: QuestionPool = Collection(Questions, {})
    before = Trainer(7, {"exp_avg.x": np.zeros(2, np.float32), "step": np.ones(1, np.float32)})
    for update in (
        sft(small_policy, empty, before, params=Sft(carry=True), seed=1),
        grpo(small_policy, empty, before, params=Grpo(carry=True), seed=1),
    ):
        assert update.weights is small_policy and update.trainer is before
        assert update.log.summary() == {
            "steps": 0,
            "first_and_last": {},
            "note": "no questions: the policy goes on as it is",
        }
    assert "update.grpo: no questions: the policy goes on as it is" in capsys.readouterr().out
    assert grpo(small_policy, empty, before, params=Grpo(), seed=1).trainer.tensors() == {}


@pytest.mark.parametrize("family", ["idefics3", "qwen3_vl"])
def test_our_labels_are_those_of_trl(family: str, small_pools: SmallPools) -> None:
    import copy

    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    from nodes.policy.policy import load_model
    from nodes.policy.rollout import Pictures
    from nodes.update.answer_labels import AnswerLabels
    from nodes.update.conversations import conversations
    from nodes.update.lengths import Lengths
    from nodes.update.sft import conversation_row

    policy = build_tiny(Build(family=family, width=32, vision_width=32), words(), seed=1)  # type: ignore[arg-type]
    _, processor = load_model(policy)
    pictures = Pictures(small_pools.train)
    asked = pool_rows(small_pools.train)
    lengths = Lengths(processor, pictures, Rollout())
    talks, _ = conversations(asked, [row.answer for row in asked], turns=3, seed=1, lengths=lengths, context=999)
    some = sorted((talk.rows for talk in talks), key=len)[-4:] + [talk.rows for talk in talks[:2]]
    rows = [conversation_row(talk, pictures, Rollout()) for talk in some]
    ours = AnswerLabels(processor)(copy.deepcopy(rows))
    theirs = DataCollatorForVisionLanguageModeling(processor, assistant_only_loss=True)(copy.deepcopy(rows))
    assert ours.keys() == theirs.keys()
    assert all((ours[name] == theirs[name]).all() for name in ours)
