"""`eval.answers`: what a policy says to every question of a pool, greedily, kept as it was said.

Scores are made from these, so another scorer never needs another generation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct

from graph.node import Progress, node
from nodes.policy.answers import open_answerer
from nodes.policy.policy import Policy
from nodes.policy.rollout import Rollout
from nodes.questions.question import Question, QuestionPool, pool_rows
from store.artifact import Artifact, Reader, Writer


class Answer(Struct, frozen=True):
    """What was said to one question; `p_answer` is how probable the true answer was, by token."""

    id: str
    text: str
    p_answer: float


class Answers(Artifact):
    """The answers of one policy to one pool, in its order.

    `dropped` says by id why a question was not asked, and its text is empty. `contaminated` names the places of the
    pool that trained the policy.
    """

    type: ClassVar[str] = "answers/1"
    plain: ClassVar[str] = "nodes.plain:write_rows"

    def __init__(
        self,
        rows: Sequence[Answer],
        is_blind: bool,
        dropped: Mapping[str, str] | None = None,
        contaminated: Sequence[str] = (),
    ) -> None:
        self.rows, self.is_blind = list(rows), is_blind
        self.dropped, self.contaminated = dict(dropped or {}), tuple(contaminated)

    def write(self, w: Writer) -> None:
        w.attrs = {
            "is_blind": self.is_blind,
            "dropped": dict(sorted(self.dropped.items())),
            "contaminated": list(self.contaminated),
        }
        w.table("answers", self.rows, Answer)

    @classmethod
    def open(cls, r: Reader) -> Answers:
        return cls(r.table("answers", Answer), r.attrs["is_blind"], r.attrs["dropped"], r.attrs["contaminated"])

    def summary(self) -> dict[str, Any]:
        return {
            "answers": len(self.rows),
            "blind": self.is_blind,
            "not_asked": len(self.dropped),
            "contaminated": len(self.contaminated),
        }


class Answering(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `eval.answers`."""

    rollout: Rollout = Rollout()
    blind: Annotated[bool, Meta(description="ask without pictures: what language alone answers")] = False
    batch: Annotated[int, Meta(ge=1, description="questions put at a time", extra={"unit": "questions"})] = 256
    overlap: Annotated[
        Literal["fail", "stamp"],
        Meta(description="places of the pool that trained the policy: no answers | answers that are told contaminated"),
    ] = "fail"


@node("eval.answers", version=1, packages=("torch", "transformers", "tokenizers", "pillow", "numpy"))
def answer(policy: Policy, questions: QuestionPool, *, params: Answering, progress: Progress | None = None) -> Answers:
    """Return the policy's greedy answers.

    A question whose prompt is longer than the policy's context is answered with nothing, and is told of.

    Raises:
        ValueError: no questions; places in the pool that trained the policy, unless `overlap = "stamp"`.
    """
    rows = pool_rows(questions)
    seen = trained_on(policy, rows)
    if seen and params.overlap == "fail":
        raise ValueError(f'{overlap("eval.answers", seen)}, or overlap = "stamp"')
    if not rows:
        raise ValueError("eval.answers: 0 questions, expected at least 1")
    answerer = open_answerer(policy, params.rollout, params.batch, progress)
    best = answerer.best(rows, None if params.blind else questions)
    said = [Answer(row.id, text, float(p)) for row, text, p in zip(rows, best.texts, best.p_answer, strict=True)]
    return Answers(said, params.blind, best.dropped, seen)


def trained_on(policy: Policy, rows: Sequence[Question]) -> list[str]:
    """Return the places and scenes of questions that trained a policy, sorted."""
    return sorted(set(policy.trained_places) & {name for row in rows for name in (row.place, row.scene) if name})


def overlap(kind: str, seen: Sequence[str]) -> str:
    """Return the line that tells of places that trained the policy."""
    return f"{kind}: {len(seen)} places of the pool trained the policy, the first {seen[0]!r}; expected none"
