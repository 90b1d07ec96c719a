"""Kept: what a filter leaves of a pool, with what it dropped and why. Who reads a pool reads `kept.questions`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from msgspec import Struct

from nodes.questions.question import Question, QuestionPool, Questions, pool_rows
from store.artifact import Artifact, Reader, Writer
from store.collection import Collection


class Dropped(Struct, frozen=True):
    """One question that was not kept: `reason` is a word to count by, `detail` what was seen; the answer in words."""

    id: str
    scene: str
    task: str
    reason: str
    detail: str
    prompt: str = ""
    answer: str = ""


class Verdict(NamedTuple):
    """Why a question is not kept."""

    reason: str
    detail: str


class Kept(Artifact):
    """A pool after a filter."""

    type: ClassVar[str] = "kept/1"
    plain: ClassVar[str] = "nodes.plain:write_rows"
    parts: ClassVar = {"questions": Collection[Questions]}

    def __init__(self, questions: QuestionPool, dropped: Sequence[Dropped]) -> None:
        self.questions, self.rows = questions, list(dropped)

    def write(self, w: Writer) -> None:
        w.artifact("questions", self.questions)
        w.table("dropped", self.rows, Dropped)

    @classmethod
    def open(cls, r: Reader) -> Kept:
        return cls(r.artifact("questions", Collection[Questions]), r.table("dropped", Dropped))

    def summary(self) -> dict[str, Any]:
        reasons = Counter(row.reason for row in self.rows)
        return {"kept": self.questions.summary(), "dropped": dict(sorted(reasons.items()))}


def keep(pool: QuestionPool, verdicts: Mapping[str, Verdict]) -> Kept:
    """Return a pool without the questions that have a verdict, by id.

    The entry of a scene that loses none is the same artifact as before; one that loses all is empty and stays, so that
    whoever maps over scenes sees it.

    Raises:
        ValueError: an id stands twice in the pool, so that a verdict on one question would be one on both.
    """
    scenes: dict[str, str] = {}
    for row in pool_rows(pool):
        if row.id in scenes:
            where = " and ".join(dict.fromkeys(f"scene {scene!r}" for scene in (scenes[row.id], row.scene)))
            raise ValueError(f"{where}: two questions have the id {row.id!r}, expected each id once in a pool")
        scenes[row.id] = row.scene
    left: dict[str, Questions] = {}
    dropped: list[Dropped] = []
    for scene in pool:
        questions = pool[scene]
        kept = [row for row in questions.rows if row.id not in verdicts]
        is_whole = len(kept) == len(questions.rows)
        left[scene] = questions if is_whole else questions.with_rows(kept)
        dropped += [_dropped(row, verdicts[row.id]) for row in questions.rows if row.id in verdicts]
    return Kept(Collection(Questions, left), dropped)


def spoken(question: Question, option: str | None = None) -> str:
    """Return the answer, or an option, in words: an option's text without its letter."""
    if option is None:
        option = question.answer
        if is_lettered(question):
            option = next((text for text in question.options if text.startswith(f"{question.answer}.")), option)
    return option[2:].strip() if is_lettered(question) else option


def is_lettered(question: Question) -> bool:
    """Tell whether options carry letters (`A. left`), so that the answer is one of them."""
    return bool(question.options) and all(option[1:2] == "." for option in question.options)


def _dropped(row: Question, verdict: Verdict) -> Dropped:
    return Dropped(row.id, row.scene, row.task, *verdict, prompt=row.prompt, answer=spoken(row))
