"""Transcription: 1 less the word error rate of an answer, not below 0. For text that is to be read off a picture.

The rate is the least number of words put in, left out or replaced, over the words of the true answer; words are what
white space separates, as they are written. Source: SpaceR, arXiv:2504.01805.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nodes.rewards.answer import answer_of

if TYPE_CHECKING:
    from nodes.rewards.reward import Batch


def wer(batch: Batch) -> list[float]:
    """Return the score of every rollout, 0..1."""
    return [
        words_right(answer_of(text).split(), question.answer.split())
        for text, question in zip(batch.texts, batch.questions, strict=True)
    ]


def words_right(said: Sequence[str], true: Sequence[str]) -> float:
    """Return 1 - errors / words of the true answer, not below 0."""
    if len(said) >= 2 * len(true):  # as many errors as words at least, without counting them
        return float(list(said) == list(true))
    row = list(range(len(said) + 1))  # errors from the first words of `true` to the first words of `said`
    for count, word in enumerate(true, start=1):
        above, row = row, [count]
        for place, other in enumerate(said):
            row.append(min(above[place] + (word != other), above[place + 1] + 1, row[place] + 1))
    return max(0.0, 1 - row[-1] / len(true))
