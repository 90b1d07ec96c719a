"""Every family from a config to trained weights: stored, exported, loaded, asked and trained, equal bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText

from graph.node import External
from nodes.plain import write_models
from nodes.policy.build import Build, build_tiny
from nodes.policy.load import Load, load
from nodes.policy.policy import Policy, load_model
from nodes.policy.rollout import Rollout
from nodes.policy.tensors import torch_tensor
from nodes.questions.question import QuestionPool, Questions, pool_rows
from nodes.questions.vocabulary import words
from nodes.update.estimate import load_of
from nodes.update.grpo import Grpo, grpo
from nodes.update.sft import Sft, sft
from store.collection import Collection
from store.open import Store, open_store
from tests.nodes.conftest import SmallPools

FAMILIES = ["idefics3", "smolvlm", "llava", "qwen2_5_vl", "qwen3_vl"]
TOKENS = {"idefics3": 16, "smolvlm": 16, "llava": 64, "qwen2_5_vl": 16, "qwen3_vl": 16}  # of a picture of 64 x 64 px


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return open_store(str(tmp_path_factory.mktemp("store")))


@pytest.fixture(scope="module")
def policy(family: str, store: Store) -> Policy:
    tiny = build_tiny(Build(family=family, width=32, vision_width=32), words(), seed=1)  # type: ignore[arg-type]
    return store.open(store.put(tiny), Policy)


@pytest.fixture(scope="module")
def folder(policy: Policy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    write_models({"": policy}, folder)
    return folder


def _pictures(sizes: list[tuple[int, int]]) -> list[Any]:
    from PIL import Image

    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 255, (*size, 3), dtype=np.uint8)) for size in sizes]


def _asked(processor: Any, pictures: list[list[Any]], text: str = "how many boxes") -> Any:
    texts = []
    for row in pictures:
        content = [*({"type": "image", "image": picture} for picture in row), {"type": "text", "text": text}]
        talk = [{"role": "user", "content": content}]
        texts.append(processor.apply_chat_template(talk, add_generation_prompt=True, tokenize=False))
    return processor(text=texts, images=pictures, padding=True, return_tensors="pt")


def test_an_exported_folder_comes_back_bit_for_bit(family: str, policy: Policy, folder: Path) -> None:
    loaded = load(params=Load(folder=External(folder)))
    found, expected = loaded.tensors(), policy.tensors()
    assert loaded.family == family and found.keys() == expected.keys()
    assert all(found[name].tobytes() == values.tobytes() for name, values in expected.items())
    assert loaded.files() == policy.files()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_it_is_the_model_that_transformers_loads(policy: Policy, folder: Path, dtype: str) -> None:
    theirs = AutoModelForImageTextToText.from_pretrained(folder, dtype=getattr(torch, dtype), local_files_only=True)
    ours, processor = load_model(policy, dtype=dtype)
    for kind in ("named_parameters", "named_buffers"):  # what no folder holds, such as rotary angles, is equal too
        expected, found = dict(getattr(theirs, kind)()), dict(getattr(ours, kind)())
        assert found.keys() == expected.keys()
        for name, tensor in expected.items():
            assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor), name
    inputs = _asked(processor, [_pictures([(64, 64)])])
    with torch.no_grad():
        inputs["pixel_values"] = inputs["pixel_values"].to(getattr(torch, dtype))
        assert torch.equal(ours(**inputs).logits, theirs(**inputs).logits)
    assert all(parameter.requires_grad for parameter in ours.parameters()) and not ours.training


def test_it_is_asked_with_several_pictures(family: str, policy: Policy) -> None:
    model, processor = load_model(policy)
    pictures = _pictures([(64, 64), (64, 64), (64, 64)])
    inputs = _asked(processor, [pictures[:2], pictures[2:]])
    slot = "<|image_pad|>" if "qwen" in family else "<image>"
    slots = inputs["input_ids"] == processor.tokenizer.convert_tokens_to_ids(slot)
    assert slots.sum(1).tolist() == [2 * TOKENS[family], TOKENS[family]]
    with torch.no_grad():
        out = model.generate(**inputs, max_new_tokens=3, do_sample=False, num_return_sequences=1)
        several = model.generate(**inputs, max_new_tokens=2, do_sample=True, num_return_sequences=3)
    assert out.shape[0] == 2 and several.shape[0] == 6
    # The second picture is seen: another one in its place changes the logits.
    other = _asked(processor, [[pictures[0], pictures[2]], pictures[2:]])
    with torch.no_grad():
        changed = model(**other).logits[0, -1] - model(**inputs).logits[0, -1]
    assert changed.abs().max() > 1e-6


def test_an_estimate_knows_the_patches_of_a_picture(family: str, policy: Policy) -> None:
    model, _ = load_model(policy)
    load = load_of(model, SimpleNamespace(bf16=False, gradient_checkpointing=False))
    assert load.patches * TOKENS[family] == (64 // 8) ** 2
    assert (load.vision_layers, load.vision_hidden) == (1, 32)


def test_a_frame_of_any_size_becomes_one_of_the_policys(family: str, policy: Policy) -> None:
    _, processor = load_model(policy)
    for size in ((48, 64), (640, 480)):
        inputs = _asked(processor, [_pictures([size])])
        assert (inputs["input_ids"].shape[1] < 90) and inputs["pixel_values"].isfinite().all()


@pytest.fixture
def several(small_pools: SmallPools) -> QuestionPool:
    """Four questions that show two frames, four that show one, all of one room."""
    rows = pool_rows(small_pools.train)[:8]
    two = [msgspec.structs.replace(row, frames=(0, 1)) for row in rows[:4]]
    frames = small_pools.train[rows[0].scene].frames(rows[0].frames_digest)
    return small_pools.kept(Collection(Questions, {rows[0].scene: Questions([*two, *rows[4:]], frames)}))


def test_it_is_trained_and_stored(policy: Policy, several: QuestionPool, tmp_path: Path) -> None:
    rollout = Rollout(frames=2, max_tokens=2)
    warmed = sft(policy, several, params=Sft(rollout=rollout, steps=1, batch=2), seed=1).weights
    learned = grpo(warmed, several, params=Grpo(rollout=rollout, steps=1, prompts=8, group=2), seed=1).weights
    before, after = policy.tensors(), warmed.tensors()
    # Towers that are asked pictures change too: no part of a family is left out of the training.
    vision = [name for name in after if "vision" in name or "visual" in name]
    assert vision and any((after[name] != before[name]).any() for name in vision)
    store = open_store(str(tmp_path))
    again, _ = load_model(store.open(store.put(learned), Policy))
    state = again.state_dict()
    assert all(torch.equal(state[name], torch_tensor(values)) for name, values in learned.tensors().items())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_folder_of_16_bits_is_stored_in_16(policy: Policy, dtype: torch.dtype, tmp_path: Path, store: Store) -> None:
    model, processor = load_model(policy)
    model.to(dtype).save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    loaded = store.open(store.put(load(params=Load(folder=External(tmp_path)))), Policy)
    stored = {name: torch_tensor(values) for name, values in loaded.tensors().items()}
    assert {tensor.dtype for tensor in stored.values() if tensor.is_floating_point()} == {dtype}
    state = model.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in stored.items())
    half = sum(values.nbytes for values in loaded.tensors().values())
    assert half <= 0.51 * sum(values.nbytes for values in policy.tensors().values())


def test_what_a_folder_holds_beside_its_weights_is_kept_as_it_is(policy: Policy, tmp_path: Path) -> None:
    write_models({"": policy}, tmp_path)
    (tmp_path / "video_preprocessor_config.json").write_text('{"video_processor_type": "Another"}')
    (tmp_path / "trainer_state.json").write_text("{}")
    (tmp_path / "generation_config.json").unlink()
    files = load(params=Load(folder=External(tmp_path))).files()
    assert files["video_preprocessor_config.json"] == b'{"video_processor_type": "Another"}'
    assert "trainer_state.json" not in files and json.loads(files["generation_config.json"])["eos_token_id"] is not None
