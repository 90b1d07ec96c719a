"""Policies as artifacts: bit-equal round trips, and folders that must not be trusted."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from graph.node import External
from nodes.plain import write_models
from nodes.policy.answers import ModelAnswerer
from nodes.policy.build import Build, build_tiny
from nodes.policy.load import Load, load
from nodes.policy.policy import Policy, load_model, policy_from
from nodes.policy.rollout import Rollout
from nodes.policy.tensors import torch_tensor
from nodes.questions.question import pool_rows
from nodes.questions.vocabulary import words
from store.open import open_store
from tests.nodes.conftest import SmallPools

FAMILIES = ["idefics3", "smolvlm", "llava", "qwen2_5_vl", "qwen3_vl"]


def _tiny(family: str) -> Policy:
    return build_tiny(Build(family=family, width=32, vision_width=32), words(), seed=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_policy_comes_back_bit_for_bit(family: str, tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    digest = store.put(_tiny(family))
    opened = store.open(digest, Policy)
    model, processor = load_model(opened)
    again = policy_from(model, processor, opened.trained_places)
    assert store.put(again) == digest
    assert all((model.state_dict()[name].numpy() == values).all() for name, values in opened.tensors().items())


def test_a_small_policy_has_a_golden_digest(tmp_path: Path) -> None:
    numbers = np.arange(700_000, dtype=np.float32)
    tensors = {"embed.weight": numbers.reshape(1000, 700), "norm": numbers[:8], "scale": np.array(2.5)}
    tensors["step"] = np.arange(3)
    policy = Policy("golden", tensors, {"config.json": b"{}"}, ["b", "a"])
    golden = "a2e3452f0420e69bde767c09083bafd18379be93c32814f1025a790c2a32eff1"
    assert open_store(str(tmp_path)).put(policy) == golden


def test_a_large_tensor_is_cut_where_that_divides_it(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    reader = store.reader(store.put(Policy("large", {"w": np.zeros((5000, 1024), np.float32)}, {})))
    assert [reader.has(f"weights/w/c/{n}/0") for n in (0, 1, 2)] == [True, True, False]
    assert reader.entry("weights/w/c/1/0").size == 2500 * 4096


def _bits(tensor: torch.Tensor) -> list[int]:
    return tensor.reshape(-1).view({2: torch.int16, 4: torch.int32}[tensor.itemsize]).tolist()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_model_of_16_bits_is_stored_in_16(dtype: torch.dtype, small_policy: Policy, tmp_path: Path) -> None:
    model, processor = load_model(small_policy)
    model = model.to(dtype)
    weight = model.get_input_embeddings().weight
    # -0, the smallest subnormal, infinity, NaNs with payloads and signs.
    odd = torch.tensor([-0x8000, 0x0001, 0x7F80, 0x7FC1, 0x7F81, -1, -0x5B], dtype=torch.int16).view(dtype)
    weight.data[0, :7] = odd
    store = open_store(str(tmp_path))
    opened = store.open(store.put(policy_from(model, processor, ())), Policy)
    stored = {name: torch_tensor(values) for name, values in opened.tensors().items()}
    kept = model.state_dict()
    assert all(stored[name].dtype == kept[name].dtype for name in stored)
    assert all(_bits(stored[name]) == _bits(kept[name]) for name in stored if kept[name].is_floating_point())
    assert _bits(stored[next(name for name in stored if "embed_tokens" in name)])[:7] == _bits(odd)


def test_a_model_of_16_bits_is_loaded_in_32(small_policy: Policy, tmp_path: Path) -> None:
    model, processor = load_model(small_policy)
    store = open_store(str(tmp_path))
    opened = store.open(store.put(policy_from(model.to(torch.bfloat16), processor, ())), Policy)
    again, _ = load_model(opened)
    assert {tensor.dtype for tensor in again.state_dict().values() if tensor.is_floating_point()} == {torch.float32}
    assert all((tensor == model.state_dict()[name].float()).all() for name, tensor in again.state_dict().items())


@pytest.mark.parametrize("name", ["pytorch_model.bin", "speakers.pt", "vocab.pkl", "config.py", "inside/config.json"])
def test_a_stored_file_that_no_model_needs_is_refused(name: str, small_policy: Policy) -> None:
    policy = Policy(small_policy.family, small_policy.tensors(), {**small_policy.files(), name: b""})
    with pytest.raises(ValueError, match=f"policy file '{name}': expected names that end in"):
        load_model(policy)


def test_tied_weights_are_kept_once(small_policy: Policy) -> None:
    assert "lm_head.weight" not in small_policy.tensors()
    model, _ = load_model(small_policy)
    assert model.lm_head.weight.data_ptr() == model.get_input_embeddings().weight.data_ptr()


def test_the_seed_alone_draws_the_weights(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    seeds = (1, 1, 2)
    digests = [store.put(build_tiny(Build(width=32, vision_width=32), words(), seed)) for seed in seeds]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_answers_and_draws(family: str, small_pools: SmallPools) -> None:
    questions = pool_rows(small_pools.test)
    answerer = ModelAnswerer(_tiny(family), Rollout(), batch=5)
    drawn, best = answerer.draw(questions, small_pools.test, 8, 3).drawn, answerer.best(questions, None)
    assert [len(row) for row in drawn.texts] == [8] * len(questions) and len(best.texts) == len(questions)
    assert (drawn.answer_logprobs < 0).all() and ((best.p_answer > 0) & (best.p_answer < 1)).all()


def test_long_and_short_rollouts_agree_on_the_first_token(small_pools: SmallPools, small_policy: Policy) -> None:
    questions = pool_rows(small_pools.test)[:6]
    short = ModelAnswerer(small_policy, Rollout(max_tokens=1), batch=6).best(questions, small_pools.test)
    long = ModelAnswerer(small_policy, Rollout(max_tokens=3), batch=6).best(questions, small_pools.test)
    # All their answers are one token, so p_geo without the end is the first token's probability either way.
    assert long.p_answer == pytest.approx(short.p_answer, rel=1e-5)
    assert all(whole.startswith(first) for whole, first in zip(long.texts, short.texts, strict=True))


def test_a_long_answer_names_the_room_it_needs(small_pools: SmallPools, small_policy: Policy) -> None:
    import msgspec

    question = msgspec.structs.replace(pool_rows(small_pools.test)[0], kind="number", answer="2.3")
    with pytest.raises(ValueError, match=r"3 tokens, expected at most rollout\.max_tokens = 1"):
        ModelAnswerer(small_policy, Rollout(), batch=1).best([question], small_pools.test)


def test_a_question_with_too_many_frames_is_refused(small_pools: SmallPools, small_policy: Policy) -> None:
    import msgspec

    question = msgspec.structs.replace(pool_rows(small_pools.test)[0], frames=(0, 1))
    with pytest.raises(ValueError, match=r"shows 2 frames, expected at most rollout.frames = 1"):
        ModelAnswerer(small_policy, Rollout(), batch=1).best([question], small_pools.test)


@pytest.fixture
def folder(small_policy: Policy, tmp_path: Path) -> Path:
    model, processor = load_model(small_policy)
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    return tmp_path


def _load(folder: Path) -> Policy:
    return load(params=Load(folder=External(folder)))


def test_a_model_folder_loads_with_the_same_tensors(folder: Path, small_policy: Policy) -> None:
    loaded = _load(folder)
    assert loaded.family == "idefics3"
    assert all((loaded.tensors()[name] == values).all() for name, values in small_policy.tensors().items())
    assert str(folder) not in "".join(data.decode() for data in loaded.files().values())


@pytest.mark.parametrize(
    ("lost", "said"),
    [("config.json", "no config.json"), ("tokenizer.json", "no tokenizer"), ("model.safetensors", "no .*safetensors")],
)
def test_an_incomplete_folder_is_one_line_that_names_it(folder: Path, lost: str, said: str) -> None:
    (folder / lost).unlink()
    with pytest.raises(ValueError, match=said) as caught:
        _load(folder)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such folder"):
        _load(tmp_path / "absent")


def test_an_adapter_is_refused_not_half_read(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(ValueError, match="holds an adapter, expected it merged"):
        _load(folder)


def test_a_pickle_is_never_opened(folder: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str, str]]:
            return open, (str(tmp_path / "sprung"), "w")

    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match="is a pickle, which is not read"):
        _load(folder)
    assert not (tmp_path / "sprung").exists()


def test_code_in_a_folder_is_never_run(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "trap.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "trap.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')")
    with pytest.raises(ValueError, match="policy folder"):
        _load(folder)
    assert not (tmp_path / "sprung").exists()


def test_weights_that_are_not_the_configs_are_refused(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    save_file(dict(list(tensors.items())[1:]), folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="missing keys"):
        _load(folder)


@pytest.mark.parametrize(
    "params", [{}, {"hub": "a/b"}, {"hub": "a/b", "revision": "main"}, {"hub": "a/b", "folder": External(Path("."))}]
)
def test_a_source_must_be_one_and_pinned(params: dict) -> None:
    with pytest.raises(ValueError, match="need"):
        Load(**params)


def test_a_hub_model_without_a_network_is_one_line_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    from huggingface_hub import constants

    began = time.monotonic()
    # A port of this machine that nobody listens at: the hub as it is where there is no network.
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        ValueError, match=r"hub model 'a/b' at aaaaaaaaaaaa: .*Connect.* name its folder as params.folder"
    ) as caught:
        load(params=Load(hub="a/b", revision="a" * 40))
    assert "\n" not in str(caught.value) and time.monotonic() - began < 10  # no retries for minutes


def test_a_hub_model_in_the_cache_needs_no_network(
    folder: Path, small_policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    cache = tmp_path / "cache"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    shutil.copytree(folder, cache / "models--a--b" / "snapshots" / ("a" * 40), ignore=lambda *_: ["cache"])
    loaded = load(params=Load(hub="a/b", revision="a" * 40))
    assert loaded.tensors().keys() == small_policy.tensors().keys()


def test_a_model_without_pictures_is_refused_by_name(folder: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=32, **sizes)).save_pretrained(folder)
    with pytest.raises(ValueError, match="model_type 'llama' is no model of pictures and text, expected one such as"):
        _load(folder)


def test_quantised_weights_are_refused(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    name = next(name for name, tensor in tensors.items() if tensor.ndim == 2)
    save_file({**tensors, name: tensors[name].to(torch.float8_e4m3fn)}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=f"policy folder {folder}: tensors of type F8_E4M3, expected float32"):
        _load(folder)


def test_a_folder_of_several_types_keeps_all_values(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    mixed = {name: tensor.bfloat16() if tensor.ndim == 2 else tensor for name, tensor in tensors.items()}
    save_file(mixed, folder / "model.safetensors", {"format": "pt"})
    loaded = {name: torch_tensor(values) for name, values in _load(folder).tensors().items()}
    assert all(torch.equal(loaded[name], tensor.float()) for name, tensor in mixed.items())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_as_the_hub_has_older_ones_loads(family: str, tmp_path: Path) -> None:
    # The image processor in a file of its own, the chat template in JSON or beside the tokenizer's facts.
    policy = _tiny(family)
    write_models({"": policy}, tmp_path)
    told = json.loads((tmp_path / "processor_config.json").read_text())
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(told.pop("image_processor")))
    (tmp_path / "processor_config.json").write_text(json.dumps(told))
    template = (tmp_path / "chat_template.jinja").read_text()
    (tmp_path / "chat_template.jinja").unlink()
    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    _, expected = load_model(policy)
    _, found = load_model(_load(tmp_path))
    assert found.chat_template == expected.chat_template
    assert found.image_processor.to_dict() == expected.image_processor.to_dict()
    assert getattr(found, "image_seq_len", 0) == getattr(expected, "image_seq_len", 0)


def test_what_is_changed_of_a_processor_is_changed_for_nobody_else(small_policy: Policy) -> None:
    model, processor = load_model(small_policy)
    text = processor.tokenizer("how many", padding="max_length", max_length=9)["input_ids"]
    processor.tokenizer.padding_side = "right"
    processor.tokenizer.add_tokens(["zebra"])
    processor.chat_template = "{{ 1 }}"
    processor.__class__ = type("Other", (type(processor),), {})
    model.config.text_config.pad_token_id = 7
    model.generation_config.max_new_tokens = 7
    with torch.no_grad():
        model.get_input_embeddings().weight += 1
    again, its = load_model(small_policy)
    assert its.tokenizer.padding_side == "left" and len(its.tokenizer) == len(processor.tokenizer) - 1
    assert its.chat_template != "{{ 1 }}" and type(its).__name__ == "Idefics3Processor"
    assert its.tokenizer("how many", padding="max_length", max_length=9)["input_ids"] == text
    assert again.config.text_config.pad_token_id == 0 and again.generation_config.max_new_tokens is None
    assert not torch.equal(again.get_input_embeddings().weight, model.get_input_embeddings().weight)
    assert policy_from(again, its, ()).files() == small_policy.files()


def test_the_files_of_a_policy_are_read_once(small_policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    from nodes.policy import parts

    load_model(small_policy)
    monkeypatch.setattr(parts, "_read", None)  # it would not be called
    changed = Policy(small_policy.family, {n: v * 0 for n, v in small_policy.tensors().items()}, small_policy.files())
    assert load_model(changed)[0].get_input_embeddings().weight.abs().max() == 0


def test_a_model_in_memory_and_its_policy_share_nothing_with_a_loaded_one(small_policy: Policy) -> None:
    before = {name: values.copy() for name, values in small_policy.tensors().items()}
    model, _ = load_model(small_policy)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 1
    assert all((small_policy.tensors()[name] == values).all() for name, values in before.items())


def test_loading_leaves_the_random_generator_as_it_was(small_policy: Policy) -> None:
    before = torch.get_rng_state()
    load_model(small_policy)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_gpu_that_is_not_there_is_said(small_policy: Policy) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    assert load_model(small_policy, device="auto")[0].device.type == "cpu"
    with pytest.raises(ValueError, match="device = 'cuda': torch finds no GPU here"):
        load_model(small_policy, device="cuda")
