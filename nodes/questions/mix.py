"""`pool.mix`: general questions beside spatial ones, so that a policy keeps what it knew.

Source: SpaceR, arXiv:2504.01805, whose SpaceR-151k has 60k general questions beside 91k spatial ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated

from msgspec import Meta, Struct

from graph.node import node
from nodes.questions.question import Question, QuestionPool, pool_of, pool_rows
from nodes.questions.quota import largest_remainder
from store.digest import digest


class Mix(Struct, frozen=True, forbid_unknown_fields=True):
    """How much of which."""

    share: Annotated[float, Meta(ge=0, le=1, description="of general questions; SpaceR's is 60 of 151")] = 0.3974
    n: Annotated[int, Meta(ge=1, description="questions in all; absent: as many as the share allows")] | None = None


@node("pool.mix", version=1)
def mix(spatial: QuestionPool, general: QuestionPool, *, params: Mix, seed: int) -> QuestionPool:
    """Return both kinds of questions in one pool, the share exact to a question, drawn by the seed.

    Which are drawn follows from seed and id alone: one question more in a pool changes one at most.

    Raises:
        ValueError: a pool has too few; an id stands in both.
    """
    rows = {"spatial": pool_rows(spatial), "general": pool_rows(general)}
    both = {row.id for row in rows["spatial"]} & {row.id for row in rows["general"]}
    if both:
        raise ValueError(f"pool.mix: {len(both)} ids stand in both pools, the first {min(both)!r}")
    have = {name: len(group) for name, group in rows.items()}
    n = params.n or largest_total(params.share, have["spatial"], have["general"])
    wanted = split(n, params.share)
    for name in wanted:
        if wanted[name] > have[name]:
            raise ValueError(
                f"pool.mix: {have[name]} {name} questions, expected {wanted[name]}"
                f" for n = {n} and share = {params.share}"
            )
    if not n:
        raise ValueError(f"pool.mix: {have['spatial']} spatial and {have['general']} general questions: no mix of them")
    return pool_of(row for name in wanted for row in _drawn(rows[name], wanted[name], seed))


def split(n: int, share: float) -> dict[str, int]:
    """Return how many of n are spatial and general, by largest remainder; a tie is spatial.

    Example:
        >>> split(10, 0.25)  # 7.5 and 2.5
        {'spatial': 8, 'general': 2}
    """
    exact = Fraction(str(share))
    weights = {"spatial": exact.denominator - exact.numerator, "general": exact.numerator}
    return largest_remainder(n, weights, ["spatial", "general"])


def largest_total(share: float, n_spatial: int, n_general: int) -> int:
    """Return the largest n whose split asks for no more than there are."""
    exact = Fraction(str(share))
    bounds = [
        Fraction(n_general + 1) / exact if exact else None,
        Fraction(n_spatial + 1) / (1 - exact) if exact < 1 else None,
    ]
    n = int(min(bound for bound in bounds if bound is not None)) + 1
    while n and (split(n, share)["general"] > n_general or split(n, share)["spatial"] > n_spatial):
        n -= 1
    return n


def _drawn(rows: Sequence[Question], n: int, seed: int) -> list[Question]:
    """Return n of the rows, in their order."""
    lots = sorted(range(len(rows)), key=lambda index: digest(f"{seed}\n{rows[index].id}".encode()))
    return [rows[index] for index in sorted(lots[:n])]
