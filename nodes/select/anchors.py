"""`select.anchors`: so many questions of every cell, fixed once and probed in every round, so that `feedback.progress`
sees a change of the policy and not of the questions.

What is learned by heart would count as progress, of random answers too: train on others (`without = "anchors"`).
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from graph.node import node
from nodes.questions.lots import in_turn
from nodes.questions.question import QuestionPool, pool_rows
from nodes.select.drawing import selected
from nodes.select.shares import by_cell


class Anchors(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `select.anchors`."""

    per_cell: Annotated[
        int, Meta(ge=1, description="8, 32 or 96 made no difference on a toy", extra={"unit": "questions"})
    ] = 32


@node("select.anchors", version=1)
def anchors(questions: QuestionPool, *, params: Anchors, seed: int) -> QuestionPool:
    """Return `per_cell` questions of every cell, drawn by the seed; all of them where there are fewer."""
    groups = by_cell(pool_rows(questions))
    return selected(row for group in groups.values() for row in in_turn(group, seed)[: params.per_cell])
