"""Rollouts: how a question is put to a policy, and how what it says is read.

The table `Rollout` is shared by draws, updates and evaluation: a draw under other sampling, another template or other
frames measures another policy than the one that is trained.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from msgspec import Meta, Struct

from nodes.questions.wording import THINK

if TYPE_CHECKING:
    from PIL.Image import Image

    from nodes.questions.question import Question, QuestionPool


Template: TypeAlias = Literal["direct", "think"]


class Rollout(Struct, frozen=True, forbid_unknown_fields=True):
    """How questions are put and answers are drawn: the params that draws, updates and evaluation share."""

    agree: ClassVar[tuple[str, ...]] = ("template", "pixels", "temperature", "top_p", "max_tokens", "dtype")
    template: Annotated[
        Template,
        Meta(description="direct: the answer alone | think: a thought in <think>, then the answer in <answer>"),
    ] = "direct"
    frames: Annotated[int, Meta(ge=1, description="most frames a question may show", extra={"unit": "frames"})] = 1
    pixels: Annotated[
        int,
        Meta(ge=0, description="largest frame, larger ones are made smaller; 0: as they are", extra={"unit": "px"}),
    ] = 0
    temperature: Annotated[float, Meta(gt=0, description="of sampling")] = 1.0
    top_p: Annotated[float, Meta(gt=0, le=1, description="share of the probability that is drawn from")] = 1.0
    max_tokens: Annotated[
        int,
        Meta(ge=1, description="longest answer; with 1 answers are exact, no end is awaited", extra={"unit": "tokens"}),
    ] = 1
    device: Annotated[Literal["cpu", "cuda", "auto"], Meta(description="auto: a GPU where there is one")] = "cpu"
    dtype: Annotated[Literal["float32", "bfloat16"], Meta(description="of the model while it computes")] = "float32"


def prompt_messages(
    question: Question, images: Sequence[Any] | None, template: Template = "direct"
) -> list[dict[str, Any]]:
    """Return the conversation up to the answer: one user turn, its frames before its text.

    Args:
        images: what to put into the image parts; None asks blind, without any.
    """
    pictures = [{"type": "image", "image": image} for image in images or ()]
    return [{"role": "user", "content": [*pictures, {"type": "text", "text": prompt_text(question, template)}]}]


def prompt_text(question: Question, template: Template = "direct") -> str:
    """Return the words of a question; options follow it, each on its own line, then what the template asks for."""
    options = question.options if _lists_options(question) else ()
    return "\n".join([question.prompt, *options, *([THINK] if template == "think" else [])])


def check_frames(questions: Sequence[Question], rollout: Rollout) -> None:
    """Raise ValueError if a question shows more frames than the rollout allows."""
    for question in questions:
        if len(question.frames) > rollout.frames:
            raise ValueError(
                f"question {question.id!r} shows {len(question.frames)} frames, expected at most"
                f" rollout.frames = {rollout.frames}"
            )


class Pictures:
    """The frames that the questions of a pool show, as PIL images.

    Training reads them in random order, so every scene stays open; the pictures themselves are kept in bounded number.
    A frame of more than `pixels` is made smaller, in its own proportions; 0: none is. What the policy's own processor
    makes of it comes after that, and may enlarge it again (`nodes/policy/processors.py`).
    """

    def __init__(self, pool: QuestionPool, pixels: int = 0) -> None:
        from nodes.questions import question

        self._frames = question.Pictures(pool, limit_scenes=max(1, len(pool)))
        self._pixels = pixels

    def of(self, question: Question) -> list[Image]:
        """Return the frames of a question, in its order."""
        from PIL import Image

        return [smaller(Image.fromarray(frame), self._pixels) for frame in self._frames.images(question)]

    def sizes(self, question: Question) -> list[tuple[int, int]]:
        """Return (width, height) of the frames of a question as they were recorded, which tells how large `of` is."""
        return self._frames.sizes(question)


def smaller(image: Image, pixels: int) -> Image:
    """Return a picture of at most `pixels` px in its own proportions; 0 or enough of them: the picture itself."""
    if not pixels or image.width * image.height <= pixels:
        return image
    scale = math.sqrt(pixels / (image.width * image.height))
    width = max(1, min(pixels, int(image.width * scale)))
    height = max(1, min(pixels // width, int(image.height * scale)))
    return image.resize((width, height))  # bicubic, over all the pixels that become one


def _lists_options(question: Question) -> bool:
    # Lettered options ("A. left") must be shown; the options of a short task are words that its prompt holds already.
    return any(option[1:2] == "." for option in question.options)
