"""`pool.union`: up to four pools as one, as real ones are: partly mastered, partly to be learned, partly hopeless."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from graph.node import node
from nodes.questions.question import Question, QuestionPool, pool_of, pool_rows


class Union(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `pool.union`."""

    names: Annotated[
        tuple[str, ...],
        Meta(description="by pool, added to the template of its questions, so that each has cells of its own"),
    ] = ()


@node("pool.union", version=1)
def union(
    first: QuestionPool,
    second: QuestionPool | None,
    third: QuestionPool | None,
    fourth: QuestionPool | None,
    *,
    params: Union,
) -> QuestionPool:
    """Return all questions of the pools.

    Raises:
        ValueError: not as many names as pools; an id stands in two.
    """
    pools = [pool for pool in (first, second, third, fourth) if pool is not None]
    if params.names and len(params.names) != len(pools):
        raise ValueError(f"pool.union: names = {list(params.names)}, expected {len(pools)}, one a pool")
    seen: set[str] = set()
    rows = []
    for pool, name in zip(pools, params.names or [""] * len(pools)):
        own = pool_rows(pool)
        both = seen & {row.id for row in own}
        if both:
            raise ValueError(f"pool.union: {len(both)} ids stand in two pools, the first {min(both)!r}")
        seen |= {row.id for row in own}
        rows += [_named(row, name) for row in own]
    return pool_of(rows)


def _named(row: Question, name: str) -> Question:
    if not name:
        return row
    return replace(row, template=name if row.template == row.task else f"{row.template}/{name}")
