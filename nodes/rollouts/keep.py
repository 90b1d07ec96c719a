"""`rollouts.keep_correct`: questions with a right rollout of each as its trace, for SFT on what the policy itself said.

Rejection sampling, as in STaR (arXiv:2203.14465) and RFT (arXiv:2308.01825). Departs: one trace a question, the first
rollout that is right. Rollouts are independent draws, so that is a draw of what the policy says when it is right; the
most probable one would favour short thoughts and narrow the policy round by round. No hint where all are wrong.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from graph.node import node
from nodes.questions.question import Question, QuestionPool, Questions
from nodes.rollouts.judged import judge
from nodes.rollouts.rollouts import Rollouts
from store.collection import Collection


class Keep(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `rollouts.keep_correct`."""

    right_at: Annotated[
        float,
        Meta(
            gt=0, le=1, description="MRA from which a number counts as right; .9 is within 10 %, as it will be learned"
        ),
    ] = 0.9


@node("rollouts.keep_correct", version=1, packages=("numpy",))
def keep_correct(rollouts: Rollouts, questions: QuestionPool, *, params: Keep) -> QuestionPool:
    """Return the questions that were answered rightly, each with what was said as its trace.

    What was cut short is no trace, right or not. Others are dropped with the reason; a scene that loses all stays.

    Raises:
        ValueError: rollouts of a question that is not in the pool.
    """
    judged, truncated = judge(rollouts, questions, params.right_at), rollouts.drawn().truncated
    traces, reasons = {}, {}
    for row, texts, right, cut in zip(judged.questions, judged.texts, judged.right, truncated, strict=True):
        whole = (right & ~cut).nonzero()[0].tolist()
        if whole:
            traces[row.id] = texts[whole[0]]
        elif right.any():
            reasons[row.id] = f"truncated: {right.sum()} of {len(texts)} rollouts right, all cut short"
        else:
            reasons[row.id] = f"wrong: 0 of {len(texts)} rollouts right"
    unasked = {id: f"unasked: {why}" for id, why in rollouts.dropped.items()}
    return Collection(Questions, {key: _kept(questions[key], traces, {**unasked, **reasons}) for key in questions})


def _kept(questions: Questions, traces: dict[str, str], reasons: dict[str, str]) -> Questions:
    kept: list[Question] = [replace(row, trace=traces[row.id]) for row in questions.rows if row.id in traces]
    lost = {row.id: reasons.get(row.id, "unasked: no rollouts") for row in questions.rows if row.id not in traces}
    return questions.with_rows(kept, lost)
