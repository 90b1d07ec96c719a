"""SpatialEvo's reward of a solver: .1 for the form of the answer, .9 for its accuracy.

Accuracy: a choice is exact. A count is 1 if exact, .3 if off by one, .1 if off by two. Any other number is the share of
eleven thresholds from .50 to .95, .045 apart, whose complement the relative error stays within: another metric than the
MRA of ten (`accuracy`). Source: SpatialEvo, arXiv:2604.14144, and its code. Departs: its form is one `<answer>` and no
other tag, -1 for several; here it is that of `format`, so that a direct answer has it too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.rewards.accuracy import accuracy_of, parse_number
from nodes.rewards.answer import answer_of
from nodes.rewards.format import form_of

if TYPE_CHECKING:
    from nodes.questions.question import Question
    from nodes.rewards.reward import Batch

FORMAT, ACCURACY = 0.1, 0.9
STEPS = 11
COUNTED = (1.0, 0.3, 0.1)  # by how many a count is off
_SLACK = 1e-9


def spatialevo(batch: Batch) -> list[float]:
    """Return the reward of every rollout, 0..1."""
    return [
        FORMAT * form_of(text, question) + ACCURACY * solved(text, question)
        for text, question in zip(batch.texts, batch.questions, strict=True)
    ]


def solved(text: str, question: Question) -> float:
    """Return SpatialEvo's accuracy of a text, 0..1."""
    if question.kind != "number":
        return accuracy_of(text, question)
    said, true = parse_number(answer_of(text)), float(question.answer)
    if said is None:
        return 0.0
    if question.unit == "objects":
        off = abs(said - true)
        return next((score for by, score in enumerate(COUNTED) if off <= by), 0.0)
    return relative(said, true)


def relative(said: float, true: float) -> float:
    """Return the share of thresholds .5 + .045 k, k = 0..10, with |said - true| / |true| <= 1 - threshold."""
    if true == 0:
        return float(said == 0)
    error = abs(said - true) / abs(true)
    return sum(error <= 0.5 - 0.045 * step + _SLACK for step in range(STEPS)) / STEPS
