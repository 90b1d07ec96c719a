"""`select.uniform`: questions at random, the arm that every rule is compared with."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from graph.node import node
from nodes.questions.lots import in_turn
from nodes.questions.question import QuestionPool
from nodes.select.drawing import check_enough, others, selected


class Uniform(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `select.uniform`."""

    n: Annotated[int, Meta(ge=1, description="questions to select", extra={"unit": "questions"})]
    short: Annotated[
        Literal["fail", "repeat"], Meta(description="fewer than n: fail | take these alone, met several times")
    ] = "fail"


@node("select.uniform", version=1)
def uniform(questions: QuestionPool, without: QuestionPool | None, *, params: Uniform, seed: int) -> QuestionPool:
    """Return `n` questions that the seed draws, each with the same probability; an empty pool stays empty.

    Args:
        without: questions that are not to be drawn, anchors say.
    Raises:
        ValueError: too few with short = "fail".
    """
    rows = others(questions, without)
    if params.short == "fail":
        check_enough("select.uniform", len(rows), params.n)
    return selected(in_turn(rows, seed)[: params.n])
