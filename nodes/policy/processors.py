"""Processors that work without torchvision: a tokenizer and a PIL image processor, and no video."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SCALE = 2  # patches an image token merges, along each side


def tiny_processor(family: str, tokenizer: PreTrainedTokenizerFast, image_px: int, patch_px: int) -> Any:
    """Return the processor of a tiny policy: square images of `image_px` pixels, scaled to [-1, 1]."""
    if family == "idefics3":
        from transformers import Idefics3Processor
        from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

        edge = {"longest_edge": image_px}
        images = Idefics3ImageProcessorPil(size=edge, max_image_size=edge, do_image_splitting=False, do_resize=True)
        length = (image_px // patch_px // SCALE) ** 2
        return Idefics3Processor(images, tokenizer, image_seq_len=length, chat_template=tokenizer.chat_template)
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    area = image_px * image_px
    qwen_images = Qwen2VLImageProcessorPil(
        patch_size=patch_px,
        merge_size=SCALE,
        temporal_patch_size=2,
        size={"shortest_edge": area, "longest_edge": area},
    )
    return qwen_frames_processor()(qwen_images, tokenizer, chat_template=tokenizer.chat_template)


def open_processor(folder: Path, model_type: str) -> Any:
    """Load the processor from the files of a model folder; never runs code from it."""
    processor = _read_processor(folder, model_type)
    for fact in ("is_local", "local_files_only"):  # notes of this very load, which saving would write down
        processor.tokenizer.init_kwargs.pop(fact, None)
    return processor


def _read_processor(folder: Path, model_type: str) -> Any:
    if model_type in ("qwen3_vl", "qwen2_5_vl", "qwen2_vl"):
        from transformers import AutoTokenizer
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

        images = Qwen2VLImageProcessorPil.from_pretrained(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        return qwen_frames_processor()(images, tokenizer, chat_template=tokenizer.chat_template)
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(folder, trust_remote_code=False, local_files_only=True)


@functools.cache
def qwen_frames_processor() -> type:
    """Return a Qwen-VL processor that has no `video_processor`: that of transformers needs torchvision.

    Frames go in as images. Qwen's own video input merges frames in time and is another input altogether.
    """
    from transformers import Qwen3VLProcessor
    from transformers.processing_utils import ProcessorMixin

    class QwenFramesProcessor(Qwen3VLProcessor):
        # The parent's base reads the parameter names of `__init__` to know its parts.
        def __init__(self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None) -> None:
            self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
            self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
            self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
            ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)
            self.vision_start_token, self.vision_end_token = "<|vision_start|>", "<|vision_end|>"
            self.vision_start_token_id = tokenizer.convert_tokens_to_ids(self.vision_start_token)
            self.vision_end_token_id = tokenizer.convert_tokens_to_ids(self.vision_end_token)

    return QwenFramesProcessor
