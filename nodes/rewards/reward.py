"""Rewards by name: `accuracy` in a spec is the entry point of that name in the group `dataflow.reward`.

A reward is a function of a whole batch of rollouts, for some compare those of a group. It gives a number a rollout;
a bad completion is data and scores low. What raises or gives no finite number is a mistake of the reward, and fails in
one line that names it and the question.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, TypeVar

from msgspec import Struct

from graph.node import Named

if TYPE_CHECKING:
    from nodes.questions.question import Question

Companion: TypeAlias = Literal["shuffled"]
"""Further rollouts of the same prompt, changed: `shuffled` shows its frames in another order."""
NEEDS = "__needs__"


class Batch(Struct, frozen=True):
    """N rollouts.

    Attributes:
        texts: what was said, N.
        questions: what was asked, N.
        n_tokens: tokens of each text with its end, N.
        groups: a number a rollout, equal for rollouts of the same prompt, N.
        companions: by name, for each rollout the texts that its prompt's companions said, N lists.
    """

    texts: Sequence[str]
    questions: Sequence[Question]
    n_tokens: Sequence[int]
    groups: Sequence[int]
    companions: Mapping[str, Sequence[Sequence[str]]] = {}


class Reward(Protocol):
    """What each rollout of a batch is worth."""

    def __call__(self, batch: Batch) -> list[float]: ...


R = TypeVar("R", bound=Callable)
Rewards: TypeAlias = tuple[Named[Reward], ...]
ACCURACY: Named[Reward] = Named("accuracy", "nodes.rewards.accuracy:accuracy")


def reward(*, needs: tuple[Companion, ...] = ()) -> Callable[[R], R]:
    """Declare what else must be rolled out before a reward can be given. One that needs nothing needs no decorator."""

    def attach(function: R) -> R:
        setattr(function, NEEDS, needs)
        return function

    return attach


def needs_of(rewards: Sequence[Named[Reward]]) -> tuple[Companion, ...]:
    """Return the companions that some of the rewards need, each once."""
    return tuple(dict.fromkeys(name for named in rewards for name in getattr(named.load(), NEEDS, ())))


def score(named: Named[Reward], batch: Batch) -> list[float]:
    """Return a reward of every rollout.

    Raises:
        ValueError: the reward raised, or gave a number that is not finite, or not one a rollout; the batch lacks
            companions that it needs.
    """
    if lacks := [name for name in needs_of([named]) if name not in batch.companions]:
        raise ValueError(
            f"reward {named.name!r}: needs {', '.join(lacks)} rollouts beside these, which an update alone draws"
        )
    try:
        values = [float(value) for value in named.load()(batch)]
    except Exception as error:
        raise ValueError(f"reward {named.name!r}: {type(error).__name__}: {error}") from error
    if len(values) != len(batch.texts):
        raise ValueError(f"reward {named.name!r}: {len(values)} values, expected {len(batch.texts)}, one a rollout")
    for value, question in zip(values, batch.questions, strict=True):
        if not math.isfinite(value):
            raise ValueError(f"reward {named.name!r}: {value} for question {question.id!r}, expected a finite number")
    return values
