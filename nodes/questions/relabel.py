"""`pool.relabel`: wrong or random answers on purpose, for a share of the questions, to see what becomes of learning on
them.

    wrong   never the right one: a choice gets another of its options, a number that of another question in its cell,
            which is not right by MRA .5 where there is such a one. As noise in a pool. With share = 1 this can be
            learned: of two options it is the task turned round, and a policy that knows the task begins below chance
    random  any option alike, any number of the cell, the right one included: nothing but the cell's answers can be
            learned. With share = 1 questions that cannot be answered

What was changed says so to people and tools alone: `features["wrong"]` is 1, or 0 where a random answer happens to be
right, and it has an id of its own. Its program stays, and says otherwise: `qa.verify` drops what is wrong. Its trace,
which ends in the right answer, goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from graph.node import node
from nodes.questions.lots import in_turn, lot
from nodes.questions.question import Question, QuestionPool, cell_of, is_lettered, pool_rows
from nodes.rewards.accuracy import mra
from store.collection import Collection
from store.digest import digest

RIGHT_AT = 0.5


class Relabel(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `pool.relabel`."""

    share: Annotated[float, Meta(ge=0, le=1, description="of the questions, exact to one")]
    answers: Annotated[
        Literal["wrong", "random"],
        Meta(description="wrong: never the right one | random: any one, so that nothing can be learned"),
    ]
    template: Annotated[
        str,
        Meta(description="of relabelled questions, in place of their own: a cell apart; empty: they stay in theirs"),
    ] = ""


@node("pool.relabel", version=1)
def relabel(questions: QuestionPool, *, params: Relabel, seed: int) -> QuestionPool:
    """Return the pool with a share of it relabelled; which questions, and to what, follows from seed and id.

    A question drawn for it that has no other answer in sight (the only number of its cell) is dropped, and told.
    """
    rows = pool_rows(questions)
    drawn = {row.id for row in in_turn(rows, seed)[: round(params.share * len(rows))]}
    numbers: dict[str, list[str]] = {}
    for row in rows:
        if row.kind == "number":
            numbers.setdefault(cell_of(row.task, row.template), []).append(row.answer)
    entries = {}
    for key in questions:
        kept, dropped = [], {}
        for row in questions[key].rows:
            if row.id not in drawn:
                kept.append(row)
                continue
            answers = _answers(row, numbers.get(cell_of(row.task, row.template), ()), params.answers)
            if set(answers) - {row.answer}:
                answer = answers[int(lot(seed, f"answer/{row.id}") * len(answers))]
                kept.append(_relabelled(row, answer, params.template))
            else:
                dropped[row.id] = "no other answer: none is in sight, expected another option or number of its cell"
        entries[key] = questions[key].with_rows(kept, dropped)
    return Collection(questions.item, entries)


def _answers(row: Question, numbers: Sequence[str], how: Literal["wrong", "random"]) -> list[str]:
    """Return the answers that a question may get, sorted; numbers as often as its cell has them."""
    if row.kind == "choice":
        options = [option[0] for option in row.options] if is_lettered(row.options) else row.options
        return sorted({*options} - ({row.answer} if how == "wrong" else set()))
    if how == "random":
        return sorted(numbers)
    others = sorted(answer for answer in numbers if answer != row.answer)
    return [answer for answer in others if mra(float(answer), float(row.answer)) < RIGHT_AT] or others


def _relabelled(row: Question, answer: str, template: str) -> Question:
    return replace(
        row,
        id=f"{row.id}-relabelled-{digest(answer.encode())[:6]}",
        answer=answer,
        template=template or row.template,
        features={**row.features, "wrong": float(answer != row.answer)},
        trace="",
    )
