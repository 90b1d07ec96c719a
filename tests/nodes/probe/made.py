"""Questions and rollouts written by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nodes.questions.question import Question
from nodes.rollouts.rollouts import Asked, Drawn, Rollouts
from tests.nodes.questions.filters.test_filters import question


def number(id: str, answer: str, **facts: Any) -> Question:
    return question(id, **{"kind": "number", "answer": answer, "options": (), "task": "gap", **facts})


def said(
    texts: Mapping[str, Sequence[str]],
    rows: Sequence[Question],
    answers: Sequence[Sequence[float]] | None = None,
    options: Sequence[Sequence[float]] | None = None,
    is_blind: bool = False,
    **given: Any,
) -> Rollouts:
    """Return the rollouts of some questions: what was said by id, the probabilities (not their logarithms) of each true
    answer's tokens and end, and of each option. One token a rollout, of probability 1/2, unless `given`."""
    k = len(next(iter(texts.values()))) if texts else 1
    known = {row.id: row for row in rows}
    asked = [known[id] for id in texts]
    forced = answers if answers is not None else [[0.5]] * len(asked)
    weighed = options if options is not None else [[np.nan] * len(row.options) for row in asked]
    shape = (len(asked), k)
    arrays: dict[str, Any] = {
        "n_tokens": np.ones(shape, dtype=np.int32),
        "truncated": np.zeros(shape, dtype=bool),
        "logprobs": np.full(len(asked) * k, np.log(0.5)),
        "answer_logprobs": _log(p for tokens in forced for p in tokens),
        "option_logprobs": _log(p for each in weighed for p in each),
        "thought_logprobs": np.full(shape, np.nan),
    }
    drawn = Drawn([list(each) for each in texts.values()], **{**arrays, **given})
    facts = [Asked(row.id, 1, len(tokens), len(row.options)) for row, tokens in zip(asked, forced, strict=True)]
    return Rollouts(facts, k, drawn, is_blind=is_blind)


def _log(values: Iterable[float]) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(np.array(list(values)))
