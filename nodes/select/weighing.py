"""Weighing: n questions by a weight that a rule gives to each, the heaviest or by chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from nodes.feedback.probed import Probed, probed_rows
from nodes.probe.probe import Probe
from nodes.questions.question import Question, QuestionPool
from nodes.select.drawing import check_enough, selected

Order: TypeAlias = Callable[[Sequence[Question], Sequence[float], int], list[Question]]


class Weighing(Struct, frozen=True, forbid_unknown_fields=True):
    """Params that all rules share which weigh questions."""

    n: Annotated[int, Meta(ge=1, description="questions to select", extra={"unit": "questions"})]
    short: Annotated[
        Literal["fill", "repeat", "fail"],
        Meta(description="too few weigh more than 0: others at random as well | these alone, met several times | fail"),
    ] = "fill"


def weigh(
    kind: str,
    probe: Probe,
    questions: QuestionPool,
    weights_of: Callable[[Sequence[Probed]], Sequence[float]],
    order: Order,
    params: Weighing,
    seed: int,
) -> QuestionPool:
    """Return `n` questions in the order that their weights and the seed give.

    Args:
        weights_of: gives every probed question a weight of 0 or more.
        order: `best_first`, or `by_chance`.
    Raises:
        ValueError: a probe of another pool; too few above 0 with short = "fail", too few at all with "fill".
    """
    probed, not_probed = probed_rows(probe, questions, kind)
    weights = [round(weight, 9) if weight == weight else 0.0 for weight in weights_of(probed)]
    n_above = sum(weight > 0 for weight in weights)
    if params.short == "fill":
        check_enough(kind, len(probed), params.n)
    elif params.short == "fail" and probed and n_above < params.n:
        raise ValueError(
            f"{kind}: {n_above} of {len(probed)} questions weigh more than 0, expected at least n = {params.n}"
        )
    ranked = order([row for row, _ in probed], weights, seed)
    return selected(ranked[: params.n if params.short == "fill" else min(params.n, n_above)], not_probed)
