"""Nodes and rewards of this experiment."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from graph.node import node
from nodes.questions.question import QuestionPool, Questions
from nodes.rewards.reward import Batch
from store.collection import Collection


class Short(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `my.short`."""

    words: Annotated[int, Meta(ge=1, description="longest question that is kept", extra={"unit": "words"})] = 12


@node("my.short", version=1)
def short(questions: QuestionPool, *, params: Short) -> QuestionPool:
    """Return the questions of few words."""
    kept = {
        scene: questions[scene].with_rows(
            [row for row in questions[scene].rows if len(row.prompt.split()) <= params.words]
        )
        for scene in questions
    }
    return Collection(Questions, kept)


def brief(batch: Batch) -> list[float]:
    """Return a tenth for rollouts of one token."""
    return [0.1 * (n == 1) for n in batch.n_tokens]
