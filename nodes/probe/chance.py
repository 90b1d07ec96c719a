"""What a guess is worth: the accuracy that an answer has which nobody had to look for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING

from nodes.questions.question import Question, cell_of
from nodes.rewards.accuracy import mra
from nodes.rollouts.judged import Judged

if TYPE_CHECKING:
    import numpy as np


def guesses(questions: Sequence[Question]) -> list[float]:
    """Return the expected accuracy of a guess at each question of one cell: 1/k of k options; for numbers, for all of
    them the mean MRA of answering the median of their true answers."""
    numbers = [float(question.answer) for question in questions if question.kind == "number"]
    middle = median(numbers) if numbers else 0.0
    worth = sum(mra(middle, number) for number in numbers) / len(numbers) if numbers else 0.0
    return [worth if question.kind == "number" else question.chance for question in questions]


def blind_accuracy(blind: Judged) -> dict[str, float]:
    """Return the mean accuracy of rollouts that were drawn without frames, by cell."""
    cells: dict[str, list[float]] = defaultdict(list)
    for question, accuracy in zip(blind.questions, blind.accuracy.mean(axis=1).tolist(), strict=True):
        cells[cell_of(question.task, question.template)].append(accuracy)
    return {cell: sum(found) / len(found) for cell, found in cells.items()}


def chances(questions: Sequence[Question], blind: Mapping[str, float]) -> np.ndarray:
    """Return the chance of every question (Q,): what a guess is worth, or what was right blind in its cell if more.

    Source: ours; 1/k or the median's MRA alone would let a cell that is answered blind look learned. The blind accuracy
    of a small cell is noisy, and the larger of two is biased upward: 40 blind rollouts of two options, all guessed,
    come to .53 in the mean, not .5.
    """
    import numpy as np

    cells: dict[str, list[int]] = defaultdict(list)
    for index, question in enumerate(questions):
        cells[cell_of(question.task, question.template)].append(index)
    found = np.zeros(len(questions))
    for cell, indices in cells.items():
        found[indices] = np.maximum(guesses([questions[index] for index in indices]), blind.get(cell, 0.0))
    return found
