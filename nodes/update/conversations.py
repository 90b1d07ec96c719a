"""Conversations: the questions that show the same frames, together as far as the policy's context goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

if TYPE_CHECKING:
    from nodes.questions.question import Question
    from nodes.update.lengths import Lengths

MARKS = 2  # tokens around what is said: the end, and white space after it in some templates


class Talk(NamedTuple):
    """Questions on the same frames, in the order in which they are asked; `n_tokens` with pictures and answers."""

    rows: list[Question]
    n_tokens: int


def conversations(
    rows: Sequence[Question], targets: Sequence[str], turns: int, seed: int, lengths: Lengths, context: int
) -> tuple[list[Talk], int]:
    """Group questions that show the same frames, at most `turns` together, in an order that the seed shuffles.

    The shuffle is within a picture: else all pictures would ask their tasks in the same order, and the policy could
    learn the order in place of the question. A conversation ends where the next turn would leave the context.

    Args:
        targets: what is to be said to each question.
    Returns:
        the conversations, and how many questions are too long for the context alone.
    """
    import numpy as np

    words = lengths.of_words(rows)
    said = lengths.of_texts(targets)
    by_picture: dict[tuple[object, ...], list[int]] = {}
    for index, row in enumerate(rows):  # what shows nothing has nothing in common
        key = (row.scene, row.frames_digest, row.frames) if row.frames else (row.id,)
        by_picture.setdefault(key, []).append(index)
    rng = np.random.Generator(np.random.PCG64(seed))
    talks: list[Talk] = []
    for group in by_picture.values():
        row, n_words = rows[group[0]], words[group[0]]
        first, further = lengths.beside(row, n_words), lengths.beside(replace(row, frames=()), n_words)
        order = [group[place] for place in rng.permutation(len(group)).tolist()]
        talks += _split([(rows[i], words[i] + said[i] + MARKS) for i in order], (first, further), turns, context)
    return talks, len(rows) - sum(len(talk.rows) for talk in talks)


def _split(asked: Sequence[tuple[Question, int]], beside: tuple[int, int], turns: int, context: int) -> list[Talk]:
    """Return conversations of a picture's questions, each given with the tokens of its words and its answer.

    Args:
        beside: tokens that come with the first turn, pictures included, and at most with every further one.
    """
    talks: list[Talk] = []
    for row, n_tokens in asked:
        last = talks[-1] if talks else None
        if last is not None and len(last.rows) < turns and last.n_tokens + beside[1] + n_tokens <= context:
            talks[-1] = Talk([*last.rows, row], last.n_tokens + beside[1] + n_tokens)
        elif beside[0] + n_tokens <= context:
            talks.append(Talk([row], beside[0] + n_tokens))
    return talks
