"""Build a tiny vision-language policy from nothing: a config, random weights, a word-level tokenizer.

Small enough to learn on one CPU core in two minutes: 0.14 M parameters as Idefics3 and 0.18 M as Qwen3-VL at the
default width. It knows no language beyond the words of our question templates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct

from graph.node import node
from nodes.policy.policy import Policy, policy_from

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PATCH_PX = 8
CONTEXT = 2048  # positions; an SFT conversation of 8 questions takes about 250
INIT_STD = 0.1  # at transformers' default .02 a net of this width does not leave chance


class Build(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `policy.build`."""

    family: Annotated[Literal["idefics3", "qwen3_vl"], Meta(description="architecture, as transformers defines it")] = (
        "idefics3"
    )
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
    processor = tiny_processor(params.family, tokenizer, params.image_px, PATCH_PX)
    config = _idefics3(params, tokenizer) if params.family == "idefics3" else _qwen3_vl(params, tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.float32)
    # Without both ids here, generation never stops and pads with a guess.
    model.generation_config = GenerationConfig(pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id)
    return policy_from(model, processor, trained_places=())


def _idefics3(params: Build, tokenizer: PreTrainedTokenizerFast) -> Any:
    from transformers import Idefics3Config

    vision = {
        "hidden_size": params.vision_width,
        "intermediate_size": 2 * params.vision_width,
        "num_hidden_layers": params.vision_layers,
        "num_attention_heads": 4,
        "image_size": params.image_px,
        "patch_size": PATCH_PX,
        "initializer_range": INIT_STD,
    }
    text = {"model_type": "llama", **_text(params, tokenizer)}
    return Idefics3Config(
        vision_config=vision,
        text_config=text,
        scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
        initializer_range=INIT_STD,
    )


def _qwen3_vl(params: Build, tokenizer: PreTrainedTokenizerFast) -> Any:
    from transformers import Qwen3VLConfig

    vision = {
        "hidden_size": params.vision_width,
        "intermediate_size": 2 * params.vision_width,
        "depth": params.vision_layers,
        "num_heads": 4,
        "patch_size": PATCH_PX,
        "out_hidden_size": params.width,
        "num_position_embeddings": (params.image_px // PATCH_PX) ** 2,
        # An empty list crashes with num_return_sequences > 1.
        "deepstack_visual_indexes": [0],
        "initializer_range": INIT_STD,
    }
    head = params.width // 4
    text = {
        **_text(params, tokenizer),
        "head_dim": head,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": _thirds(head // 2)},
    }
    return Qwen3VLConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<|video_pad|>"),
        vision_start_token_id=tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokenizer.convert_tokens_to_ids("<|vision_end|>"),
        tie_word_embeddings=True,
    )


def _text(params: Build, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    return {
        "hidden_size": params.width,
        "intermediate_size": 2 * params.width,
        "num_hidden_layers": params.layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": CONTEXT,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "tie_word_embeddings": True,
        "initializer_range": INIT_STD,
    }


def _thirds(pairs: int) -> list[int]:
    """Split the rotary pairs among time, height and width."""
    side = pairs // 3
    return [pairs - 2 * side, side, side]
