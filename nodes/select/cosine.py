"""`select.cosine`: questions by a weight of their accuracy p that suits a stage of a curriculum.

    all   cos((p - .5) pi), 1 at one half, 0 where all are right or all wrong
    easy  the same below one half, 1 above it
    hard  1 below one half and .25 where none is right, the same above it

Source: VL-Cogito, arXiv:2507.22607, whose stages are easy, all (there: medium) and hard, one after the other. Departs:
there the weight multiplies advantages; here it weighs questions in a draw without replacement.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from graph.node import node
from nodes.feedback.probed import Probed
from nodes.probe.probe import Probe
from nodes.questions.question import QuestionPool
from nodes.select.drawing import by_chance
from nodes.select.weighing import Weighing, weigh

Stage: TypeAlias = Literal["easy", "all", "hard"]


class Cosine(Weighing, frozen=True, forbid_unknown_fields=True):
    """Params of `select.cosine`; `[rounds.3.nodes.selected.params]` sets another stage from one round to the next."""

    stage: Annotated[Stage, Meta(description="of the curriculum (VL-Cogito)")] = "all"


@node("select.cosine", version=1)
def cosine(probe: Probe, questions: QuestionPool, *, params: Cosine, seed: int) -> QuestionPool:
    """Return `n` questions, drawn in proportion to the weight of their mean accuracy."""

    def weights(probed: Sequence[Probed]) -> list[float]:
        return [cosine_weight(row.mean_accuracy, params.stage) for _, row in probed]

    return weigh("select.cosine", probe, questions, weights, by_chance, params, seed)


def cosine_weight(p: float, stage: Stage) -> float:
    """Return the weight of an accuracy, 0..1."""
    if stage == "easy" and p >= 0.5:
        return 1.0
    if stage == "hard" and p < 0.5:
        return 1.0 if p > 0 else 0.25
    return math.cos((p - 0.5) * math.pi)
