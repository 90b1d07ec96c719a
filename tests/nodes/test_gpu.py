"""On a GPU, where there is one: draws are the CPU's but for float noise, and updates give the same bits twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from graph.node import Named
from nodes.policy.answers import Draws, ModelAnswerer
from nodes.policy.build import Build, build_tiny
from nodes.policy.lora import Lora
from nodes.policy.policy import Policy
from nodes.policy.rollout import Rollout
from nodes.policy.writing import ModelWriter, Request, Sampling
from nodes.questions.question import pool_rows, question_images
from nodes.questions.vocabulary import words
from nodes.update.grpo import Grpo, grpo
from nodes.update.sft import Sft, sft
from nodes.update.update import Update
from store.open import Store
from tests.nodes.conftest import SmallPools

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")

ROOT = Path(__file__).parents[2]
BROKEN = """
import torch
from graph.child import _has_lost_gpu
ones = torch.ones(2, device="cuda")
print(_has_lost_gpu())
try:
    ones[torch.tensor([5], device="cuda")].cpu()
except RuntimeError:
    print(_has_lost_gpu())
"""
WORDY = Named("wordy", "tests.nodes.update.rewards_that_look:wordy")
CUDA, HALF = Rollout(device="cuda"), Rollout(device="cuda", dtype="bfloat16")
SFT = Sft(rollout=CUDA, steps=4, batch=2, turns=4, carry=True)
GRPO = Grpo(rollout=CUDA, steps=4, prompts=4, group=3, carry=True)
BODIES = {
    "sft": SFT,
    "grpo": GRPO,
    "sft, an adapter in bfloat16": msgspec.structs.replace(SFT, rollout=HALF, lora=Lora(rank=4)),
    "grpo, an adapter in bfloat16": msgspec.structs.replace(GRPO, rollout=HALF, lora=Lora(rank=4)),
    "grpo, all weights in bfloat16": msgspec.structs.replace(GRPO, rollout=HALF),
    "grpo, a KL term": msgspec.structs.replace(GRPO, trl={"beta": 0.1}),
}


@pytest.mark.parametrize("family", ["idefics3", "smolvlm", "llava", "qwen2_5_vl", "qwen3_vl"])
@pytest.mark.parametrize("max_tokens", [1, 4])
def test_draws_are_those_of_the_cpu_but_for_float_noise(family: Any, max_tokens: int, small_pools: SmallPools) -> None:
    policy = build_tiny(Build(family=family, width=32, vision_width=32), words(), seed=1)
    rows = pool_rows(small_pools.test)

    def drawn(device: Any, dtype: Any = "float32") -> Draws:
        rollout = Rollout(max_tokens=max_tokens, device=device, dtype=dtype)
        return ModelAnswerer(policy, rollout, 8).draw(rows, small_pools.test, 4, 1)

    cpu, gpu, half = drawn("cpu"), drawn("cuda"), drawn("cuda", "bfloat16")
    np.testing.assert_allclose(gpu.drawn.answer_logprobs, cpu.drawn.answer_logprobs, atol=5e-3)
    np.testing.assert_allclose(half.drawn.answer_logprobs, cpu.drawn.answer_logprobs, atol=0.3)
    assert np.mean(np.array(gpu.drawn.texts) == np.array(cpu.drawn.texts)) > 0.95
    assert gpu.n_prompt == cpu.n_prompt


@pytest.mark.parametrize("name", BODIES)
def test_two_updates_are_the_same_bits(name: str, small_pools: SmallPools, small_policy: Policy) -> None:
    store = small_pools.store
    first, second = (_stored(store, _update(name, small_pools, small_policy)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", ["sft", "grpo"])
def test_an_update_goes_on_bit_for_bit(
    name: str, small_pools: SmallPools, small_policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nodes.update.checkpoints.EVERY_S", 0.0)
    monkeypatch.setattr("nodes.update.checkpoints.SHARE", 1e9)

    def stopped(done: int, total: int, **_: float) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _update(name, small_pools, small_policy, progress=stopped, scratch=tmp_path)
    again = _update(name, small_pools, small_policy, scratch=tmp_path)
    assert _stored(small_pools.store, again) == _stored(small_pools.store, _update(name, small_pools, small_policy))


def test_a_divergence_is_named_and_the_gpu_is_of_use_after_it(small_pools: SmallPools, small_policy: Policy) -> None:
    wild = msgspec.structs.replace(GRPO, learning_rate=1e30, schedule="constant", rewards=(WORDY,), carry=False)
    with pytest.raises(ValueError, match=r"update.grpo: (loss|grad_norm) is nan at step 2; the policy before it"):
        grpo(small_policy, small_pools.train, params=wild, seed=1)
    assert torch.ones(2, device="cuda").sum() == 2


def test_one_process_takes_one_of_several_gpus(
    small_pools: SmallPools, small_policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [_stored(small_pools.store, _update(name, small_pools, small_policy)) for name in ("sft", "grpo")]
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert alone == [_stored(small_pools.store, _update(name, small_pools, small_policy)) for name in ("sft", "grpo")]


def test_a_failed_assertion_is_known_to_have_ended_the_use_of_the_gpu() -> None:
    told = subprocess.run([sys.executable, "-c", BROKEN], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert told.split() == ["False", "True"]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_writer_writes_the_same_twice(dtype: Any, small_pools: SmallPools, small_policy: Policy) -> None:
    row = pool_rows(small_pools.test)[0]
    image = question_images(small_pools.test, row)[0]
    writer = ModelWriter(small_policy, "cuda", dtype)
    said = [writer.write([Request(row.prompt, (image,))], Sampling(max_tokens=6), 2, seed=1) for _ in range(2)]
    assert said[0] == said[1] and len(said[0][0]) == 2


def _update(name: str, pools: SmallPools, policy: Policy, **more: Any) -> Update:
    params = BODIES[name]
    if isinstance(params, Sft):
        return sft(policy, pools.train, params=params, seed=5, **more)
    reference = policy if params.trl else None
    return grpo(policy, pools.train, None, reference, params=params, seed=5, **more)


def _stored(store: Store, update: Update) -> list[str]:
    return [store.put(part) for part in (update.weights, update.trainer, update.log)]
