"""What the words of questions alone tell of their answers: a small model, cross-fitted by scene.

A choice is a softmax over its options, each scored by its place among them, by its words, as a whole, and beside each
word of the prompt. A number is a ridge regression of its logarithm
on the words of the prompt. Every scene is answered by a model that was fitted on other scenes; which fold a scene
belongs to is a function of its place's name alone. Ours; it knows no language, so what it finds is a lower bound on
what language gives away.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from nodes.questions.kept import spoken
from nodes.rewards.accuracy import mra
from store.digest import digest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix

    from nodes.questions.question import Question

    Floats = NDArray[np.float64]

RIDGE = 1.0  # L2 weight, in questions
ITERATIONS = 60
_WORD = re.compile(r"[^\W_]+")


class Guess(NamedTuple):
    """What the model makes of one question: how right it is (0 or 1; MRA for numbers), and how sure (0..1)."""

    accuracy: float
    confidence: float


def cross_fit(rows: Sequence[Question], folds: int) -> list[Guess] | None:
    """Answer the questions of one cell, all of one kind, each by a model of the other folds' places.

    Returns:
        A guess a question; None where all places fall into one fold.
    """
    import numpy as np

    fold = np.array([int(digest(f"fold/{row.place or row.scene}".encode())[:8], 16) % folds for row in rows])
    if len(set(fold.tolist())) < 2:
        return None
    known = _choice_features(rows) if rows[0].kind == "choice" else None
    guesses: dict[int, Guess] = {}
    for k in sorted(set(fold.tolist())):
        train, test = np.flatnonzero(fold != k).tolist(), np.flatnonzero(fold == k).tolist()
        if known is None:
            found = _numbers([rows[i] for i in train], [rows[i] for i in test])
        else:
            found = _choices(known, train, test)
        guesses.update(zip(test, found, strict=True))
    return [guesses[i] for i in range(len(rows))]


class _Choices(NamedTuple):
    """Q questions as numbers: `X` (sum of k, features), sparse; question i has rows starts[i] to starts[i + 1], of
    which right[i] is right."""

    X: csr_matrix
    starts: NDArray[np.int64]
    right: NDArray[np.int64]


def _choices(known: _Choices, train: Sequence[int], test: Sequence[int]) -> list[Guess]:
    weights = _fit_softmax(known, train)
    guesses = []
    for i in test:
        p = _softmax(known.X[known.starts[i] : known.starts[i + 1]] @ weights)  # (k,)
        best = int(p.argmax())
        guesses.append(Guess(float(known.starts[i] + best == known.right[i]), float(p[best])))
    return guesses


def _fit_softmax(known: _Choices, chosen: Sequence[int]) -> Floats:
    """Return the weights of the conditional logit with L2, fitted on the chosen questions by L-BFGS."""
    import numpy as np
    from scipy.optimize import minimize

    sizes = np.diff(known.starts)[list(chosen)]
    rows = np.concatenate([np.arange(known.starts[i], known.starts[i + 1]) for i in chosen])
    X, group = known.X[rows], np.repeat(np.arange(len(chosen)), sizes)
    Xt = X.T.tocsr()
    right = np.isin(rows, known.right[list(chosen)]).astype(float)

    def loss(w: Floats) -> tuple[float, Floats]:
        scores = X @ w
        top = np.full(len(chosen), -np.inf)
        np.maximum.at(top, group, scores)
        e = np.exp(scores - top[group])
        p = e / np.bincount(group, weights=e)[group]
        fit = -float(np.log(np.maximum(p[right == 1], 1e-300)).sum())
        return fit + RIDGE / 2 * float(w @ w), Xt @ (p - right) + RIDGE * w

    return minimize(loss, np.zeros(X.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS}).x


def _choice_features(rows: Sequence[Question]) -> _Choices:
    """Return an option's features: its place, its text, its words, and its text beside each word of the prompt."""
    import numpy as np
    from scipy.sparse import csr_matrix

    column: dict[str, int] = {}
    columns: list[int] = []
    ends, starts, right = [0], [0], []
    for row in rows:
        texts = [spoken(row, option).lower() for option in row.options]
        prompt = set(words(row.prompt))
        right.append(starts[-1] + texts.index(spoken(row).lower()))
        for place, text in enumerate(texts):
            names = [f"at {place}", f"is {text}", *(f"has {word}" for word in set(words(text)))]
            names += [f"{word} for {text}" for word in prompt]
            columns += sorted({column.setdefault(name, len(column)) for name in sorted(names)})
            ends.append(len(columns))
        starts.append(starts[-1] + len(texts))
    X = csr_matrix((np.ones(len(columns)), columns, ends), shape=(starts[-1], len(column)))
    return _Choices(X, np.array(starts), np.array(right))


def _numbers(train: Sequence[Question], test: Sequence[Question]) -> list[Guess]:
    import numpy as np

    known = sorted({word for row in train for word in words(row.prompt)})
    column = {word: k + 1 for k, word in enumerate(known)}
    X, goal = _word_matrix(train, column), np.array([_log(float(row.answer)) for row in train])
    mean = float(goal.mean())
    penalty = RIDGE * np.eye(X.shape[1])
    w = np.linalg.solve(X.T @ X + penalty, X.T @ (goal - mean))
    said = np.sinh(_word_matrix(test, column) @ w + mean)
    scores = [mra(float(value), float(row.answer)) for value, row in zip(said, test, strict=True)]
    return [Guess(score, score) for score in scores]


def _word_matrix(rows: Sequence[Question], column: dict[str, int]) -> Floats:
    """Return (Q, 1 + words): 1, then which words a prompt has; words that nobody trained on count for nothing."""
    import numpy as np

    X = np.zeros((len(rows), 1 + len(column)))
    X[:, 0] = 1
    for i, row in enumerate(rows):
        X[i, [column[word] for word in words(row.prompt) if word in column]] = 1
    return X


def _log(value: float) -> float:
    return math.asinh(value)  # a logarithm that knows 0 and what is below it


def _softmax(scores: Floats) -> Floats:
    import numpy as np

    e = np.exp(scores - scores.max())
    return e / e.sum()


def words(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return _WORD.findall(text.lower())
