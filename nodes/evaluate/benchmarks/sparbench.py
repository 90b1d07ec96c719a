"""SPAR-Bench: 7,207 questions of 20 tasks on pictures. Source: arXiv:2503.22976; its program in lmms-eval.

Official, by task:

    numbers         MRA of the first number in the text (minus signs are not read), of the last in tasks on several
                    views, where a text without any says -1; against a truth of 0 the error itself counts
    choices         the text is the letter, or any part of it, which nothing at all is; or begins with it
    view changes    `move_left:0.3,rotate_up:10`, five signed axes; the mean of their MRA with text and truth exchanged,
                    so that errors count against what was said; 0 where the whole text is not of that form

The mean over tasks, of all and of three groups. Strict: a number, a letter, or a view change and nothing else; errors
of view changes count against the truth.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from nodes.evaluate.benchmark import Benchmark, Weights, equal, letters, text_of, thresholds
from nodes.questions.files.given import Wrong
from nodes.questions.question import Question
from nodes.rewards.accuracy import accuracy_of, mra
from nodes.rewards.answer import answer_of

LOW = frozenset(
    f"{what}_prediction_{between}{views}"
    for what in ("depth", "distance")
    for between in ("oc", "oo")
    for views in ("", "_mv")
)
VIEW_CHANGE = "view_change_infer"
MIDDLE = frozenset({VIEW_CHANGE, "position_matching", "camera_motion_infer"})
HIGH = frozenset(
    {
        "obj_spatial_relation_oo",
        "obj_spatial_relation_oc_mv",
        "obj_spatial_relation_oo_mv",
        "spatial_imagination_oc",
        "spatial_imagination_oo",
        "spatial_imagination_oc_mv",
        "spatial_imagination_oo_mv",
        "distance_infer_center_oo",
        "distance_infer_center_oo_mv",
    }
)
AXES = (
    ("move_right", "move_left"),
    ("move_up", "move_down"),
    ("move_forward", "move_backward"),
    ("rotate_right", "rotate_left"),
    ("rotate_up", "rotate_down"),
)
NUMBER = re.compile(r"(?<!\^)\d+\.\d+|(?<!\^)\d+")
BOXES = (
    "The values represent the bounding box coordinates normalized to a 0-1000 scale, with the top-left corner as the"
    " origin of the image."
)
ASK_LETTER = "Answer with the option's letter from the given choices directly."
ASK_NUMBER = "Please answer the question using a single word or phrase."


def fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the question of a published row."""
    task, question, answer = text_of(row, "task"), text_of(row, "question"), str(row["answer"])
    if task not in LOW | MIDDLE | HIGH:
        raise Wrong("task", f"task {task[:80]!r}: expected one of {', '.join(sorted(LOW | MIDDLE | HIGH))}")
    given = {
        "id": str(row["id"]),
        "task": task,
        "template": str(row.get("img_type") or row.get("image_type") or "picture"),
        "answer": answer,
        "terms": "SPAR-Bench",
        "images": tuple(row.get("image") or ()),
    }
    if task == VIEW_CHANGE:
        _changes(answer)
        return given | {"prompt": f"\n{question}\n\n", "kind": "text"}
    if task in LOW:
        return given | {"prompt": f"\n{question}\n{ASK_NUMBER}"}
    boxes = BOXES if task in ("position_matching", "camera_motion_infer") else ""
    return given | {"prompt": f"\n{question}\n{boxes}\n{ASK_LETTER}", "options": letters(4)}


def official(text: str, question: Question) -> float | None:
    """Return the score of SPAR-Bench's own program."""
    if question.task == VIEW_CHANGE:
        try:
            return _view_change(_changes(question.answer), _changes(text))
        except Wrong:
            return None
    if question.task in LOW:
        numbers = NUMBER.findall(text)
        if question.task.endswith("_mv"):
            return _mra(float(numbers[-1]) if numbers else -1.0, float(question.answer))
        return _mra(float(numbers[0]), float(question.answer)) if numbers else None
    said, true = text.lower(), question.answer.lower()
    return float(said in true or said[:1] == true)


def strict(text: str, question: Question) -> float:
    """Return the score of the whole answer, and of nothing but it."""
    if question.task != VIEW_CHANGE:
        return accuracy_of(text, question)
    try:
        said = _changes(answer_of(text))
    except Wrong:
        return 0.0
    return sum(map(mra, said, _changes(question.answer))) / len(AXES)


def totals(tasks: Counter[str]) -> dict[str, Weights]:
    """Return the weights of three groups of tasks, and of all."""
    groups = {"Low": LOW, "Middle": MIDDLE, "High": HIGH}
    present = {name: of for name, of in groups.items() if of & tasks.keys()}
    return {**{name: equal(tasks, of) for name, of in present.items()}, "overall": equal(tasks)}


def _changes(text: str) -> tuple[float, ...]:
    """Return the signed axes of a view change, 0 where it names none. Raises Wrong: it is of another form."""
    found: dict[str, float] = {}
    for item in text.split(","):
        name, separator, value = item.partition(":")
        try:
            found[name] = float(value) if separator else float("")
        except ValueError:
            raise Wrong("answer", f"{text[:80]!r}: expected `move_left:0.3,rotate_up:10`") from None
    return tuple(found.get(more, 0.0) - found.get(less, 0.0) for more, less in AXES)


def _view_change(said: tuple[float, ...], true: tuple[float, ...]) -> float:
    return sum(map(_mra, said, true)) / len(AXES)


def _mra(said: float, true: float) -> float:
    """Return MRA as the program has it, a truth of 0 included."""
    error = abs(said - true) if true == 0 else abs((said - true) / true)
    return float((error <= thresholds()).mean())


sparbench = Benchmark(("test.parquet", "sparbench.jsonl"), fields, official, strict, totals)
