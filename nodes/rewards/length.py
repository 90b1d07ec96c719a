"""Length: a bonus for right answers that are neither hasty nor endless.

Where two or more rollouts of a group have R_acc > .1, those of them whose tokens are within a band get +.2. Source:
SpaceR, arXiv:2504.01805, with 320..512 tokens of at most 1024. `length_short` is the same share of at most 128, for
policies whose traces have some 30-80 tokens. A band of one's own is a function of two lines in `file.py:function`:

    def mine(batch):
        return in_band(batch, 100, 160)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.rewards.spacer_map import r_acc

if TYPE_CHECKING:
    from nodes.rewards.reward import Batch

BONUS = 0.2
AT_LEAST = 0.1  # R_acc above this takes part
TWO = 2


def length(batch: Batch) -> list[float]:
    """Return SpaceR's length bonus of every rollout."""
    return in_band(batch, 320, 512)


def length_short(batch: Batch) -> list[float]:
    """Return the length bonus of every rollout, for completions of at most 128 tokens."""
    return in_band(batch, 40, 64)


def in_band(batch: Batch, low: int, high: int) -> list[float]:
    """Return .2 for the rollouts of low..high tokens, both included, that are right with another of their group."""
    right = [r_acc(text, question) > AT_LEAST for text, question in zip(batch.texts, batch.questions, strict=True)]
    count: dict[int, int] = {}
    for group, is_right in zip(batch.groups, right, strict=True):
        count[group] = count.get(group, 0) + is_right
    return [
        BONUS if is_right and count[group] >= TWO and low <= n <= high else 0.0
        for is_right, group, n in zip(right, batch.groups, batch.n_tokens, strict=True)
    ]
