"""The registry of rewards: a name, and the function that it stands for."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeAlias

from nodes.rewards.accuracy import accuracy
from nodes.rewards.format import well_formed

if TYPE_CHECKING:
    from nodes.questions.question import Question

Reward: TypeAlias = "Callable[[str, Question], float]"

REWARDS: dict[str, Reward] = {"accuracy": accuracy, "format": well_formed}


def find_reward(name: str) -> Reward:
    """Return a reward by name. Raises ValueError that names the nearest one."""
    if name in REWARDS:
        return REWARDS[name]
    close = get_close_matches(name, REWARDS, n=1, cutoff=0.3)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"reward {name!r}: expected one of {', '.join(sorted(REWARDS))}{hint}")


def total_reward(names: tuple[str, ...], text: str, question: Question) -> float:
    """Return the sum of the named rewards."""
    return sum(find_reward(name)(text, question) for name in names)
