"""Rewards of the tests, some of which keep what they are given, to be looked at."""

from __future__ import annotations

from nodes.rewards.reward import Batch, reward

SEEN: list[Batch] = []


@reward(needs=("shuffled",))
def looks(batch: Batch) -> list[float]:
    SEEN.append(batch)
    return [float(len(text)) for text in batch.texts]


@reward(needs=("shuffled",))
def looks_again(batch: Batch) -> list[float]:
    SEEN.append(batch)
    return [0.0] * len(batch.texts)


def wordy(batch: Batch) -> list[float]:
    """Give a policy that has learned nothing something to learn."""
    return [float(len(text)) for text in batch.texts]


@reward(needs=("shuffled",))
def companions_said(batch: Batch) -> list[float]:
    """Have what companions say change what is learned."""
    both = zip(batch.texts, batch.companions["shuffled"], strict=True)
    return [float(len(text) + sum(map(len, said)) % 7) for text, said in both]
