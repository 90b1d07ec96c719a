"""`select.replay`: a share of a pool replaced by past questions, so that what was learned is not forgotten.

The update rolls them out anew: what an earlier policy said of them is not used. Source: ours (measured on a toy: .86 of
.96 kept with a share of a tenth, .67 without, at no cost in what was new).
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from graph.node import node
from nodes.questions.lots import in_turn
from nodes.questions.question import Question, QuestionPool, Questions, pool_rows
from nodes.select.drawing import selected
from store.collection import Collection


class Replay(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `select.replay`."""

    share: Annotated[float, Meta(ge=0, le=1, description="of the pool, exact to a question")] = 0.1


@node("select.replay", version=1)
def replay(
    questions: QuestionPool,
    past: Collection[Collection[Questions]] | None,
    old: QuestionPool | None,
    *,
    params: Replay,
    seed: int,
) -> QuestionPool:
    """Return the pool, as large as it was, with past questions in a share of it.

    Which go and which come follows from seed and id; none comes twice, and none that the pool has already. Where there
    are fewer past questions than that share, all of them come; where there are none, the pool stays as it is.

    Args:
        past: pools of earlier rounds, `selected[past]`.
        old: what was learned before the loop.
    """
    rows = pool_rows(questions)
    here = {row.id for row in rows}
    there: dict[str, Question] = {}
    for pool in (*(past or {}).values(), *([old] if old is not None else ())):
        there.update((row.id, row) for row in pool_rows(pool) if row.id not in here)
    if not there or not rows:
        return questions
    n = min(round(params.share * len(rows)), len(there))
    return selected([*in_turn(rows, seed)[: len(rows) - n], *in_turn(there.values(), seed)[:n]])
