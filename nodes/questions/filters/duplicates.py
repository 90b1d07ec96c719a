"""`filter.duplicates`: drop questions that ask the same thing again, in the same words or in others.

The same is: on the same frames, prompts with equal content words in the same order, equal options in any order and an
equal answer; or equal programs, where the order of what a symmetric measure compares makes no difference. Across
frames of a scene: programs that are equal but for the frame, with an equal answer. The first of a pool's order stays.
A verdict depends on questions of the same scene alone.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Hashable, Iterator
from typing import Annotated

from msgspec import Meta, Struct

from graph.node import node
from nodes.questions.kept import Kept, Verdict, keep, spoken
from nodes.questions.question import Question, QuestionPool

SYMMETRIC = ("closer", "taller", "further_left", "depth_order", "distance")  # of their first two arguments
FILLERS = frozenset(
    (
        *("a", "am", "an", "and", "are", "be", "can", "could", "do", "does", "how", "i", "if", "in", "is", "it", "my"),
        *("of", "or", "please", "see", "that", "the", "there", "these", "this", "those", "to", "was", "were", "what"),
        *("which", "you"),
    )
)
_WORD = re.compile(r"[^\W_]+")


class Duplicates(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `filter.duplicates`."""

    across_frames: Annotated[
        int,
        Meta(ge=0, description="most that ask the same of several frames of a scene, with one answer; 0: any number"),
    ] = 1


@node("filter.duplicates", version=1)
def filter_duplicates(questions: QuestionPool, *, params: Duplicates) -> Kept:
    """Drop questions that ask again what one before them in the same scene asks."""
    verdicts = {}
    for scene in questions:
        first: dict[Hashable, str] = {}
        asked: Counter[Hashable] = Counter()
        for row in questions[scene].rows:
            verdict = _verdict(row, first, asked, params.across_frames)
            if verdict is not None:
                verdicts[row.id] = verdict
    return keep(questions, verdicts)


def _verdict(row: Question, first: dict[Hashable, str], asked: Counter[Hashable], most: int) -> Verdict | None:
    keys = {"words": words_key(row)}
    if row.program:  # questions from elsewhere have none
        keys["program"] = program_key(row, keeps_frame=True)
    for reason, key in keys.items():
        if key in first:
            return Verdict(reason, f"asked by {first[key]}")
    across = program_key(row, keeps_frame=False)
    if most and asked[across] >= most and row.program and len(row.frames) == 1:
        return Verdict("frames", f"asked of {asked[across]} frames before, first by {first[('any', across)]}")
    asked[across] += 1
    first.setdefault(("any", across), row.id)
    first.update((key, row.id) for key in keys.values())
    return None


def words_key(row: Question) -> Hashable:
    """Return what two questions share that ask the same in about the same words."""
    options = tuple(sorted(spoken(row, option).lower() for option in row.options))
    return "words", row.frames, content_words(row.prompt), options, spoken(row).lower()


def content_words(prompt: str) -> tuple[str, ...]:
    """Return the words of a prompt that carry what is asked, in order: no articles, no marks, no case.

    Example:
        >>> content_words("Is there a red box?") == content_words("Can you see the RED box")
        True
    """
    found = [word for word in _WORD.findall(prompt.lower()) if word not in FILLERS]
    return tuple(found or _WORD.findall(prompt.lower()) or [prompt])


def program_key(row: Question, keeps_frame: bool) -> Hashable:
    """Return what two questions share whose programs measure the same thing.

    Without the frame: which of the shown frames a program names makes no difference.
    """
    shape = program_shape(row.program, () if keeps_frame else row.frames)
    options = tuple(sorted(spoken(row, option).lower() for option in row.options))
    return "program", row.frames if keeps_frame else (), row.kind, shape, options, spoken(row).lower()


def program_shape(program: str, frames: tuple[int, ...] = ()) -> str:
    """Return a program in one form: white space and quotes gone, symmetric arguments sorted, `frames` unnamed.

    A text that is no Python stands for itself.
    """
    try:
        tree = ast.parse(program)
        for call in _calls(tree):
            name = call.func.id if isinstance(call.func, ast.Name) else ""
            if name in SYMMETRIC and len(call.args) >= 2:
                call.args[:2] = sorted(call.args[:2], key=ast.unparse)
            if len(call.args) > 1 and isinstance(call.args[-1], ast.Constant) and call.args[-1].value in frames:
                call.args[-1] = ast.Constant("frame")
            for keyword in call.keywords:
                if keyword.arg == "frame" and frames:
                    keyword.value = ast.Constant("frame")
        return ast.unparse(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return program


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (found for found in ast.walk(tree) if isinstance(found, ast.Call))
