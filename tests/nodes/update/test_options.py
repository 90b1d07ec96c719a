"""Options of TRL: all by name but those that are ours, each mistake with a word on what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph.params import Mistakes, read_params
from nodes.policy.policy import Policy
from nodes.update.grpo import Grpo, grpo
from nodes.update.options import options_of, share
from nodes.update.sft import Sft, sft
from tests.nodes.conftest import SmallPools


def test_a_spec_gives_options_of_any_plain_type() -> None:
    table = {"trl": {"weight_decay": 0.01, "loss_type": "grpo", "reward_weights": [1.0, 0.5], "num_iterations": 2}}
    mistakes = Mistakes("spec.toml")
    params = read_params(Grpo, table, mistakes, "nodes.update", Path())
    assert params is not None and params.trl == table["trl"] and not mistakes.lines


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("seed", "the engine gives the seed"),
        ("output_dir", "logs"),
        ("temperature", "params.rollout.temperature"),
        ("generation_kwargs", "params.rollout"),
        ("deepspeed", "in shards"),
    ],
)
def test_what_is_ours_is_refused_with_the_spec(name: str, word: str) -> None:
    mistakes = Mistakes("spec.toml")
    assert read_params(Sft, {"trl": {name: 1}}, mistakes, "nodes.update", Path()) is None
    assert f"trl.{name}: not an option here" in mistakes.lines[0] and word in mistakes.lines[0]


def test_a_wrong_name_says_the_nearest_and_a_wrong_type_what_was_expected() -> None:
    from trl import GRPOConfig

    with pytest.raises(ValueError, match=r"params.trl.epsilonhigh: GRPOConfig has no such option; did you mean 'eps"):
        options_of(GRPOConfig, {"epsilonhigh": 0.28})
    with pytest.raises(ValueError, match=r"params.trl.beta = 'high': Expected `float`"):
        options_of(GRPOConfig, {"beta": "high"})


def test_options_reach_the_trainer(small_pools: SmallPools, small_policy: Policy) -> None:
    still = sft(small_policy, small_pools.train, params=Sft(steps=2, batch=2, trl={"max_grad_norm": 1e-9}), seed=1)
    moved = sft(small_policy, small_pools.train, params=Sft(steps=2, batch=2), seed=1)
    assert any((v != still.weights.tensors()[name]).any() for name, v in moved.weights.tensors().items())
    with pytest.raises(ValueError, match="did you mean 'warmup_steps'"):
        sft(small_policy, small_pools.train, params=Sft(trl={"warmup_stepz": 2}), seed=1)


def test_a_step_in_two_parts_sees_the_rows_of_one_step(small_pools: SmallPools, small_policy: Policy) -> None:
    params = Grpo(steps=1, prompts=4, group=3, trl={"gradient_accumulation_steps": 2})
    halves = grpo(small_policy, small_pools.train, params=params, seed=5).log.metrics
    whole = grpo(small_policy, small_pools.train, params=Grpo(steps=1, prompts=4, group=3), seed=5).log.metrics
    assert halves["tokens"].tolist() == whole["tokens"].tolist()
    with pytest.raises(ValueError, match=r"gradient_accumulation_steps = 5: expected a divisor of batch = 16"):
        share(16, 5, "batch")
    with pytest.raises(ValueError, match=r"gradient_accumulation_steps = '2': expected a divisor of batch = 16"):
        share(16, "2", "batch")


def test_steps_that_share_rollouts_need_the_questions_of_all_of_them(
    small_pools: SmallPools, small_policy: Policy
) -> None:
    params = Grpo(steps=2, prompts=40, group=2, trl={"steps_per_generation": 2})  # 80 of the 64 that there are
    with pytest.raises(ValueError, match=r"64 questions, expected at least params.prompts = 40 for 2 steps that share"):
        grpo(small_policy, small_pools.train, params=params, seed=5)
