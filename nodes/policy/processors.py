"""Processors that work without torchvision: a tokenizer and a PIL image processor, and no video.

Those of Idefics3 and LLaVA need nothing of ours. SmolVLM's and Qwen's want a video processor, which wants torchvision:
subclasses without one take their place. Frames go in as images; a family's own video input is another input altogether.

How large a frame becomes is the folder's own: Qwen enlarges what is below its `shortest_edge` (65,536 px in Qwen3-VL's
folders, so a frame of 64 x 64 becomes 256 x 256 and takes 64 tokens, not 4), Idefics3 and SmolVLM bring every frame to
`longest_edge` and cut it into tiles, LLaVA to one square. `Rollout.pixels` makes frames smaller before that; a limit
below what a processor enlarges to saves nothing.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodes.policy.families import MERGED, PATCH_PX, QWEN

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SMOLVLM_LENGTH = 169  # tokens of a tile where a folder says nothing, as in transformers


def tiny_processor(family: str, tokenizer: PreTrainedTokenizerFast, image_px: int) -> Any:
    """Return the processor of a tiny policy: square images of `image_px` pixels, whatever the frames' own size."""
    if family in QWEN:
        return _tiny_qwen(family, tokenizer, image_px)
    if family == "llava":
        from transformers import LlavaProcessor
        from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

        square = {"height": image_px, "width": image_px}
        # One more token than patches is seen, the class's, and left out again: `default` takes one off.
        facts = {"patch_size": PATCH_PX, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
        tower = LlavaImageProcessorPil(size=square, do_center_crop=False, crop_size=square)
        return LlavaProcessor(tower, tokenizer, chat_template=tokenizer.chat_template, **facts)
    edge = {"longest_edge": image_px}
    length = (image_px // PATCH_PX // MERGED) ** 2
    if family == "smolvlm":
        from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil as SmolVLMImages

        tiles = SmolVLMImages(size=edge, max_image_size=edge, do_image_splitting=False, do_resize=True)
        return frames_processor(family)(tiles, tokenizer, image_seq_len=length, chat_template=tokenizer.chat_template)
    from transformers import Idefics3Processor
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    images = Idefics3ImageProcessorPil(size=edge, max_image_size=edge, do_image_splitting=False, do_resize=True)
    return Idefics3Processor(images, tokenizer, image_seq_len=length, chat_template=tokenizer.chat_template)


def _tiny_qwen(family: str, tokenizer: PreTrainedTokenizerFast, image_px: int) -> Any:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    area = image_px * image_px
    images = Qwen2VLImageProcessorPil(
        patch_size=PATCH_PX,
        merge_size=MERGED,
        temporal_patch_size=2,
        size={"shortest_edge": area, "longest_edge": area},
    )
    return frames_processor(family)(images, tokenizer, chat_template=tokenizer.chat_template)


def open_processor(folder: Path, model_type: str) -> Any:
    """Load the processor from the files of a model folder; never runs code from it."""
    processor = _read_processor(folder, model_type)
    for fact in ("is_local", "local_files_only"):  # notes of this very load, which saving would write down
        processor.tokenizer.init_kwargs.pop(fact, None)
    return processor


def _read_processor(folder: Path, model_type: str) -> Any:
    from transformers import AutoProcessor, AutoTokenizer

    safely = {"trust_remote_code": False, "local_files_only": True}
    if model_type not in (*QWEN, "qwen2_vl", "smolvlm"):
        return AutoProcessor.from_pretrained(folder, **safely)
    tokenizer = AutoTokenizer.from_pretrained(folder, **safely)
    kind = frames_processor(model_type)
    if model_type == "smolvlm":
        from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil as SmolVLMImages

        length = _told(folder / "processor_config.json").get("image_seq_len", SMOLVLM_LENGTH)
        images = SmolVLMImages.from_pretrained(folder, local_files_only=True)
        return kind(images, tokenizer, image_seq_len=length, chat_template=_template(folder, tokenizer))
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    images = Qwen2VLImageProcessorPil.from_pretrained(folder, local_files_only=True)
    return kind(images, tokenizer, chat_template=_template(folder, tokenizer))


def _template(folder: Path, tokenizer: PreTrainedTokenizerFast) -> Any:
    """Return the chat template; older folders keep the processor's in a file of its own."""
    return _told(folder / "chat_template.json").get("chat_template") or tokenizer.chat_template


def _told(path: Path) -> dict[str, Any]:
    told = json.loads(path.read_bytes()) if path.is_file() else {}
    if not isinstance(told, dict):
        raise ValueError(f"{path.name}: expected a JSON object")
    return told


@functools.cache
def frames_processor(model_type: str) -> type:
    """Return a processor without `video_processor`; its base reads the parameters of `__init__` to know its parts."""
    from transformers import Qwen2_5_VLProcessor, Qwen3VLProcessor, SmolVLMProcessor
    from transformers.processing_utils import ProcessorMixin

    if model_type == "smolvlm":

        class SmolVLMFramesProcessor(SmolVLMProcessor):
            def __init__(
                self,
                image_processor: Any = None,
                tokenizer: Any = None,
                image_seq_len: int = SMOLVLM_LENGTH,
                chat_template: Any = None,
            ) -> None:
                self.fake_image_token, self.image_token = "<fake_token_around_image>", "<image>"
                self.global_image_token, self.end_of_utterance_token = "<global-img>", "<end_of_utterance>"
                self.video_token = "<video>"
                self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
                self.image_seq_len = image_seq_len
                ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

            def apply_chat_template(self, *given: Any, **options: Any) -> Any:
                return ProcessorMixin.apply_chat_template(self, *given, **options)  # the parent asks for video's rates

        return _named(SmolVLMFramesProcessor, SmolVLMProcessor)

    parent = Qwen3VLProcessor if model_type == "qwen3_vl" else Qwen2_5_VLProcessor

    class QwenFramesProcessor(parent):  # type: ignore[misc, valid-type]
        def __init__(self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None) -> None:
            self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
            self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
            self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
            ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)
            if model_type == "qwen3_vl":
                self.vision_start_token, self.vision_end_token = "<|vision_start|>", "<|vision_end|>"
                self.vision_start_token_id = tokenizer.convert_tokens_to_ids("<|vision_start|>")
                self.vision_end_token_id = tokenizer.convert_tokens_to_ids("<|vision_end|>")

    return _named(QwenFramesProcessor, parent)


def _named(kind: type, parent: type) -> type:
    """Return a class under its parent's name: it is written into the folder, where others look it up."""
    kind.__name__ = parent.__name__
    return kind
