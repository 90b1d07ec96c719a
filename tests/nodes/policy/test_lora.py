"""Adapters: what a round writes, what it trains, and the model that an exported folder is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText

from nodes.plain import write_models
from nodes.policy.answers import ModelAnswerer
from nodes.policy.build import Build, build_tiny
from nodes.policy.lora import Lora, add_lora, merged
from nodes.policy.policy import ADAPTER_CONFIG, Policy, load_model, policy_from
from nodes.policy.rollout import Rollout
from nodes.questions.question import pool_rows
from nodes.questions.vocabulary import words
from store.open import Store, open_store
from tests.nodes.conftest import SmallPools


@pytest.fixture(params=["idefics3", "qwen3_vl"])
def policy(request: pytest.FixtureRequest, tmp_path: Path) -> Policy:
    tiny = build_tiny(Build(family=request.param, width=32, vision_width=32), words(), seed=1)
    store = open_store(str(tmp_path / "store"))
    return store.open(store.put(tiny), Policy)


@pytest.fixture
def store(policy: Policy, tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


def _trained(policy: Policy, by: float = 0.05) -> Policy:
    """Return the policy after something that changes all that can be trained."""
    model, processor = load_model(policy)
    model = add_lora(model, Lora(rank=4))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += by
    return policy_from(model, processor, ["room"], policy)


def _blobs(store: Store) -> dict[str, int]:
    return {found.name: found.size for found in store.objects.walk("cas")}


def _logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=torch.arange(20, 40)[None], attention_mask=torch.ones(1, 20).long()).logits


def test_a_new_adapter_changes_nothing_and_is_all_that_is_trained(policy: Policy) -> None:
    model, _ = load_model(policy)
    plain = _logits(model)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        adapted = add_lora(model, Lora(rank=2))
    assert torch.equal(_logits(adapted), plain)  # B is 0 at first
    trained = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    assert trained and all("lora_" in name for name in trained)
    assert {"q_proj", "lm_head"} & {name.split(".")[-4] for name in trained} == {"q_proj"}
    assert add_lora(adapted, Lora(rank=8)) is adapted


def test_named_layers_alone_are_changed(policy: Policy) -> None:
    adapted = add_lora(load_model(policy)[0], Lora(rank=2, targets=("v_proj",)))
    trained = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    assert trained and all(".v_proj.lora_" in name for name in trained)
    with pytest.raises(ValueError, match="no_such"):
        add_lora(load_model(policy)[0], Lora(targets=("no_such",)))


def test_a_round_writes_its_adapter_alone(policy: Policy, store: Store) -> None:
    before = _blobs(store)
    one = store.open(store.put(_trained(policy)), Policy)
    first = _blobs(store)
    two = store.open(store.put(_trained(one, by=0.01)), Policy)
    after = _blobs(store)
    assert one.base is not None and two.base is not None
    assert one.base.digest == two.base.digest == policy.digest  # the base is the very artifact, by its digest
    adapter = sum(values.nbytes for values in two.adapter().values())
    # Manifests aside, which hold what is below 4,096 bytes, a round's blobs are no more than its adapter.
    assert sum(size for name, size in first.items() if name not in before) <= adapter
    assert sum(size for name, size in after.items() if name not in first) <= adapter
    assert two.summary()["adapter_parameters"] == adapter // 4 and two.trained_places == ("room",)
    assert two.files() == policy.files() and two.tensors().keys() == policy.tensors().keys()


def test_without_its_source_an_adapter_finds_the_same_blobs(policy: Policy, store: Store) -> None:
    store.put(_trained(policy))
    before = _blobs(store)
    model, processor = load_model(policy)
    again = policy_from(add_lora(model, Lora(rank=4)), processor, [])
    found = again.tensors()
    assert all(found[name].tobytes() == values.tobytes() for name, values in policy.tensors().items())
    store.put(again)
    new = sum(size for name, size in _blobs(store).items() if name not in before)
    assert new <= sum(values.nbytes for values in again.adapter().values()) + sum(map(len, again.files().values()))


def test_an_adapter_comes_back_bit_for_bit_and_is_trained_on(policy: Policy, store: Store) -> None:
    digest = store.put(_trained(policy))
    opened = store.open(digest, Policy)
    model, processor = load_model(opened)
    assert store.put(policy_from(model, processor, opened.trained_places, opened)) == digest
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert trained and all("lora_" in name for name in trained) and not model.training
    half, _ = load_model(opened, dtype="bfloat16")
    kinds = {(("lora_" in name), parameter.dtype) for name, parameter in half.named_parameters()}
    assert kinds == {(True, torch.float32), (False, torch.bfloat16)}


def test_generation_heeds_what_is_set_on_an_adapted_model(policy: Policy) -> None:
    model, _ = load_model(_trained(policy))
    ends = {name: getattr(model.generation_config, name) for name in ("pad_token_id", "eos_token_id")}
    model.generation_config = type(model.generation_config)(**ends, max_new_tokens=3)
    ids = torch.arange(20, 30)[None]
    said = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False)
    assert said.shape[1] <= 13


def test_a_plain_folder_has_the_adapter_in_its_weights(policy: Policy, store: Store, tmp_path: Path) -> None:
    adapted = store.open(store.put(_trained(policy)), Policy)
    (tmp_path / "plain").mkdir()
    write_models({"": adapted}, tmp_path / "plain")
    whole = AutoModelForImageTextToText.from_pretrained(tmp_path / "plain", local_files_only=True)
    assert torch.allclose(_logits(whole), _logits(load_model(adapted)[0]), atol=2e-4)
    assert not torch.allclose(_logits(whole), _logits(load_model(policy)[0]), atol=1e-2)
    assert not (tmp_path / "plain" / ADAPTER_CONFIG).exists()


def test_merging_is_a_sum_of_products(policy: Policy) -> None:
    # W + alpha / rank * B A: with rank 4 and alpha 16 the factor is 4.
    adapted = _trained(policy)
    name = next(name for name in policy.tensors() if name.endswith("layers.1.self_attn.v_proj.weight"))
    path = f"base_model.model.{name.removesuffix('.weight')}"
    a, b = (adapted.adapter()[f"{path}.lora_{part}.weight"] for part in "AB")
    expected = policy.tensors()[name] + 4 * (b.astype(np.float64) @ a.astype(np.float64))
    assert np.abs(merged(adapted).tensors()[name] - expected).max() < 1e-5
    assert merged(policy) is policy


def test_what_is_no_adapter_of_the_model_is_refused(policy: Policy) -> None:
    adapted = _trained(policy)
    config = adapted.adapter_config()
    assert sorted(config) == ["lora_alpha", "lora_dropout", "peft_type", "r", "target_modules", "task_type"]
    tensors = dict(adapted.adapter())

    def with_(config: Any, tensors: Any) -> Policy:
        return Policy(policy.family, tensors, {ADAPTER_CONFIG: json.dumps(config).encode()}, base=policy)

    first = sorted(tensors)[0]
    with pytest.raises(ValueError, match=f"policy adapter: {first} is None, expected"):
        load_model(with_(config, {name: values for name, values in tensors.items() if name != first}))
    with pytest.raises(ValueError, match=r"policy adapter: .* expected"):
        load_model(with_({**config, "r": 3}, tensors))
    with pytest.raises(ValueError, match="policy adapter: KeyError: 'r'"):
        load_model(with_({"lora_alpha": 1}, tensors))
    with pytest.raises(ValueError, match=r"policy adapter: .*lora_A.weight is \(4, .*expected rank 4000000"):
        load_model(with_({**config, "r": 4_000_000}, tensors))  # refused before there is room for it
    for odd in (float("inf"), float("nan")):
        with pytest.raises(ValueError, match=r"policy adapter: alpha = .*, expected a finite number"):
            load_model(with_({**config, "lora_alpha": odd}, tensors))
    with pytest.raises(ValueError, match="policy adapter: OverflowError"):
        load_model(with_({**config, "r": float("inf")}, tensors))
    with pytest.raises(ValueError, match="policy adapter: KeyError"):
        load_model(Policy(policy.family, tensors, {}, base=policy))
    with pytest.raises(ValueError, match="policy adapter: RecursionError"):
        load_model(Policy(policy.family, tensors, {ADAPTER_CONFIG: b"[" * 100_000}, base=policy))


def test_an_adapter_on_an_adapter_is_refused(policy: Policy, store: Store) -> None:
    from store.errors import Unacceptable

    adapted = _trained(policy)
    twice = Policy(policy.family, adapted.adapter(), {ADAPTER_CONFIG: b"{}"}, base=adapted)
    with pytest.raises(Unacceptable, match="an adapter on an adapter"):
        store.open(store.put(twice), Policy)


def test_an_adapted_policy_answers_as_it_is(policy: Policy, small_pools: SmallPools) -> None:
    rows = pool_rows(small_pools.test)[:4]
    adapted, rollout = _trained(policy), Rollout(max_tokens=3)
    asked = ModelAnswerer(adapted, rollout, batch=4).draw(rows, small_pools.test, 2, 3)
    whole = ModelAnswerer(merged(adapted), rollout, batch=4).draw(rows, small_pools.test, 2, 3)
    assert asked.drawn.answer_logprobs == pytest.approx(whole.drawn.answer_logprobs, abs=1e-3)
