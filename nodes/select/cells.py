"""`select.cells`: a quota for every cell (task x template), drawn at random inside it; nothing need be probed.

Without `progress` cells are equal: the baseline that any feedback has to beat. With it, a share of n stays equal by
cell and the rest follows each cell's learning progress. As candidates, three times what will be trained on, these are
the questions to probe before `select.progress`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from graph.node import node
from nodes.feedback.progress import CellProgress
from nodes.questions.lots import in_turn
from nodes.questions.question import QuestionPool
from nodes.select.drawing import check_enough, others, selected
from nodes.select.shares import by_cell, cell_shares, share_out


class Cells(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `select.cells`."""

    n: Annotated[int, Meta(ge=1, description="questions to select", extra={"unit": "questions"})]
    equal: Annotated[
        float, Meta(ge=0, le=1, description="share of n that is equal by cell; progress rules the rest")
    ] = 0.2
    short: Annotated[
        Literal["fail", "repeat"], Meta(description="fewer than n: fail | take these alone, met several times")
    ] = "fail"


@node("select.cells", version=1)
def cells(
    questions: QuestionPool,
    progress: CellProgress | None,
    without: QuestionPool | None,
    *,
    params: Cells,
    seed: int,
) -> QuestionPool:
    """Return `n` questions by quotas over cells; what a cell lacks the others give. An empty pool stays empty.

    Args:
        progress: learning progress by cell; without it cells are equal.
        without: questions that are not to be drawn, anchors say.
    Raises:
        ValueError: too few with short = "fail".
    """
    rows = others(questions, without)
    if params.short == "fail":
        check_enough("select.cells", len(rows), params.n)
    groups = by_cell(rows)
    wanted = share_out(params.n, cell_shares(groups, progress, params.equal), groups, seed)
    return selected(row for name, group in groups.items() for row in in_turn(group, seed)[: wanted[name]])
