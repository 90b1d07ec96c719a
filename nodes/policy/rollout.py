"""Rollouts: how a question is put to a policy, and how what it says is read.

The table `Rollout` is shared by probe, update and evaluation: a probe under other sampling, another template or other
frames measures another policy than the one that is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct

from graph.node import Named
from nodes.rewards.reward import ACCURACY, Reward

if TYPE_CHECKING:
    from PIL.Image import Image

    from nodes.questions.question import Question, QuestionPool


class Rollout(Struct, frozen=True, forbid_unknown_fields=True):
    """How questions are put and answers are drawn: the params that probe, update and evaluation share."""

    template: Annotated[Literal["direct"], Meta(description="direct: the answer alone, no reasoning before it")] = (
        "direct"
    )
    frames: Annotated[int, Meta(ge=1, description="most frames a question may show", extra={"unit": "frames"})] = 1
    rewards: Annotated[
        tuple[Named[Reward], ...],
        Meta(min_length=1, description="rewards by name, summed; accuracy is always measured too"),
    ] = (ACCURACY,)
    temperature: Annotated[float, Meta(gt=0, description="of sampling")] = 1.0
    max_tokens: Annotated[
        int,
        Meta(ge=1, description="longest answer; with 1 answers are exact, no end is awaited", extra={"unit": "tokens"}),
    ] = 1


def prompt_messages(question: Question, images: Sequence[Any] | None) -> list[dict[str, Any]]:
    """Return the conversation up to the answer: one user turn, its frames before its text.

    Args:
        images: what to put into the image parts; None asks blind, without any.
    """
    pictures = [{"type": "image", "image": image} for image in images or ()]
    return [{"role": "user", "content": [*pictures, {"type": "text", "text": prompt_text(question)}]}]


def prompt_text(question: Question) -> str:
    """Return the words of a question; options follow it, each on its own line."""
    return "\n".join([question.prompt, *question.options]) if _lists_options(question) else question.prompt


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
    """

    def __init__(self, pool: QuestionPool) -> None:
        from nodes.questions import question

        self._frames = question.Pictures(pool, limit_scenes=max(1, len(pool)))

    def of(self, question: Question) -> list[Image]:
        """Return the frames of a question, in its order."""
        from PIL import Image

        return [Image.fromarray(frame) for frame in self._frames.images(question)]


def _lists_options(question: Question) -> bool:
    # Lettered options ("A. left") must be shown; the options of a short task are words that its prompt holds already.
    return any(option[1:2] == "." for option in question.options)
