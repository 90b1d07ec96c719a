"""`eval.questions`: the accuracy of a policy's greedy answers on a pool that it was not trained on."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from graph.node import Progress, node
from nodes.evaluate.answers import overlap, trained_on
from nodes.evaluate.scores import Score, Scores
from nodes.policy.answers import open_answerer
from nodes.policy.policy import Policy
from nodes.policy.rollout import Rollout
from nodes.questions.question import QuestionPool, pool_rows
from nodes.rewards.accuracy import accuracy_of


class Evaluate(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `eval.questions`."""

    rollout: Rollout = Rollout()
    blind: Annotated[bool, Meta(description="ask without pictures: what language alone answers")] = False
    batch: Annotated[int, Meta(ge=1, description="questions put at a time", extra={"unit": "questions"})] = 256


@node("eval.questions", version=1, packages=("torch", "transformers", "tokenizers", "pillow", "numpy"))
def evaluate(policy: Policy, questions: QuestionPool, *, params: Evaluate, progress: Progress | None = None) -> Scores:
    """Return the accuracy of greedy answers, question by question and by task.

    A question whose prompt is longer than the policy's context counts as wrong, and is told of.

    Raises:
        ValueError: no questions, or places in the pool whose questions trained the policy.
    """
    rows = pool_rows(questions)
    if not rows:
        raise ValueError("eval.questions: 0 questions, expected at least 1")
    if seen := trained_on(policy, rows):
        raise ValueError(overlap("eval.questions", seen))
    answerer = open_answerer(policy, params.rollout, params.batch, progress)
    best = answerer.best(rows, None if params.blind else questions)
    scores = [
        Score(row.id, row.scene, row.task, text, accuracy_of(text, row), float(p))
        for row, text, p in zip(rows, best.texts, best.p_answer, strict=True)
    ]
    return Scores(scores, params.blind, best.dropped)
