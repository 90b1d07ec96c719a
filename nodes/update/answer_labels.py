"""Batches for SFT on our own tokenizers: answers are found by their marks, not by characters.

TRL's collator gives the same labels for any chat template (a test compares them), by a Python loop over all tokens for
every answer: with 8 answers a picture it took half of the training time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nodes.policy.tokenizer import ASSISTANT, END

if TYPE_CHECKING:
    import torch

IGNORED = -100  # the label that a loss leaves out


def marks_answers(processor: Any) -> bool:
    """Tell whether the tokenizer has our marks around what the assistant says."""
    known = processor.tokenizer.get_vocab()
    return ASSISTANT in known and END in known and ASSISTANT in (processor.chat_template or "")


class AnswerLabels:
    """Collates rows of `messages` and `images`; every token but those of answers and their ends is ignored."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.start, self.end = processor.tokenizer.convert_tokens_to_ids([ASSISTANT, END])

    def __call__(self, examples: Sequence[dict[str, Any]]) -> Any:
        import torch

        talks = [example["messages"] for example in examples]
        images = [example["images"] for example in examples]
        texts = [self.processor.apply_chat_template(talk, tokenize=False) for talk in talks]
        batch = self.processor(
            text=texts,
            images=images if any(images) else None,  # processors take no batch without any picture
            padding=True,
            padding_side="right",
            add_special_tokens=False,
            return_tensors="pt",
        )
        ids = batch["input_ids"]  # (B, T)
        batch["labels"] = torch.where(self.is_answer(ids), ids, IGNORED)
        return batch

    def is_answer(self, ids: torch.Tensor) -> torch.Tensor:
        """Return (B, T) bool: true after a start mark, up to and with the next end mark."""
        starts, ends = (ids == self.start).cumsum(1), (ids == self.end).cumsum(1)
        # Turns alternate and all end alike: an answer is what follows the n-th start while 2 n - 1 turns have ended.
        ends_before = ends - (ids == self.end).int()
        turn = 2 * starts - 1
        return (ids != self.start) & (ends_before == turn) & (starts > 0)
