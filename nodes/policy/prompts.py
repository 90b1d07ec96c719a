"""Questions as a policy reads them: texts by its chat template, pictures, tensors, in batches of like length.

A batch holds prompts of nearly one length, so little of it is padding; which prompts stand beside each other depends
on their lengths alone, and results come back in the order of the questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from nodes.policy.rollout import Pictures, Rollout, check_frames, prompt_messages
from nodes.policy.shown import Processed, Put, Shown

if TYPE_CHECKING:
    from nodes.questions.question import Question, QuestionPool

LENGTH_MULTIPLE = 16  # short prompts are padded to it: fewer shapes, so a row depends less on its neighbours
MOST_PADDING = 1 / 8  # of a longer prompt


class Batch(NamedTuple):
    """Questions that are put together, by their places, and what their lengths are padded to a multiple of."""

    places: list[int]
    multiple: int


class Prompts:
    """The questions of a pool as one policy reads them; without a pool, blind."""

    def __init__(
        self, model: Any, processor: Any, rollout: Rollout, questions: Sequence[Question], pool: QuestionPool | None
    ) -> None:
        check_frames(questions, rollout)
        self._model, self._processor, self._questions = model, Processed(processor), questions
        self._template = rollout.template
        self._pictures = None if pool is None else Pictures(pool, rollout.pixels)
        self._sizes: dict[tuple[str, str], tuple[int, int]] = {}  # width, height in px
        shown = 0 if pool is None else next((len(question.frames) for question in questions if question.frames), 0)
        if shown and getattr(processor, "image_processor", None) is None:
            raise ValueError(
                f"policy of family {model.config.model_type!r} takes no pictures, and questions show {shown};"
                " expected a vision-language policy, or questions put blind"
            )
        texts = [self._text(question) for question in questions]
        # One token a picture; so long as its pictures are not put in, a prompt is short.
        self._tokens: list[list[int]] = self._processor.tokenizer(texts)["input_ids"] if texts else []

    def batches(self, most: int) -> list[Batch]:
        """Return all questions in batches of at most `most`, by length, then in their own order."""
        lengths = [self._length(place) for place in range(len(self._tokens))]
        order = sorted(range(len(lengths)), key=lambda place: (padded(lengths[place]), place))
        found: list[Batch] = []
        for place in order:
            last = found[-1].places if found else None
            if last is None or len(last) == most or padded(lengths[last[0]]) != padded(lengths[place]):
                found.append(Batch([], length_multiple(lengths[place])))
            found[-1].places.append(place)
        return found

    def fitting(self, batch: Batch, answer: int) -> tuple[Put, list[int], dict[int, str]]:
        """Return a batch's prompts that leave room for `answer` tokens in the policy's context.

        A longer one is never cut: the cut could go through the middle of a picture.

        Returns:
            Their tensors; their rows in the batch; and by row why the others are left out.
        """
        put = self._put(batch)
        room = getattr(self._model.config.get_text_config(), "max_position_embeddings", None)
        lengths = put.words["attention_mask"].sum(-1).tolist()
        why = {
            row: f"context: {n} tokens of prompt and {answer} of answer, the policy reads {room}"
            for row, n in enumerate(lengths)
            if room is not None and n + answer > room
        }
        kept = [row for row in range(len(lengths)) if row not in why]
        if why and kept:
            put = self._put(batch._replace(places=[batch.places[row] for row in kept]))
        return put, kept, why

    def _put(self, batch: Batch) -> Put:
        shown = [self._shown(self._questions[place]) for place in batch.places]
        return self._processor.batch([self._tokens[place] for place in batch.places], shown, batch.multiple)

    def _shown(self, question: Question) -> Shown | None:
        if self._pictures is None or not question.frames:
            return None
        key = (question.scene, question.frames_digest, question.frames)
        return self._processor.pictures(key, partial(self._pictures.of, question))

    def _text(self, question: Question) -> str:
        shown = [None] * len(question.frames) if self._pictures is not None else None
        text: str = self._processor.processor.apply_chat_template(
            prompt_messages(question, shown, self._template), add_generation_prompt=True, tokenize=False
        )
        return text

    def _length(self, place: int) -> int:
        """Return how many tokens a prompt takes, its pictures as large as the first of their scene."""
        question = self._questions[place]
        if self._pictures is None or not question.frames:
            return len(self._tokens[place])
        scene = (question.scene, question.frames_digest)
        if scene not in self._sizes:
            self._sizes[scene] = self._pictures.of(question)[0].size
        return len(self._tokens[place]) + len(question.frames) * (self._processor.n_tokens(self._sizes[scene]) - 1)


def prompt_key(question: Question) -> tuple[Any, ...]:
    """Return what is the same for questions that are one prompt."""
    return question.prompt, question.options, question.scene, question.frames_digest, question.frames


def length_multiple(length: int) -> int:
    """Return what a prompt's length is padded to a multiple of: a power of two, so that little of it is padding."""
    return max(LENGTH_MULTIPLE, 1 << max(0, int(length * MOST_PADDING).bit_length() - 1))


def padded(length: int) -> int:
    """Return how long a prompt is with its padding."""
    multiple = length_multiple(length)
    return -(-length // multiple) * multiple
