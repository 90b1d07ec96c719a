"""Format: whether what a text gives as its answer has the form of one, right or wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.rewards.accuracy import parse_number, plain
from nodes.rewards.answer import answer_of

if TYPE_CHECKING:
    from nodes.questions.question import Question
    from nodes.rewards.reward import Batch


def well_formed(batch: Batch) -> list[float]:
    """Return 1 for every rollout that has the form of an answer, else 0."""
    return [form_of(text, question) for text, question in zip(batch.texts, batch.questions, strict=True)]


def form_of(text: str, question: Question) -> float:
    """Return 1 for one of the options (its letter, where options carry letters) or for a number, else 0."""
    text = answer_of(text)
    if question.kind == "number":
        return float(parse_number(text) is not None)
    return float(plain(text) in {plain(_said(option)) for option in question.options})


def _said(option: str) -> str:
    """Return what an answer says for an option: `A` for `A. left`, the word itself for a word."""
    return option[0] if option[1:2] == "." else option
