"""A policy whose pass rates are known, and an update that raises them: the loop without a model."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from msgspec import Meta, Struct

from graph.node import node
from nodes.policy.policy import Policy
from nodes.policy.scripted import scripted_policy
from nodes.questions.question import QuestionPool, pool_rows
from nodes.update.update import Log, Update


class Rates(Struct, frozen=True, forbid_unknown_fields=True):
    rates: dict[str, float]


@node("scripted.policy", version=1)
def policy(*, params: Rates) -> Policy:
    """Return a policy that is right as often as it is told, by task."""
    return scripted_policy(params.rates)


class Raise(Struct, frozen=True, forbid_unknown_fields=True):
    by: Annotated[float, Meta(ge=0, le=1)] = 0.1


@node("scripted.update", version=1)
def improve(policy: Policy, questions: QuestionPool, *, params: Raise) -> Update:
    """Raise the rate of every task that is asked; what is not asked is not learned."""
    asked = {row.task for row in pool_rows(questions)}
    rates = {task: min(1.0, rate + params.by * (task in asked)) for task, rate in policy.rates.items()}
    places = [*policy.trained_places, *(row.place for row in pool_rows(questions))]
    return Update(scripted_policy(rates, places), Log({"asked": np.array([len(asked)], dtype=np.float64)}))
