"""Build a tiny vision-language policy from nothing: a config, random weights, a word-level tokenizer.

Small enough to learn on one CPU core in two minutes: 0.14 M parameters as Idefics3 and 0.18 M as Qwen3-VL at the
default width. It knows no language beyond the words of our question templates.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from graph.node import node
from nodes.policy.families import Family, Shape, family_config
from nodes.policy.policy import Policy, policy_from


class Build(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `policy.build`."""

    family: Annotated[Family, Meta(description="architecture, as transformers defines it")] = "idefics3"
    width: Annotated[int, Meta(ge=16, multiple_of=16, description="hidden size of the language model")] = 64
    layers: Annotated[int, Meta(ge=1, description="layers of the language model")] = 2
    vision_width: Annotated[int, Meta(ge=16, multiple_of=16, description="hidden size of the vision model")] = 48
    vision_layers: Annotated[int, Meta(ge=1, description="layers of the vision model")] = 1
    image_px: Annotated[
        int, Meta(ge=16, multiple_of=16, description="side of the square images", extra={"unit": "px"})
    ] = 64


@node("policy.build", version=1, packages=("torch", "transformers", "tokenizers"))
def build(*, params: Build, seed: int) -> Policy:
    """Return a policy with random weights that knows the words of our questions."""
    from nodes.questions.vocabulary import words

    return build_tiny(params, words(), seed)


def build_tiny(params: Build, words: list[str], seed: int) -> Policy:
    """Return a policy with random weights whose tokenizer knows `words`."""
    import torch
    from transformers import AutoModelForImageTextToText, GenerationConfig

    from nodes.policy.processors import tiny_processor
    from nodes.policy.tokenizer import word_tokenizer

    tokenizer = word_tokenizer(words, params.family)
    processor = tiny_processor(params.family, tokenizer, params.image_px)
    shape = Shape(params.width, params.layers, params.vision_width, params.vision_layers, params.image_px)
    config = family_config(params.family, shape, tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.float32)
    # Without both ids here, generation never stops and pads with a guess.
    model.generation_config = GenerationConfig(pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id)
    return policy_from(model, processor, trained_places=())
