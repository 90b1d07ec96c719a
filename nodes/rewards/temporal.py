"""Temporal: a bonus where the order of the frames matters.

Each prompt is rolled out once more with its frames shuffled. Where the group's mean R_acc is at least .8 of theirs,
each of its rollouts with R_acc > .1 gets +.3. Source: SpaceR, arXiv:2504.01805 (half as many shuffled rollouts as
others; their number is the update's). A prompt of one frame has no other order: its group gets nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.rewards.reward import reward
from nodes.rewards.spacer_map import r_acc

if TYPE_CHECKING:
    from nodes.rewards.reward import Batch

BONUS = 0.3
SHARE = 0.8
AT_LEAST = 0.1
_SLACK = 1e-9  # (.7 + .1) / 2 is .39999999999999997, and enough for .8 x .5


@reward(needs=("shuffled",))
def temporal(batch: Batch) -> list[float]:
    """Return the bonus of every rollout: 0 or .3."""
    scores = [r_acc(text, question) for text, question in zip(batch.texts, batch.questions, strict=True)]
    members: dict[int, list[int]] = {}
    for index, group in enumerate(batch.groups):
        members.setdefault(group, []).append(index)
    bonus = [0.0] * len(scores)
    for indices in members.values():
        question, shuffled = batch.questions[indices[0]], batch.companions["shuffled"][indices[0]]
        if len(question.frames) < 2 or not shuffled:
            continue
        theirs = sum(r_acc(text, question) for text in shuffled) / len(shuffled)
        if sum(scores[index] for index in indices) / len(indices) >= SHARE * theirs - _SLACK:
            for index in indices:
                bonus[index] = BONUS if scores[index] > AT_LEAST else 0.0
    return bonus
