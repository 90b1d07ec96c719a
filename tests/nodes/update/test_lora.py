"""Adapters: a round trains, stores and carries the adapter alone."""

from __future__ import annotations

import msgspec
import pytest

from nodes.policy.lora import Lora, merged
from nodes.policy.policy import Policy
from nodes.update.grpo import Grpo, grpo
from nodes.update.sft import Sft, sft
from nodes.update.update import Update
from tests.nodes.conftest import SmallPools

SFT = Sft(steps=3, batch=2, turns=4, carry=True, lora=Lora(rank=4, alpha=8.0))


def test_a_round_stores_an_adapter_and_the_next_goes_on_with_it(small_pools: SmallPools, small_policy: Policy) -> None:
    store = small_pools.store
    policy = store.open(store.put(small_policy), Policy)
    first = store.open(store.put(sft(policy, small_pools.train, params=SFT, seed=1)), Update)
    assert first.weights.base is not None and first.weights.base.digest == policy.digest
    sizes = {name: values.shape for name, values in first.weights.adapter().items()}
    moments = [values for name, values in first.trainer.tensors().items() if name.startswith("exp_avg.")]
    assert sorted(values.shape for values in moments) == sorted(sizes.values())  # nothing else is trained
    second = sft(first.weights, small_pools.train, first.trainer, params=SFT, seed=2)
    assert second.weights.base is not None and second.weights.base.digest == policy.digest
    assert {name: values.shape for name, values in second.weights.adapter().items()} == sizes
    assert any((values != first.weights.adapter()[name]).any() for name, values in second.weights.adapter().items())
    again = sft(first.weights, small_pools.train, first.trainer, params=SFT, seed=2)
    assert store.put(again.weights) == store.put(second.weights)
    wider = msgspec.structs.replace(SFT, lora=Lora(rank=16))
    with pytest.raises(
        ValueError, match=r"params.lora: rank 16, alpha 16, but the policy's adapter has rank 4, alpha 8"
    ):
        sft(first.weights, small_pools.train, params=wider, seed=1)
    fewer = msgspec.structs.replace(SFT, lora=Lora(rank=4, alpha=8.0, targets=("q_proj",)))
    with pytest.raises(ValueError, match=r"params.lora: targets q_proj, but the policy's adapter is on .*k_proj"):
        sft(first.weights, small_pools.train, params=fewer, seed=1)
    own = sft(policy, small_pools.train, params=fewer, seed=1)
    assert sft(own.weights, small_pools.train, own.trainer, params=fewer, seed=1).trainer.steps == 6


def test_an_adapters_kl_term_holds_on_to_the_reference(small_pools: SmallPools, small_policy: Policy) -> None:
    params = Grpo(steps=1, prompts=4, group=3, trl={"beta": 0.1}, learning_rate=1e-9)
    learned = sft(small_policy, small_pools.train, params=msgspec.structs.replace(SFT, learning_rate=0.03), seed=1)

    def kl(policy: Policy, reference: Policy) -> float:
        update = grpo(policy, small_pools.train, None, reference, params=params, seed=5)
        return float(update.log.metrics["kl"][0])

    adapted = learned.weights
    assert kl(adapted, adapted) == pytest.approx(0, abs=1e-7)
    from_base = kl(adapted, small_policy)
    assert from_base > 1e-3
    # The same policies with all weights at hand hold on alike.
    assert kl(merged(adapted), small_policy) == pytest.approx(from_base, rel=1e-3)
    with pytest.raises(ValueError, match="input reference: expected the weights that the policy has below its adapter"):
        kl(adapted, merged(adapted))
    for lora, word in ((Lora(rank=2, alpha=8.0), "r = 2, expected 4"), (Lora(rank=4), "lora_alpha = 16.0, expected 8")):
        other = sft(small_policy, small_pools.train, params=msgspec.structs.replace(SFT, steps=1, lora=lora), seed=1)
        with pytest.raises(ValueError, match=f"input reference: its adapter has {word}"):
            kl(adapted, other.weights)
