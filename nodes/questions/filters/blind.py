"""`filter.blind`: drop what language alone answers, measured by asking a policy, and a text model, without frames.

By question, with the base policy and no frames:
    choice  p = its share of the options' probability on the right one, mean over all cyclic orders of the options;
            dropped if (p - 1/k) / (1 - 1/k) > `p_max`. Options that are words of the prompt have its order alone.
    number  dropped if the MRA of its greedy answer is `mra_min` or more, and `mra_gain` or more over that of the
            median answer of its cell.
A policy that loves a word holds it blind wherever it is right, and dropping those leaves a pool in which it is wrong:
`lucky = "keep"` drops choices only in cells where the lower bound of mean (p - 1/k) / (1 - 1/k) is over 0. Ours.

By cell (task x template x k): a text model, cross-fitted by place (text_model.py). Where the lower bound of its
accuracy, 95 %, clustered
by scene, exceeds c + `slack`, the questions that it answers rightly are dropped, the surest first, until its accuracy
on the rest is c + slack: these are the answers that are over-represented for their words. c is 1/k, or for numbers the
MRA of the cell's median.

A question's own verdict depends on the policy and, for numbers, on its cell's median. The cell's verdict depends on the
questions of all scenes; so do the questions it drops.

Source: Ouroboros-Spatial (arXiv:2606.11719) asks its proposer whether language suffices; this measures it, ours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from string import ascii_uppercase
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from graph.node import Progress, node
from nodes.evaluate.intervals import clustered_interval
from nodes.policy.answers import Answerer, open_answerer
from nodes.policy.policy import Policy
from nodes.policy.rollout import Rollout
from nodes.questions.filters.text_model import Guess, cross_fit
from nodes.questions.kept import Kept, Verdict, is_lettered, keep, spoken
from nodes.questions.question import Question, QuestionPool, pool_rows
from nodes.rewards.accuracy import accuracy_of, mra
from store.digest import digest

Cell = tuple[str, str, int]


class Blind(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `filter.blind`."""

    rollout: Rollout = Rollout()
    p_max: Annotated[float, Meta(ge=0, le=1, description="chance-corrected p of a choice, blind")] = 0.5
    mra_min: Annotated[float, Meta(ge=0, le=1, description="MRA of a number, blind, from which it may go")] = 0.8
    mra_gain: Annotated[float, Meta(ge=0, le=1, description="the same, over the MRA of its cell's median")] = 0.3
    lucky: Annotated[
        Literal["drop", "keep"],
        Meta(description="choices of a cell in which the policy, blind, is right no more than chance"),
    ] = "drop"
    slack: Annotated[float, Meta(ge=0, le=1, description="text model's accuracy over chance, by cell")] = 0.05
    cell_min: Annotated[int, Meta(ge=2, description="smaller cells are not judged", extra={"unit": "questions"})] = 30
    folds: Annotated[int, Meta(ge=2, description="of places: none is answered by a text model that saw it")] = 5
    batch: Annotated[int, Meta(ge=1, description="questions put at a time", extra={"unit": "questions"})] = 256


@node("filter.blind", version=1, packages=("torch", "transformers", "tokenizers", "numpy", "scipy"))
def filter_blind(
    policy: Policy | None, questions: QuestionPool, *, params: Blind, progress: Progress | None = None
) -> Kept:
    """Drop questions that a policy answers without frames, and what a text model tells of whole cells.

    Args:
        policy: the base policy; without one, cells alone are judged.
    """
    rows = pool_rows(questions)
    verdicts: dict[str, Verdict] = {}
    if policy is not None:
        answerer = open_answerer(policy, params.rollout, params.batch, progress)
        verdicts |= judge_choices(answerer, [row for row in rows if row.kind == "choice" and row.options], params)
        verdicts |= judge_numbers(answerer, [row for row in rows if row.kind == "number"], params)
    for cell, group in sorted(by_cell(row for row in rows if row.id not in verdicts).items()):
        if len(group) >= params.cell_min and (group[0].kind == "number" or cell[2] > 1):
            verdicts |= judge_cell(group, params)
    return keep(questions, verdicts)


def judge_choices(answerer: Answerer, rows: Sequence[Question], params: Blind) -> dict[str, Verdict]:
    """Return the verdicts on choice questions, by the policy's mean share of the right option."""
    asked = [(row, order) for row in rows for order in cyclic_orders(row)]
    each = [variant for _, order in asked for variant in as_answers(order)]
    p = iter(answerer.best(each, None).p_answer.tolist())
    shares: dict[str, list[float]] = defaultdict(list)
    for row, order in asked:
        by_option = {spoken(order, option): next(p) for option in order.options}
        shares[row.id].append(by_option[spoken(row)] / (sum(by_option.values()) or 1.0))
    over = {row.id: _over_chance(sum(shares[row.id]) / len(shares[row.id]), row) for row in rows}
    verdicts = {}
    for group in by_cell(rows).values():
        known = clustered_interval([over[row.id] for row in group], [row.scene for row in group]).low > 0
        for row in group if known or params.lucky == "drop" else ():
            if over[row.id] > params.p_max:
                told = f"p {sum(shares[row.id]) / len(shares[row.id]):.3f} blind over {len(shares[row.id])} orders"
                told += f", {over[row.id]:.3f} over chance, expected at most {params.p_max:g}"
                verdicts[row.id] = Verdict("blind", told)
    return verdicts


def _over_chance(p: float, row: Question) -> float:
    chance = 1 / len(row.options)
    return (p - chance) / (1 - chance) if chance < 1 else 0.0


def cyclic_orders(row: Question) -> list[Question]:
    """Return a question with its lettered options in every cyclic order; one of words as it is."""
    if not is_lettered(row):
        return [row]
    texts, right = [spoken(row, option) for option in row.options], spoken(row)
    turned = [texts[k:] + texts[:k] for k in range(len(texts))]
    return [
        msgspec.structs.replace(
            row,
            options=tuple(f"{letter}. {text}" for letter, text in zip(ascii_uppercase, order, strict=False)),
            answer=ascii_uppercase[order.index(right)],
        )
        for order in turned
    ]


def as_answers(row: Question) -> list[Question]:
    """Return a question as often as it has options, each of them once as its answer."""
    said = ascii_uppercase[: len(row.options)] if is_lettered(row) else row.options
    return [msgspec.structs.replace(row, answer=answer) for answer in said]


def judge_numbers(answerer: Answerer, rows: Sequence[Question], params: Blind) -> dict[str, Verdict]:
    """Return the verdicts on numbers, by the policy's greedy answers beside the median of their cells."""
    medians = {cell: cell_median(group) for cell, group in by_cell(rows).items()}
    verdicts = {}
    for row, text in zip(rows, answerer.best(rows, None).texts, strict=True):
        blind, plain = accuracy_of(text, row), mra(medians[cell_of(row)], float(row.answer))
        if blind >= params.mra_min and blind - plain >= params.mra_gain - 1e-9:
            verdicts[row.id] = Verdict("blind", f"{text!r} blind, MRA {blind:.1f}; the cell's median {plain:.1f}")
    return verdicts


def judge_cell(rows: Sequence[Question], params: Blind) -> dict[str, Verdict]:
    """Return the verdicts on what a text model answers, if its accuracy on the cell is over chance by the slack."""
    guesses = cross_fit(rows, params.folds)
    if guesses is None:
        return {}
    most = cell_chance(rows) + params.slack
    scores = [guess.accuracy for guess in guesses]
    low = clustered_interval(scores, [row.scene for row in rows]).low
    if low <= most:
        return {}
    # The surest of those that help the mean most go first; equal ones by the digest of their id.
    order = sorted(zip(rows, guesses, strict=True), key=_surest_first)
    told = f"text model {sum(scores) / len(scores):.2f} on {len(rows)}, expected at most {most:.2f}"
    total, left, verdicts = sum(scores), len(rows), {}
    for row, guess in order:
        if left <= 1 or total / left <= most or guess.accuracy <= most:
            break
        total, left = total - guess.accuracy, left - 1
        verdicts[row.id] = Verdict("text", told)
    return verdicts


def _surest_first(pair: tuple[Question, Guess]) -> tuple[float, float, str]:
    row, guess = pair
    return -guess.accuracy, -guess.confidence, digest(row.id.encode())


def cell_of(row: Question) -> Cell:
    """Return the cell of a question: task, template, number of options."""
    return row.task, row.template, len(row.options)


def by_cell(rows: Iterable[Question]) -> Mapping[Cell, list[Question]]:
    """Return questions by cell."""
    cells: dict[Cell, list[Question]] = defaultdict(list)
    for row in rows:
        cells[cell_of(row)].append(row)
    return cells


def cell_chance(rows: Sequence[Question]) -> float:
    """Return what a guess is worth in a cell: 1/k, or for numbers the mean MRA of the cell's median."""
    if rows[0].kind == "choice":
        return 1 / len(rows[0].options)
    middle = cell_median(rows)
    return sum(mra(middle, float(row.answer)) for row in rows) / len(rows)


def cell_median(rows: Sequence[Question]) -> float:
    """Return the median answer of a cell of numbers."""
    return float(median(float(row.answer) for row in rows))
