"""The measures of a probe, each over all questions at once: Q questions, K rollouts of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nodes.questions.question import Question, is_lettered
from nodes.rewards.accuracy import parse_number, plain
from nodes.rewards.answer import answer_of
from nodes.rollouts.judged import each_once

if TYPE_CHECKING:
    import numpy as np


def zero_groups(totals: np.ndarray, group: int) -> np.ndarray:
    """Return P(`group` rollouts of a question have exactly equal rewards).

    Of one of them, the others must all be among the c - 1 rollouts with the same sum: the mean over the K rollouts of
    C(c - 1, G - 1) / C(K - 1, G - 1). That is the share of the subsets of G rollouts that are equal throughout, drawn
    without replacement: unbiased for G new rollouts (a U-statistic). Drawn with replacement it is biased upward: two
    rollouts at p = .5 would say .75 of pairs in the mean, where .5 is true. Equal is equal: no threshold, however near.

    Args:
        totals: (Q, K) each rollout's rewards, summed.
    Returns:
        (Q,) float64; NaN where K < G, of which K rollouts can tell nothing without bias.
    """
    import numpy as np

    k = totals.shape[1]
    if k < group:
        return np.full(len(totals), np.nan)
    all_equal = np.array([math.comb(c - 1, group - 1) / math.comb(k - 1, group - 1) for c in range(1, k + 1)])
    return all_equal[equals(totals) - 1].mean(axis=1)


def variances(values: np.ndarray) -> np.ndarray:
    """Return the variance of each question's K values (Q, K) -> (Q,); exactly 0 where they are equal.

    Three times .7 is not 2.1 in floats, so the mean of three equal numbers may differ from each of them.
    """
    import numpy as np

    return np.where((values == values[:, :1]).all(axis=1), 0.0, values.var(axis=1))


def agreement(answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of each question's most frequent answer and the entropy of its answers, nats: two (Q,).

    The entropy is that of the K answers, plug-in: less than the policy's own, by about (answers - 1) / 2K.

    Args:
        answers: (Q, K) numbers, equal for equal answers.
    """
    import numpy as np

    counts, k = equals(answers), answers.shape[1]
    return counts.max(axis=1, initial=0) / k, np.log(k / counts).mean(axis=1)  # the mean over rollouts weighs by share


def equals(values: np.ndarray) -> np.ndarray:
    """Return (Q, K) int: for each of a question's K values, in ascending order, how many equal it, itself included."""
    import numpy as np

    ranked = np.sort(values, axis=1)
    starts = np.ones(ranked.shape, dtype=bool)  # a run of equal values begins here
    starts[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    runs = starts.ravel().cumsum() - 1
    return np.bincount(runs)[runs].reshape(values.shape)


def answer_codes(questions: list[Question], texts: list[list[str]]) -> np.ndarray:
    """Return (Q, K) int, equal for equal answers: numbers by their value, words but for case and a final dot."""
    import numpy as np

    codes: dict[object, int] = {}
    flat = [codes.setdefault(answer, len(codes)) for answer in each_once(questions, texts, parsed_answer)]
    return np.array(flat, dtype=np.int64).reshape(len(texts), -1 if texts else 1)


def parsed_answer(text: str, question: Question) -> float | str:
    """Return what a text gives as its answer; one that is no number, though asked for one, stands for itself."""
    said = plain(answer_of(text))
    number = parse_number(said) if question.kind == "number" else None
    return said if number is None else number


def answer_probabilities(logprobs: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return p_geo and p_joint of the true answers: two (Q,), NaN where there are no log-probabilities.

    Args:
        logprobs: nats of each answer's tokens and then of its end, an answer after the other.
        counts: (Q,) tokens of each, with the end. An answer of a single one has no end: none is awaited.
    """
    import numpy as np

    each = padded(logprobs, counts, 0.0)  # (Q, longest)
    last = np.where(counts > 1, each[np.arange(len(counts)), np.maximum(counts - 1, 0)], 0.0) if each.size else 0.0
    inside = np.where(counts > 1, counts - 1, counts)
    without_end = np.where(np.arange(each.shape[1]) < inside[:, None], each, 0.0).sum(axis=1)
    with np.errstate(invalid="ignore"):  # 0 / 0 where nothing was measured
        geometric = np.exp(without_end / inside)
    return geometric, np.where(counts > 0, np.exp(without_end + last), np.nan)


def option_probabilities(logprobs: np.ndarray, counts: np.ndarray, questions: Sequence[Question]) -> np.ndarray:
    """Return the softmax over each question's options of the true one (Q,); NaN where its options were not measured.

    Args:
        logprobs: nats of each option as the answer, tokens and end summed, a question's after the other's.
        counts: (Q,) options of each question.
    """
    import numpy as np

    each = padded(logprobs, counts, -np.inf)  # (Q, most options)
    true = np.array([true_option(question) for question in questions], dtype=np.int64)
    found = np.full(len(questions), np.nan)
    known = (true >= 0) & np.isfinite(each.max(axis=1, initial=-np.inf))
    each, true = each[known], true[known]
    weights = np.exp(each - each.max(axis=1, keepdims=True, initial=-np.inf))
    found[known] = weights[np.arange(len(true)), true] / weights.sum(axis=1)
    return found


def true_option(question: Question) -> int:
    """Return the index of the true option, by its letter where options carry letters; -1 if it is none of them."""
    said = [option[0] for option in question.options] if is_lettered(question.options) else list(question.options)
    return said.index(question.answer) if question.answer in said else -1


def mean_probability(logprobs: np.ndarray) -> np.ndarray:
    """Return the mean probability (Q,) over the rollouts that have one: (Q, K) nats, NaN where they have none."""
    import numpy as np

    known = ~np.isnan(logprobs)
    p = np.where(known, np.exp(logprobs), 0.0).sum(axis=1)
    return np.where(known.any(axis=1), p / np.maximum(known.sum(axis=1), 1), np.nan)


def padded(flat: np.ndarray, counts: np.ndarray, fill: float) -> np.ndarray:
    """Return values that stand one row after the other as a (Q, longest) array, rows filled up with `fill`."""
    import numpy as np

    rows = np.full((len(counts), int(counts.max(initial=0))), fill)
    rows[np.arange(rows.shape[1]) < counts[:, None]] = flat
    return rows
