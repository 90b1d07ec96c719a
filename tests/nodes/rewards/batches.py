"""Rollouts of one question, as rewards are given them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from nodes.questions.question import Question
from nodes.rewards.reward import Batch

ASKED = Question(
    id="q",
    scene="s",
    place="s",
    split="train",
    frames_digest="",
    frames=(0, 1),
    task="t",
    template="t",
    prompt="?",
    options=("red", "blue"),
    answer="red",
    kind="choice",
    unit="",
    program="",
    margin=1.0,
    chance=0.5,
    terms="",
    features={},
)


def number(answer: str, **fields: str) -> Question:
    return replace(ASKED, kind="number", answer=answer, options=(), **fields)


def choice(answer: str, *options: str, **fields: str) -> Question:
    return replace(ASKED, kind="choice", answer=answer, options=options, **fields)


def traced(question: Question, cells: str) -> Question:
    return replace(question, trace=f"<think><map>{cells}</map> So.</think>\n<answer>{question.answer}</answer>")


def batch(
    question: Question, *texts: str, n_tokens: Sequence[int] | None = None, shuffled: Sequence[str] | None = None
) -> Batch:
    """Return a batch of one group."""
    n = len(texts)
    companions = {} if shuffled is None else {"shuffled": [list(shuffled)] * n}
    return Batch(texts, [question] * n, n_tokens or [1] * n, [0] * n, companions)
