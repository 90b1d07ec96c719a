"""Rewards by name: `accuracy` in a spec is the entry point of that name in the group `dataflow.reward`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from graph.node import Named

if TYPE_CHECKING:
    from nodes.questions.question import Question


class Reward(Protocol):
    """What a text is worth as the answer to a question."""

    def __call__(self, text: str, question: Question) -> float: ...


ACCURACY: Named[Reward] = Named("accuracy", "nodes.rewards.accuracy:accuracy")


def total_reward(rewards: Iterable[Reward], text: str, question: Question) -> float:
    """Return the sum of rewards."""
    return sum(reward(text, question) for reward in rewards)
