"""`qa.agreement`: official questions answered from geometry alone, beside the official answers.

Each question is turned into the program that our templates would emit for it, and the program's value is compared with
the published answer: options by their text, numbers as they are printed. Distances follow VSI-Bench's sampling rule.
Types that geometry without a recording cannot answer (appearance order, routes that people wrote) are left out, as are
questions on rooms that are not listed.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, ClassVar

from msgspec import Struct

from graph.node import node
from nodes.questions.programs.facts import Facts, facts_of
from nodes.questions.programs.program import Outcome, answer_text, run_programs
from nodes.questions.thresholds import Thresholds
from nodes.questions.view import SceneView
from nodes.questions.vsibench.names import resolve
from nodes.questions.vsibench.official import Official, OfficialQuestion
from nodes.questions.wording import WORDINGS
from nodes.scenes.scene import Scene
from store.artifact import Artifact, Reader, Writer
from store.collection import Collection

# By type, the program whose value is the answer; names are those of the wording's gaps.
PROGRAMS: dict[str, Callable[..., str]] = {
    "object_counting": lambda a: f"count({a!r})",
    "object_size_estimation": lambda a: f"round(100 * longest_side({a!r}))",
    "room_size_estimation": lambda: "round(room_size(), 1)",
    "object_abs_distance": lambda a, b: f"round(distance({a!r}, {b!r}), 1)",
    "object_rel_distance": lambda a, options: f"closest({a!r}, {', '.join(map(repr, options))})",
    **{
        f"object_rel_direction_{level}": lambda stand, face, query, level=level: (
            f"direction({stand!r}, {face!r}, {query!r}, {level!r})"
        )
        for level in ("easy", "medium", "hard")
    },
}


class Answered(Struct, frozen=True):
    """One official question with our answer: `said` is empty where there is none, and `why` says so."""

    id: int
    scene: str
    question_type: str
    program: str
    said: str
    official: str
    agrees: bool
    why: str


class Agreement(Artifact):
    """How many official answers geometry gives, question by question."""

    type: ClassVar[str] = "agreement/1"
    plain: ClassVar[str] = "nodes.plain:write_rows"

    def __init__(self, rows: Sequence[Answered]) -> None:
        self.rows = list(rows)

    def write(self, w: Writer) -> None:
        w.table("agreement", self.rows, Answered)

    @classmethod
    def open(cls, r: Reader) -> Agreement:
        return cls(r.table("agreement", Answered))

    def summary(self) -> dict[str, Any]:
        n = Counter(row.question_type for row in self.rows)
        agree = Counter(row.question_type for row in self.rows if row.agrees)
        return {name: {"n": n[name], "agree": agree[name]} for name in PROGRAMS if n[name]}


@node("qa.agreement", version=1, packages=("pydantic-monty", "numpy", "scipy"), depends=["../programs/api/*.py"])
def agreement(scenes: Collection[Scene], official: Official) -> Agreement:
    """Answer every official question of a type that geometry answers, on the rooms that are there."""
    by_scene: dict[str, list[OfficialQuestion]] = {}
    for row in official.rows:
        if row.question_type in PROGRAMS and row.scene in scenes:
            by_scene.setdefault(row.scene, []).append(row)
    answered = (row for name, rows in by_scene.items() for row in _answer(scenes[name], rows))
    return Agreement(sorted(answered, key=lambda row: row.id))


def _answer(scene: Scene, rows: Sequence[OfficialQuestion]) -> Iterator[Answered]:
    """Yield the questions on one scene, answered."""
    programs = [_program(row, [*scene.labels, *scene.counts]) for row in rows]
    known = [program for program in programs if not isinstance(program, ValueError)]
    view = SceneView(scene, Thresholds(), rule="vsi")
    outcomes = iter(_outcomes(facts_of(view, known), known))
    for row, program in zip(rows, programs, strict=True):
        official = _option(row)
        if isinstance(program, ValueError):
            yield Answered(row.id, row.scene, row.question_type, "", "", official, False, str(program))
            continue
        said, why = _said(next(outcomes))
        agrees = bool(said) and _equal(said, official, row, scene)
        yield Answered(row.id, row.scene, row.question_type, program, said, official, agrees, why)


def _outcomes(facts: Facts, programs: Sequence[str]) -> list[Outcome]:
    """Run programs as the published answers were made: counts are the source's own, also where its boxes are more or
    fewer, and elsewhere nobody compared the two."""
    counted = {**facts, "groups": {name: [0] * number for name, number in facts.get("counts", {}).items()}}
    is_count = [program.startswith("count(") for program in programs]
    by_count = iter(run_programs(counted, [program for program, yes in zip(programs, is_count) if yes]))
    others = iter(
        run_programs({**facts, "counts": {}}, [program for program, yes in zip(programs, is_count) if not yes])
    )
    return [next(by_count if yes else others) for yes in is_count]


def _said(outcome: Outcome) -> tuple[str, str]:
    return ("", f"{outcome.reason}: {outcome.detail}") if outcome.value is None else (answer_text(outcome.value), "")


def _equal(said: str, official: str, row: OfficialQuestion, scene: Scene) -> bool:
    """Tell whether an answer is the official one: as printed for numbers, by what it names for options."""
    if not row.options:
        with contextlib.suppress(ValueError):
            return float(said) == float(official)
    return said == official or said == resolve(official, [*scene.labels, *scene.counts])


def _option(row: OfficialQuestion) -> str:
    """Return the text of the right option, or the number."""
    chosen = (text for text in row.options if text.partition(".")[0].strip() == row.ground_truth)
    return next((text.partition(".")[2].strip() for text in chosen), row.ground_truth)


def _program(row: OfficialQuestion, labels: Sequence[str]) -> str | ValueError:
    """Return the program that answers a question; what is wrong with it where there is none."""
    found = _pattern(row.question_type).search(" ".join(row.question.split()))
    if found is None:
        return ValueError(f"wording: {row.question!r}")
    gaps: dict[str, Any] = found.groupdict()
    if "options" in gaps:
        gaps["options"] = [text.partition(".")[2].strip() for text in row.options]
    meant = {
        gap: [resolve(name, labels) for name in ([said] if isinstance(said, str) else said)]
        for gap, said in gaps.items()
    }
    for gap, found_labels in meant.items():
        if None in found_labels:
            return ValueError(f"{gap}: no label of the room is meant by {gaps[gap]!r}")
    return PROGRAMS[row.question_type](**{gap: names if gap == "options" else names[0] for gap, names in meant.items()})


@cache
def _pattern(question_type: str) -> re.Pattern[str]:
    """Return the wording of a type with its gaps as groups, white space aside; a gap met twice must read the same."""
    pieces, seen = re.split(r"\{(\w+)\}", " ".join(WORDINGS[question_type].split())), set()
    pattern = ""
    for k, piece in enumerate(pieces):
        if k % 2 == 0:
            pattern += re.escape(piece)
        else:
            pattern += f"(?P={piece})" if piece in seen else f"(?P<{piece}>.+?)"
            seen.add(piece)
    return re.compile(pattern, re.IGNORECASE)
