"""Judged: rollouts beside the questions that they answer, each with its accuracy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from nodes.questions.question import Question, QuestionPool, pool_rows
from nodes.rewards.accuracy import accuracy_of, is_right
from nodes.rollouts.rollouts import Rollouts

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")


class Judged(NamedTuple):
    """Q questions that were asked, in the rollouts' order, and the K rollouts of each."""

    questions: list[Question]
    texts: list[list[str]]  # (Q, K)
    accuracy: np.ndarray  # (Q, K) float64, 0..1; MRA for numbers
    right: np.ndarray  # (Q, K) bool


def judge(rollouts: Rollouts, questions: QuestionPool, right_at: float) -> Judged:
    """Return the rollouts with their accuracy; a number counts as right from an MRA of `right_at`.

    Raises:
        ValueError: rollouts of a question that the pool has not, or has twice, or with other options.
    """
    import numpy as np

    rows, texts = asked_rows(rollouts, questions), rollouts.drawn().texts
    shape = (len(rows), rollouts.samples)
    scores = each_once(rows, texts, lambda text, row: (accuracy_of(text, row), is_right(text, row, right_at)))
    judged = np.array(scores, dtype=np.float64).reshape(*shape, 2)
    return Judged(rows, texts, judged[..., 0], judged[..., 1] == 1)


def asked_rows(rollouts: Rollouts, questions: QuestionPool) -> list[Question]:
    """Return the questions that rollouts were drawn of, in their order. Raises ValueError as `judge` does."""
    known: dict[str, Question] = {}
    for row in pool_rows(questions):
        if row.id in known:
            raise ValueError(f"two questions have the id {row.id!r}, expected each id once in a pool")
        known[row.id] = row
    for asked in rollouts.rows:
        if asked.id not in known:
            raise ValueError(f"rollouts of question {asked.id!r}, which is not in the pool of {len(known)} questions")
        if asked.n_options != len(known[asked.id].options):
            raise ValueError(
                f"question {asked.id!r} was asked with {asked.n_options} options and has"
                f" {len(known[asked.id].options)} in the pool, expected the pool that the rollouts were drawn of"
            )
    return [known[asked.id] for asked in rollouts.rows]


def each_once(rows: list[Question], texts: list[list[str]], of: Callable[[str, Question], T]) -> list[T]:
    """Return `of` of every rollout, flat; a question's equal texts, most of them at low temperature, are read once."""
    found: list[T] = []
    for row, said in zip(rows, texts, strict=True):
        known = {text: of(text, row) for text in set(said)}
        found += [known[text] for text in said]
    return found
