"""Drawing: how rules of selection order questions by weight and seed, and make the pool of those that they take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from nodes.questions.lots import lot
from nodes.questions.question import Question, QuestionPool, Questions, key_of, pool_rows
from store.collection import Collection

NOT_PROBED = "not probed: no rollouts of it"


def best_first(rows: Sequence[Question], weights: Sequence[float], seed: int) -> list[Question]:
    """Return questions by falling weight; equal ones, to nine decimals, in the order of their lots."""
    order = sorted(zip(rows, weights, strict=True), key=lambda pair: (-round(pair[1], 9), lot(seed, pair[0].id)))
    return [row for row, _ in order]


def by_chance(rows: Sequence[Question], weights: Sequence[float], seed: int) -> list[Question]:
    """Return questions as if drawn one by one without replacement, each time in proportion to weight; those of weight 0
    come last, in the order of their lots.

    Source:
        Efraimidis and Spirakis 2006: the n smallest -ln(u) / w are such a draw of n.
    """

    def key(pair: tuple[Question, float]) -> tuple[float, float]:
        row, weight = pair
        u = lot(seed, row.id)
        return (-math.log(u) / weight if weight > 0 else math.inf, u)

    return [row for row, _ in sorted(zip(rows, weights, strict=True), key=key)]


def others(questions: QuestionPool, without: QuestionPool | None) -> list[Question]:
    """Return the questions of a pool that are not in the other one."""
    left_out = {row.id for row in pool_rows(without)} if without is not None else set()
    return [row for row in pool_rows(questions) if row.id not in left_out]


def check_enough(kind: str, have: int, n: int) -> None:
    """Raise ValueError where there are fewer than n; none at all is no mistake: the policy is then carried."""
    if 0 < have < n:
        raise ValueError(f"{kind}: {have} questions, expected at least n = {n}; short = 'repeat' takes these alone")


def selected(rows: Iterable[Question], not_probed: Sequence[Question] = ()) -> QuestionPool:
    """Return the pool of selected questions, by id within a scene; those that nobody probed are told as dropped."""
    kept: dict[str, list[Question]] = {}
    for row in rows:
        kept.setdefault(key_of(row), []).append(row)
    dropped: dict[str, dict[str, str]] = {}
    for row in not_probed:
        dropped.setdefault(key_of(row), {})[row.id] = NOT_PROBED
    entries = {}
    for key in {**kept, **dropped}:
        entries[key] = Questions(sorted(kept.get(key, ()), key=lambda row: row.id), dropped=dropped.get(key))
    return Collection(Questions, entries)
