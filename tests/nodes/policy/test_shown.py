"""Tensors put together from pictures that were processed once are those that the processor makes of the whole batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from nodes.policy.build import Build, build_tiny
from nodes.policy.policy import load_model
from nodes.policy.shown import Processed, end_to_end
from nodes.questions.vocabulary import words

FAMILIES = ["idefics3", "smolvlm", "llava", "qwen2_5_vl", "qwen3_vl"]


def picture(seed: int, width: int = 64, height: int = 64) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_is_the_processors_own(family: str) -> None:
    _, processor = load_model(build_tiny(Build(family=family, width=32, vision_width=32), words(), 1))  # type: ignore[arg-type]
    shown = {"one": [picture(1)], "three": [picture(2), picture(1), picture(3)], "wide": [picture(4, 96, 48)]}
    asked = [("one", "left or right"), ("three", "how many chairs are there"), ("wide", "left"), ("one", "red box")]
    texts = [
        processor.apply_chat_template(
            [{"role": "user", "content": [*[{"type": "image"}] * len(shown[key]), {"type": "text", "text": text}]}],
            add_generation_prompt=True,
            tokenize=False,
        )
        for key, text in asked
    ]
    own = processor(
        text=texts,
        images=[shown[key] for key, _ in asked],
        padding=True,
        padding_side="left",
        pad_to_multiple_of=16,
        return_tensors="pt",
    )
    processed, read = Processed(processor), []

    def reading(key: str):
        return lambda: read.append(key) or shown[key]

    parts = [processed.pictures(key, reading(key)) for key, _ in asked]
    put = processed.batch(processor.tokenizer(texts)["input_ids"], parts, 16)
    assert put.uses == [0, 1, 2, 0] and read == ["one", "three", "wide"]
    ours = {**put.words, **put.pictures(put.uses)}
    assert set(ours) == set(own)
    for name, values in own.items():
        assert torch.equal(ours[name], values), name


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_without_pictures_may_stand_beside_one_with(family: str) -> None:
    _, processor = load_model(build_tiny(Build(family=family, width=32, vision_width=32), words(), 1))  # type: ignore[arg-type]
    processed = Processed(processor)
    slot = processor.apply_chat_template([{"role": "user", "content": [{"type": "image"}]}], tokenize=False)
    texts = processor.tokenizer([slot, "left or right"])["input_ids"]
    given = processed.batch(texts, [processed.pictures(0, lambda: [picture(1)]), None], 16).words
    assert given["input_ids"].shape[0] == 2 and (given["input_ids"][1] != processor.image_token_id).all()
    assert processed.n_tokens((64, 64)) == given["attention_mask"][0].sum() - len(texts[0]) + 1


def test_pictures_are_kept_up_to_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    _, processor = load_model(build_tiny(Build(width=32, vision_width=32), words(), 1))
    monkeypatch.setattr("nodes.policy.shown.MOST_BYTES", 2 * 64 * 64 * (3 * 4 + 8))  # two pictures and their masks
    processed, read = Processed(processor), []
    for key in (0, 1, 0, 2, 0, 1):
        processed.pictures(key, lambda key=key: read.append(key) or [picture(key)])
    assert read == [0, 1, 2, 1]  # when 2 comes, 1 was used longest ago


def test_parts_of_different_sizes_are_filled_up_with_zeros() -> None:
    whole = end_to_end([torch.ones(1, 1, 2), torch.ones(1, 2, 1)])
    assert whole.tolist() == [[[1, 1], [0, 0]], [[1, 0], [1, 0]]]
