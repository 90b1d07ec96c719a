"""Accuracy: exact for a choice, mean relative accuracy (MRA) for a number.

Source: VSI-Bench, arXiv:2412.14171, whose ten thresholds SpaceR (arXiv:2504.01805) uses too. The strict reading: the
whole answer counts, but for case, white space and one final dot.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nodes.rewards.answer import answer_of

if TYPE_CHECKING:
    from nodes.questions.question import Question
    from nodes.rewards.reward import Batch

THRESHOLDS = tuple(0.5 + 0.05 * step for step in range(10))  # .50, .55 .. .95
_SLACK = 1e-9  # |3 - 2.4| / 3 is .2000...02: on a threshold means within it


def accuracy(batch: Batch) -> list[float]:
    """Return the accuracy of every rollout."""
    return [accuracy_of(text, question) for text, question in zip(batch.texts, batch.questions, strict=True)]


def accuracy_of(text: str, question: Question) -> float:
    """Return how right a text is, 0..1: 0 or 1 for choices, a multiple of .1 for numbers.

    Judged is what it gives as its answer (`nodes/rewards/answer.py`).
    """
    text = answer_of(text)
    if question.kind == "choice":
        return float(plain(text) == plain(question.answer))
    said = parse_number(text)
    return 0.0 if said is None else mra(said, float(question.answer))


def mra(said: float, true: float) -> float:
    """Return mean relative accuracy: the share of thresholds t with |said - true| / |true| <= 1 - t.

    A true value of 0 is met by 0 alone; NaN and infinities score 0.
    """
    if not math.isfinite(said) or not math.isfinite(true):
        return 0.0
    if true == 0:
        return float(said == 0)
    error = abs(said - true) / abs(true)
    return sum(error <= 1 - threshold + _SLACK for threshold in THRESHOLDS) / len(THRESHOLDS)


def parse_number(text: str) -> float | None:
    """Return the number that a text is, None if it is anything else (`1e3`, `nan` and `2 3` included)."""
    digits = plain(text)
    sign, unsigned = (-1, digits[1:]) if digits.startswith("-") else (1, digits)
    whole, _, part = unsigned.partition(".")
    is_number = (whole + part).isascii() and (whole + part).isdigit()
    number = sign * float(unsigned) if is_number else math.inf  # which so many digits are, too
    return number if math.isfinite(number) else None


def is_right(text: str, question: Question, mra_at_least: float = 0.5) -> bool:
    """Tell whether an answer counts as right in a pass rate: exact, or for numbers MRA >= `mra_at_least`."""
    score = accuracy_of(text, question)
    return score == 1.0 if question.kind == "choice" else score >= mra_at_least


def plain(text: str) -> str:
    """Return a text in lower case, without white space around it or a final dot."""
    return text.strip().removesuffix(".").strip().lower()
