"""`select.majority`: the questions on which a policy agrees with itself neither fully nor hardly; no answer is needed.

Source: R-Zero, arXiv:2508.05004, and VisPlay after it: kept are questions of which a share .3-.8 of the
rollouts give the most frequent answer. Departs: the true answer stays the label; theirs is the majority's.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from graph.node import node
from nodes.probe.probe import Probe
from nodes.questions.question import QuestionPool
from nodes.select.band import SHORT, Bounds, Short, check_bounds, inside


class Majority(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `select.majority`."""

    n: Annotated[int, Meta(ge=1, description="questions to select", extra={"unit": "questions"})]
    low: Annotated[float, Meta(ge=0, le=1, description="lowest share, inclusive (R-Zero)")] = 0.3
    high: Annotated[float, Meta(ge=0, le=1, description="highest share, inclusive (R-Zero)")] = 0.8
    short: Annotated[Short, Meta(description=SHORT)] = "nearest"

    def __post_init__(self) -> None:
        check_bounds(self.low, self.high)


@node("select.majority", version=1)
def majority(probe: Probe, questions: QuestionPool, *, params: Majority, seed: int) -> QuestionPool:
    """Return `n` questions whose majority share lies in the band, as `select.band` does.

    With one rollout a question every share is 1, and nothing lies in the band.
    """
    bounds = Bounds("majority_share", params.low, params.high)
    return inside("select.majority", probe, questions, bounds, params.n, params.short, seed)
