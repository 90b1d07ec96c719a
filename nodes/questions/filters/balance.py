"""`filter.balance`: drop surplus until no answer of a cell, and no position of the right option, is a good guess.

A cell is a task in one wording, with one number k of options. Within it no answer may be right in more than a share of
1/k + slack of the questions, nor may one position. What goes first is fixed by each question alone: the least margin,
equal ones by the digest of their id. How far down that order the cut goes depends on the whole pool: another scene can
drop a few questions more, or fewer, of this one, and never others out of order. Numbers are left as they are: they
have no k, and `filter.blind` measures what guessing them gives.

Answers with fewer than `least` questions are never cut: two of three are no prior.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from graph.node import node
from nodes.questions.kept import Kept, Verdict, is_lettered, keep, spoken
from nodes.questions.question import Question, QuestionPool, pool_rows
from store.digest import digest


class Balance(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `filter.balance`."""

    slack: Annotated[float, Meta(ge=0, le=1, description="share over 1/k that an answer may have")] = 0.05
    least: Annotated[int, Meta(ge=1, description="an answer with fewer stays", extra={"unit": "questions"})] = 5


@node("filter.balance", version=1)
def filter_balance(questions: QuestionPool, *, params: Balance) -> Kept:
    """Drop choice questions until answers and positions are balanced in every cell."""
    cells: dict[tuple[str, str, int], list[Question]] = {}
    for row in pool_rows(questions):
        if row.kind == "choice" and len(row.options) > 1:
            cells.setdefault((row.task, row.template, len(row.options)), []).append(row)
    verdicts: dict[str, Verdict] = {}
    for (_, _, k), rows in sorted(cells.items()):
        verdicts.update(_balance(rows, 1 / k + params.slack, params.least))
    return keep(questions, verdicts)


def _balance(rows: Sequence[Question], share: float, least: int) -> dict[str, Verdict]:
    """Return the verdicts on one cell: the commonest answer or position loses its first until none is too common."""
    order = sorted(rows, key=_weakest_first)
    told = {"position": [_position(row) for row in order], "answer": [_said(row) for row in order]}
    counts = {name: Counter(filter(None, values)) for name, values in told.items()}
    gone: dict[int, Verdict] = {}
    # of each value its rows in order, walked through once: what is gone stays gone
    next_of = {name: _by_value(values) for name, values in told.items()}
    while True:
        n_left = len(order) - len(gone)
        excess, name, value = max(_excess(name, counts[name], share * n_left, least) for name in told)
        if excess <= 0:
            return {order[k].id: verdict for k, verdict in gone.items()}
        k = next(k for k in next_of[name][value] if k not in gone)
        n = counts[name][value]
        gone[k] = Verdict(name, f"{value!r} is right in {n} of {n_left}, expected at most {share:.0%}")
        for other, values in told.items():
            counts[other][values[k]] -= 1


def _by_value(values: Sequence[str]) -> dict[str, Iterator[int]]:
    rows: dict[str, list[int]] = {}
    for k, value in enumerate(values):
        rows.setdefault(value, []).append(k)
    return {value: iter(found) for value, found in rows.items()}


def _excess(name: str, counts: Counter[str], most: float, least: int) -> tuple[float, str, str]:
    """Return by how many questions the commonest value exceeds its share, whose tally it is, and the value."""
    if not counts:
        return 0.0, name, ""
    value, n = min(counts.items(), key=lambda item: (-item[1], item[0]))
    return (n - most if n >= least else 0.0), name, value


def _position(row: Question) -> str:
    """Return where the right option stands: its letter, or for words its number among them as the prompt has them."""
    if is_lettered(row):
        return row.answer
    # yes and no stand nowhere: the order of such words is the task's, the same in every question
    # the longest first, whole words: "tv" stands in "tv stand", and is named elsewhere
    longest_first = "|".join(map(re.escape, sorted(row.options, key=len, reverse=True)))
    named = re.findall(rf"(?<!\w)(?:{longest_first})(?!\w)", row.prompt)
    places = list(dict.fromkeys(named))
    return str(places.index(row.answer)) if len(places) == len(row.options) else ""


def _said(row: Question) -> str:
    return spoken(row).lower()


def _weakest_first(row: Question) -> tuple[float, str]:
    return (row.margin if math.isfinite(row.margin) else -math.inf), digest(row.id.encode())
