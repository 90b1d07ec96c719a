"""The families of vision-language models that can be built tiny, each as a config of transformers.

A config says everything of a net but its weights. Patches are 8 px wide; families that merge patches merge 2 x 2 of
them, so a picture of 64 px is 16 language tokens, and 64 in LLaVA, which merges none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Family = Literal["idefics3", "smolvlm", "llava", "qwen2_5_vl", "qwen3_vl"]
QWEN = ("qwen2_5_vl", "qwen3_vl")
PATCH_PX = 8
MERGED = 2  # patches an image token merges, along each side
HEADS = 4
CONTEXT = 2048  # positions; an SFT conversation of 8 questions takes about 250
INIT_STD = 0.1  # at transformers' default .02 a net of this width does not leave chance


class Shape(Struct, frozen=True):
    """How large a net is: widths are hidden sizes, `image_px` the side of its square images."""

    width: int
    layers: int
    vision_width: int
    vision_layers: int
    image_px: int


def family_config(family: Family, shape: Shape, tokenizer: PreTrainedTokenizerFast) -> Any:
    """Return the config of a net of this family, whose vocabulary is the tokenizer's."""
    if family in QWEN:
        return _qwen(family, shape, tokenizer)
    return _llava(shape, tokenizer) if family == "llava" else _idefics3(family, shape, tokenizer)


def _idefics3(family: Family, shape: Shape, tokenizer: PreTrainedTokenizerFast) -> Any:
    from transformers import Idefics3Config, SmolVLMConfig

    kind = Idefics3Config if family == "idefics3" else SmolVLMConfig
    return kind(
        vision_config=_vision(shape),
        text_config={"model_type": "llama", **_text(shape, tokenizer)},
        scale_factor=MERGED,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
        initializer_range=INIT_STD,
    )


def _llava(shape: Shape, tokenizer: PreTrainedTokenizerFast) -> Any:
    from transformers import LlavaConfig

    return LlavaConfig(
        vision_config={"model_type": "clip_vision_model", **_vision(shape)},
        text_config={"model_type": "llama", **_text(shape, tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=(shape.image_px // PATCH_PX) ** 2,
        # The last layer, since there may be one only; LLaVA's own choice is the last but one.
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
        initializer_range=INIT_STD,
    )


def _qwen(family: Family, shape: Shape, tokenizer: PreTrainedTokenizerFast) -> Any:
    from transformers import Qwen2_5_VLConfig, Qwen3VLConfig

    vision: dict[str, Any] = {
        "hidden_size": shape.vision_width,
        "intermediate_size": 2 * shape.vision_width,
        "depth": shape.vision_layers,
        "num_heads": HEADS,
        "patch_size": PATCH_PX,
        "out_hidden_size": shape.width,
        "initializer_range": INIT_STD,
    }
    head = shape.width // HEADS
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": _thirds(head // 2)}
    text = {**_text(shape, tokenizer), "rope_parameters": rope}
    if family == "qwen3_vl":
        # An empty list crashes with num_return_sequences > 1.
        vision |= {"num_position_embeddings": (shape.image_px // PATCH_PX) ** 2, "deepstack_visual_indexes": [0]}
        text |= {"head_dim": head}
    else:
        # Every layer sees the whole picture: there is no room for windows in 8 x 8 patches.
        vision |= {"fullatt_block_indexes": list(range(shape.vision_layers)), "window_size": shape.image_px}
    return (Qwen3VLConfig if family == "qwen3_vl" else Qwen2_5_VLConfig)(
        vision_config=vision,
        text_config=text,
        image_token_id=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<|video_pad|>"),
        vision_start_token_id=tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokenizer.convert_tokens_to_ids("<|vision_end|>"),
        tie_word_embeddings=True,
    )


def _vision(shape: Shape) -> dict[str, Any]:
    return {
        "hidden_size": shape.vision_width,
        "intermediate_size": 2 * shape.vision_width,
        "num_hidden_layers": shape.vision_layers,
        "num_attention_heads": HEADS,
        "image_size": shape.image_px,
        "patch_size": PATCH_PX,
        "initializer_range": INIT_STD,
    }


def _text(shape: Shape, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    return {
        "hidden_size": shape.width,
        "intermediate_size": 2 * shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
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
