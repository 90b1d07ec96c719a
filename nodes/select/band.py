"""`select.band`: the questions that a policy sometimes gets right and sometimes wrong.

A question whose rollouts are all right or all wrong has no advantage to learn from. Bounds are inclusive. Ours are on
the pass rate of the policy that is about to be trained; presets have the measures and bounds of papers:

    dapo       .01-.99 of mean accuracy: DAPO (arXiv:2503.14476) drops groups all 0 or all 1, EasyR1 what lies outside
               these. Both exclude the bounds, which matters where a mean is .01 or .99 itself. They draw again until a
               batch is full; here the pool is larger than n.
    ouroboros  .1-.9 of p_geo: Ouroboros-Spatial, arXiv:2606.11719, its frontier (its paper trains on all questions
               and shows the labels to its proposer).
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, TypeAlias

from msgspec import Meta, Struct

from graph.node import node
from nodes.feedback.probed import measured, probed_rows
from nodes.probe.probe import Probe
from nodes.questions.question import QuestionPool
from nodes.select.drawing import best_first, check_enough, selected

Measure: TypeAlias = Literal["pass_rate", "mean_accuracy", "p_geo", "majority_share"]
Short: TypeAlias = Literal["nearest", "repeat", "fail"]
SHORT = (
    "too few in the band: take those closest to it as well | these alone, met several times by an update whose step"
    " they are enough for | fail"
)


class Bounds(NamedTuple):
    """A band of one measure of the probe, inclusive."""

    by: Measure
    low: float
    high: float


PRESETS = {
    "ours": Bounds("pass_rate", 0.1, 0.9),
    "dapo": Bounds("mean_accuracy", 0.01, 0.99),
    "ouroboros": Bounds("p_geo", 0.1, 0.9),
}


class Band(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `select.band`."""

    n: Annotated[int, Meta(ge=1, description="questions to select", extra={"unit": "questions"})]
    preset: Annotated[Literal["ours", "dapo", "ouroboros"], Meta(description="measure and bounds of a paper")] = "ours"
    by: Annotated[
        Literal["pass_rate", "mean_accuracy", "p_geo"] | None, Meta(description="measure; absent: the preset's")
    ] = None
    low: Annotated[float, Meta(ge=0, le=1, description="lowest, inclusive; absent: the preset's")] | None = None
    high: Annotated[float, Meta(ge=0, le=1, description="highest, inclusive; absent: the preset's")] | None = None
    short: Annotated[Short, Meta(description=SHORT)] = "nearest"

    def __post_init__(self) -> None:
        check_bounds(*self.bounds()[1:])

    def bounds(self) -> Bounds:
        """Return the band, the preset's where nothing else is said."""
        by, low, high = PRESETS[self.preset]
        return Bounds(self.by or by, low if self.low is None else self.low, high if self.high is None else self.high)


@node("select.band", version=2)
def band(probe: Probe, questions: QuestionPool, *, params: Band, seed: int) -> QuestionPool:
    """Return `n` questions whose measure lies in the band, drawn by the seed among them.

    Questions that were not probed cannot be selected and are told as dropped. No question at all stays none.

    Raises:
        ValueError: a probe of another pool, or without the measure; too few in the band with short = "fail", too few
            at all with "nearest".
    """
    return inside("select.band", probe, questions, params.bounds(), params.n, params.short, seed)


def check_bounds(low: float, high: float) -> None:
    """Raise ValueError for a band upside down."""
    if low > high:
        raise ValueError(f"low = {low}: need at most high = {high}")


def inside(
    kind: str, probe: Probe, questions: QuestionPool, bounds: Bounds, n: int, short: Short, seed: int
) -> QuestionPool:
    """Return n questions of a band; `kind` starts the texts of errors."""
    probed, not_probed = probed_rows(probe, questions, kind)
    rows = [row for row, _ in probed]
    distance = [_outside(value, bounds) for value in measured(probed, bounds.by, kind)]
    n_inside = sum(d == 0 for d in distance)
    if short == "nearest":
        check_enough(kind, len(rows), n)
    elif short == "fail" and rows and n_inside < n:
        raise ValueError(
            f"{kind}: {n_inside} of {len(rows)} questions have {bounds.by} in [{bounds.low}, {bounds.high}],"
            f" expected at least n = {n}"
        )
    ranked = best_first(rows, [-d for d in distance], seed)
    return selected(ranked[: n if short == "nearest" else min(n, n_inside)], not_probed)


def _outside(value: float, bounds: Bounds) -> float:
    """Return how far a value lies outside the band, 0 inside; further than all others where it is not known."""
    # Rounded: the distances of 7/8 and 1/8 to a symmetric band are equal, and ties are the seed's.
    return round(max(bounds.low - value, value - bounds.high, 0.0), 9) if value == value else 2.0
