"""`select.variance`: the questions whose rollouts differ most in accuracy, where GRPO has most to compare.

Source: ours, after arXiv:2504.03380, in which the gain of a step is bounded below by p (1 - p), the variance of right
and wrong. The accuracy term alone counts, never format. K rollouts have few values of it; equal ones are the seed's.
"""

from __future__ import annotations

from graph.node import node
from nodes.probe.probe import Probe
from nodes.questions.question import QuestionPool
from nodes.select.drawing import best_first
from nodes.select.weighing import Weighing, weigh


@node("select.variance", version=1)
def variance(probe: Probe, questions: QuestionPool, *, params: Weighing, seed: int) -> QuestionPool:
    """Return the `n` questions of highest reward variance."""
    return weigh(
        "select.variance",
        probe,
        questions,
        lambda probed: [row.reward_variance for _, row in probed],
        best_first,
        params,
        seed,
    )
