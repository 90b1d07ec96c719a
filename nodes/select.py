"""Selection: the questions of a pool that a policy sometimes gets right and sometimes wrong.

A question whose rollouts are all right or all wrong has no advantage to learn from. Departs from the papers that
select by confidence: the band is on `pass_rate`, measured by the policy that is about to be trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from graph.node import node
from nodes.probe import Probe
from nodes.questions.question import QuestionPool, pool_of, pool_rows


class Band(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `select.band`."""

    low: Annotated[float, Meta(ge=0, le=1, description="lowest pass rate, inclusive")] = 0.1
    high: Annotated[float, Meta(ge=0, le=1, description="highest pass rate, inclusive")] = 0.9
    n: Annotated[int, Meta(ge=1, description="questions to select", extra={"unit": "questions"})] = 512
    short: Annotated[
        Literal["nearest", "repeat", "fail"],
        Meta(
            description="too few in the band: take those closest to it as well | these alone, met several times | fail"
        ),
    ] = "nearest"

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"low = {self.low}: need at most high = {self.high}")


@node("select.band", version=1, packages=("numpy",))
def band(probe: Probe, questions: QuestionPool, *, params: Band, seed: int) -> QuestionPool:
    """Return `n` questions whose pass rate lies in the band, drawn by the seed among them.

    Raises:
        ValueError: a question that was not probed; too few in the band with short = "fail"; none with "repeat".
    """
    rows = pool_rows(questions)
    rates = {row.id: row.pass_rate for row in probe.rows}
    lacking = [row.id for row in rows if row.id not in rates]
    if lacking:
        raise ValueError(f"select.band: {len(lacking)} of {len(rows)} questions not probed, the first {lacking[0]!r}")
    distance = [_outside(rates[row.id], params) for row in rows]
    inside = sum(d == 0 for d in distance)
    if inside < params.n and (params.short == "fail" or (params.short == "repeat" and not inside)):
        raise ValueError(
            f"select.band: {inside} of {len(rows)} questions have a pass rate in [{params.low}, {params.high}],"
            f" expected at least {params.n if params.short == 'fail' else 1}"
        )
    ranked = _ranked(distance, seed)
    kept = ranked[: params.n] if params.short == "nearest" else ranked[: min(params.n, inside)]
    return pool_of(rows[index] for index in sorted(kept))


def _outside(rate: float, params: Band) -> float:
    """Return how far a pass rate lies outside the band, 0 inside."""
    # Rounded: the distances of 7/8 and 1/8 to a symmetric band are equal, and ties are the seed's.
    return round(max(params.low - rate, rate - params.high, 0.0), 9)


def _ranked(distance: Sequence[float], seed: int) -> list[int]:
    """Return indices by distance; equal ones in an order that the seed draws."""
    import numpy as np

    tie = np.random.Generator(np.random.PCG64(seed)).permutation(len(distance))
    order: list[int] = np.lexsort((tie, np.asarray(distance))).tolist()
    return order
