"""Regression: 1 less the relative error of a number, not below 0. Source: SpaceR, arXiv:2504.01805.

A true value of 0 is met by 0 alone; a question that is no number, or an answer that is none, scores 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.rewards.accuracy import parse_number
from nodes.rewards.answer import answer_of

if TYPE_CHECKING:
    from nodes.rewards.reward import Batch


def regression(batch: Batch) -> list[float]:
    """Return the score of every rollout, 0..1."""
    return [
        nearness(parse_number(answer_of(text)), parse_number(question.answer))
        for text, question in zip(batch.texts, batch.questions, strict=True)
    ]


def nearness(said: float | None, true: float | None) -> float:
    """Return 1 - |said - true| / |true|, not below 0; 0 where either is no number."""
    if said is None or true is None:
        return 0.0
    return max(0.0, 1 - abs(said - true) / abs(true)) if true else float(said == 0)
