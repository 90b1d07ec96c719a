"""SpaceR's accuracy, R_acc: a right answer is worth more by the map beside it, and nothing if that map is worthless.

    answer right (number: MRA > .5), a map in the text    R_acc = accuracy + S_map; 0 if S_map is exactly 0
    else, or the question has no true map                  R_acc = accuracy

S_map, by category: the closest pairs first, each 1 - d / (10 sqrt 2), over the larger of both counts; categories
weighted by how many objects they truly have. Source: SpaceR, arXiv:2504.01805. Departs: the true map holds the
categories that the question names; accuracy is exact or MRA, without the paper's WER, ROUGE and regression for types of
questions that `qa.load` does not take; a map that is no JSON of pairs of numbers is worth 0, where the paper's code
looks for numbers in it.

Known flaw: right counts at random places score .63-.74, so drawing anything pays. `map` is ours without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.rewards.accuracy import accuracy_of
from nodes.rewards.maps import Cell, Map, closeness, map_of, true_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodes.questions.question import Question
    from nodes.rewards.reward import Batch

RIGHT = 0.5  # an accuracy above this is right


def spacer_map(batch: Batch) -> list[float]:
    """Return R_acc of every rollout, 0..2."""
    return [r_acc(text, question) for text, question in zip(batch.texts, batch.questions, strict=True)]


def r_acc(text: str, question: Question) -> float:
    """Return R_acc of a text, 0..2; the module's text defines it."""
    accuracy = accuracy_of(text, question)
    said, true = map_of(text), true_map(question)
    if accuracy <= RIGHT or said is None or not true:
        return accuracy
    score = s_map(said, true)
    return accuracy + score if score > 0 else 0.0


def s_map(said: Map, true: Map) -> float:
    """Return S_map, 0..1; `true` holds a cell at least."""
    total = sum(len(cells) for cells in true.values())
    return sum(len(cells) * _placed(said.get(label, ()), cells) for label, cells in true.items()) / total


def _placed(said: Sequence[Cell], true: Sequence[Cell]) -> float:
    """Return the score of one category: pairs taken greedily, the closest first."""
    pairs = sorted((-closeness(a, b), i, j) for i, a in enumerate(said) for j, b in enumerate(true))
    left_said, left_true, total = set(range(len(said))), set(range(len(true))), 0.0
    for score, i, j in pairs:
        if i in left_said and j in left_true:
            left_said.remove(i)
            left_true.remove(j)
            total -= score
    return total / max(len(said), len(true))
