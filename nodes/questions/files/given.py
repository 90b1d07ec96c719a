"""Given questions: rows that others wrote, checked field by field before they are questions.

Every mistake is named with what was expected. A row needs a prompt and an answer; it is a choice where it has options,
else its answer is a number, or with the kind "text" whatever it says. Nothing that is not understood is passed over.
"""

from __future__ import annotations

import builtins
import math
import re
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from string import ascii_uppercase
from typing import Any

import msgspec
from msgspec import Struct

from nodes.questions.question import GENERAL, Question, is_lettered
from nodes.rewards.accuracy import parse_number
from nodes.rewards.answer import answer_of, without_brackets
from store.digest import digest
from store.errors import StoreError
from store.manifest import check_key

ANSWER = re.compile(r"\s*<answer>\s*(.*?)\s*</answer>\s*", re.DOTALL)
SR91K_TYPES = {"choice": "multiple choice", "number": "numerical"}
SR91K = {"problem_id", "problem", "data_type", "problem_type", "options", "solution", "path", "data_source"}
SR91K_MORE = {
    "process",
    "task",
    "scene",
    "terms",
}  # the thought, of Video-R1, from which SpaceR's general part is; of ours
KINDS = {name: kind for kind, name in SR91K_TYPES.items()} | {"regression": "number"}


class Wrong(ValueError):
    """A row that is no question: `reason` is a word to count by."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Pair(Struct, frozen=True):
    """One feature where features are a list."""

    name: str
    value: float | None


class Bytes(Struct, frozen=True):
    """A picture that stands in the row."""

    bytes: builtins.bytes | None
    path: str | None = None


class Given(Struct, frozen=True, forbid_unknown_fields=True):
    """A row as it may be given; names are those of Question, `images` are paths or pictures."""

    prompt: str
    answer: str | int | float
    id: str | int = ""
    scene: str | None = ""
    place: str | None = ""
    split: str = "train"
    frames_digest: str = ""
    frames: tuple[int, ...] = ()
    task: str = GENERAL
    template: str = GENERAL
    options: tuple[str, ...] | None = ()
    kind: str | None = None
    unit: str = ""
    program: str = ""
    margin: float | None = 0.0
    chance: float | None = None
    terms: str = ""
    features: dict[str, float | None] | tuple[Pair, ...] = {}
    images: tuple[str | Bytes, ...] | None = ()
    trace: str | None = ""
    entry: str = ""  # the place in an export, which `scene` says too


def read_given(fields: Mapping[str, Any], ignored: Collection[str]) -> Given:
    """Return a row's fields in their types. Raises Wrong."""
    fields = {name: value for name, value in fields.items() if name not in ignored}
    known = Given.__struct_fields__
    unknown = [name for name in fields if name not in known]
    if unknown:
        raise Wrong(
            "unknown field", f"{', '.join(map(repr, unknown[:5]))}: name it in `ignore`, or one of {', '.join(known)}"
        )
    for name in ("prompt", "answer"):
        if fields.get(name) in (None, ""):
            raise Wrong(f"no {name}", f"{name!r} is missing or empty")
    try:
        return msgspec.convert(fields, Given, strict=True)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Wrong("bad type", str(error)) from None


def from_sr91k(fields: Mapping[str, Any], ignored: Collection[str]) -> dict[str, Any]:
    """Return a row in SR-91k's fields as one in ours. Raises Wrong."""
    unknown = [name for name in fields if name not in SR91K | SR91K_MORE and name not in ignored]
    if unknown:
        raise Wrong("unknown field", f"{', '.join(map(repr, unknown[:5]))}: name it in `ignore`")
    kind = KINDS.get(str(fields.get("problem_type")))
    if kind is None:
        raise Wrong("kind", f"problem_type {fields.get('problem_type')!r}: expected one of {', '.join(sorted(KINDS))}")
    solution = ANSWER.fullmatch(str(fields.get("solution")))
    if solution is None:
        raise Wrong("no answer", f"solution {str(fields.get('solution'))[:80]!r}: expected <answer>...</answer>")
    source = fields.get("data_source")
    given = {
        "id": fields.get("problem_id", ""),
        "prompt": fields.get("problem"),
        "answer": solution[1],
        "options": fields.get("options") or () if kind == "choice" else (),
        "kind": kind,
        "scene": fields.get("scene", ""),
        "terms": fields.get("terms", ""),
        "trace": _trace(fields.get("process"), solution[0]),
        "task": fields.get("task", source if isinstance(source, str) and source else GENERAL),
    }
    return given | ({"images": (fields["path"],)} if fields.get("path") else {})


def make_question(given: Given) -> Question:
    """Return the question of a row, without pictures of its own. Raises Wrong."""
    options = given.options or ()
    answer = given.answer if isinstance(given.answer, str) else number_text(given.answer)
    kind = given.kind or ("choice" if options else "number")
    _check_answer(kind, answer, options)
    chance = given.chance if given.chance is not None else 1 / len(options) if options else 0.0
    if not 0 <= chance <= 1:
        raise Wrong("chance", f"chance {chance}: expected 0 to 1")
    if any(frame < 0 for frame in given.frames):
        raise Wrong("pictures", f"frames {list(given.frames)[:8]}: expected indices from 0 on")
    scene = given.scene or ""
    if scene:
        _check_scene(scene)
    trace = given.trace or ""
    if trace and answer_of(trace) not in (answer, without_brackets(answer)):
        raise Wrong("trace", f"the trace ends in {answer_of(trace)[-80:]!r}: expected the answer, {answer[:80]!r}")
    text = msgspec.json.encode([given.prompt, options, answer, scene, given.frames_digest, given.frames])
    features = given.features if isinstance(given.features, dict) else {f.name: f.value for f in given.features}
    return Question(
        id=str(given.id) or f"{scene or GENERAL}-{given.task}-{digest(text)[:12]}",
        scene=scene,
        place=given.place or scene,
        split=given.split,
        frames_digest=given.frames_digest,
        frames=given.frames,
        task=given.task,
        template=given.template,
        prompt=given.prompt,
        options=options,
        answer=answer,
        kind="number" if kind == "number" else "choice",
        unit=given.unit,
        program=given.program,
        margin=_number(given.margin),
        chance=chance,
        terms=given.terms,
        features={name: _number(value) for name, value in features.items()},
        trace=trace,
    )


def number_text(value: float) -> str:
    """Return a number as an answer says it: all of its digits, no exponent. Raises Wrong."""
    try:
        return str(value) if isinstance(value, int) else format(Decimal(repr(value)), "f")
    except (ValueError, OverflowError) as error:  # more digits than Python writes
        raise Wrong("answer", str(error)) from None


def _trace(process: Any, solution: str) -> str:
    """Return a thought and its answer as one text; a process that is no thought in tags is not taken for one."""
    is_thought = isinstance(process, str) and process.startswith("<think>") and process.endswith("</think>")
    return f"{process}\n{solution.strip()}" if is_thought else ""


def _check_answer(kind: str, answer: str, options: Sequence[str]) -> None:
    if kind not in ("choice", "number", "text"):
        raise Wrong("kind", f"kind {kind!r}: expected 'choice', 'number' or 'text'")
    if kind != "choice":
        if options:
            raise Wrong("options", f"{len(options)} options of a {kind}: expected none")
        if kind == "number" and parse_number(answer) is None:
            raise Wrong("answer", f"answer {answer[:80]!r}: expected a number, or options that it is one of")
        return
    if len(options) < 2 or len(set(options)) < len(options):
        raise Wrong("options", f"options {[option[:40] for option in options][:8]}: expected 2 or more, all different")
    answers = [option[:1] for option in options] if is_lettered(options) else list(options)
    if is_lettered(options) and answers != list(ascii_uppercase[: len(options)]):
        raise Wrong("options", f"letters {', '.join(answers)}: expected A, B and so on")
    if answer not in answers:
        shown = ", ".join(repr(text[:40]) for text in answers[:8])
        raise Wrong("answer", f"answer {answer[:80]!r} is none of the options: expected one of {shown}")


def _check_scene(scene: str) -> None:
    try:
        if "/" in scene:
            raise Wrong("scene", f"scene {scene[:80]!r}: expected a name without '/'")
        check_key(scene)
    except StoreError as error:
        raise Wrong("scene", f"scene {scene[:80]!r}: {error}") from None


def _number(value: float | None) -> float:
    return math.nan if value is None else value  # JSON has no NaN: null stands for it
