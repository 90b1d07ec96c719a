"""How many tokens prompts take, pictures included: what is too long for the policy is dropped whole, and counted.

No prompt is ever cut: a picture whose tokens are cut in the middle is no picture, and TRL fails on it a step later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from nodes.policy.rollout import Pictures, Rollout, prompt_messages, prompt_text

if TYPE_CHECKING:
    from nodes.questions.question import Question


class Lengths:
    """Counts the tokens of prompts. Pictures of one size take the same tokens, so one prompt of each is processed."""

    def __init__(self, processor: Any, pictures: Pictures, rollout: Rollout) -> None:
        self._processor, self._pictures, self._rollout = processor, pictures, rollout
        self._beside: dict[tuple[tuple[int, int], ...], int] = {}

    def of_texts(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of texts alone."""
        if not texts:
            return []
        return [len(ids) for ids in self._processor.tokenizer(list(texts), add_special_tokens=False)["input_ids"]]

    def of_prompts(self, rows: Sequence[Question]) -> list[int]:
        """Return the tokens of each question up to the answer: pictures, words, marks of who speaks."""
        return [self.beside(row, n) + n for row, n in zip(rows, self.of_words(rows), strict=True)]

    def of_words(self, rows: Sequence[Question]) -> list[int]:
        """Return the tokens of the words of each question, as the template puts it."""
        return self.of_texts([prompt_text(row, self._rollout.template) for row in rows])

    def of_pictures(self, rows: Sequence[Question]) -> int:
        """Return the most tokens that the pictures of one of these questions take, with their marks."""
        some = list({self._sizes(row): row for row in rows}.values())
        words = self.of_words(some)
        bare = (self.beside(replace(row, frames=()), n) for row, n in zip(some, words, strict=True))
        return max((self.beside(row, n) - n_bare for row, n, n_bare in zip(some, words, bare, strict=True)), default=0)

    def beside(self, row: Question, n_words: int) -> int:
        """Return the tokens of a prompt that are no words of the question."""
        key = self._sizes(row)
        if key not in self._beside:
            images = self._pictures.of(row)
            text = self._processor.apply_chat_template(
                prompt_messages(row, images, self._rollout.template), add_generation_prompt=True, tokenize=False
            )
            ids = self._processor(text=[text], images=[images] if images else None)["input_ids"][0]
            self._beside[key] = len(ids) - n_words
        return self._beside[key]

    def _sizes(self, row: Question) -> tuple[tuple[int, int], ...]:
        return tuple(sorted(self._pictures.sizes(row)))


def context_of(model: Any) -> int:
    """Return how many tokens a model can attend to; where its config doesn't say, more than any prompt has."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None) or 1 << 40


def too_long(n_dropped: int, context: int) -> str:
    """Return the line that says how many questions were dropped."""
    return (
        f"{n_dropped} questions longer than the policy's context of {context} tokens were dropped" if n_dropped else ""
    )
