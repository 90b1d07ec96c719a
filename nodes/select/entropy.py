"""`select.entropy`: the questions on which a policy is of two or three minds; no answer is needed.

Source: EvoLMM, arXiv:2511.16672: exp(-(H - .9)^2 / (2 x .35^2)), H the entropy of the rollouts' answers in nats.
Departs: there it rewards the proposer of a question; here it weighs questions in a draw without replacement. K rollouts
have an entropy of ln K at most: with two, .69, the most divided questions weigh most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from graph.node import node
from nodes.feedback.probed import Probed
from nodes.probe.probe import Probe
from nodes.questions.question import QuestionPool
from nodes.select.drawing import by_chance
from nodes.select.weighing import Weighing, weigh


class Entropy(Weighing, frozen=True, forbid_unknown_fields=True):
    """Params of `select.entropy`."""

    middle: Annotated[float, Meta(ge=0, description="entropy of weight 1 (EvoLMM)", extra={"unit": "nats"})] = 0.9
    width: Annotated[float, Meta(gt=0, description="standard deviation (EvoLMM)", extra={"unit": "nats"})] = 0.35


@node("select.entropy", version=1)
def entropy(probe: Probe, questions: QuestionPool, *, params: Entropy, seed: int) -> QuestionPool:
    """Return `n` questions, drawn in proportion to the weight of their answers' entropy."""

    def weights(probed: Sequence[Probed]) -> list[float]:
        return [entropy_weight(row.entropy, params.middle, params.width) for _, row in probed]

    return weigh("select.entropy", probe, questions, weights, by_chance, params, seed)


def entropy_weight(entropy: float, middle: float = 0.9, width: float = 0.35) -> float:
    """Return the weight of an entropy in nats, 0..1."""
    return math.exp(-((entropy - middle) ** 2) / (2 * width**2))
