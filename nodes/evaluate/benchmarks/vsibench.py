"""VSI-Bench: 5,130 questions on 288 videos of rooms. Source: arXiv:2412.14171; its program in lmms-eval.

A folder as published: the rows, and videos as `scannet/scene0011_00.mp4`. The debiased split is a file of its own,
`file = "test_debiased.parquet"`.

Official: of the text up to the first space, dots at its end off. A letter is right in either case; what Python's
`float` takes is a number (`1e3`, `nan`, `1_0`), and MRA of a number misses a threshold that the error meets exactly.
Three levels of direction average into one task, of which a level that is missing counts 0; overall is the plain mean of
tasks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from nodes.evaluate.benchmark import Benchmark, Weights, letters, text_of, thresholds
from nodes.questions.files.given import Wrong
from nodes.questions.question import Question
from nodes.rewards.accuracy import accuracy_of
from nodes.scenes.vsibench import place_of

DIRECTIONS = ("object_rel_direction_easy", "object_rel_direction_medium", "object_rel_direction_hard")
CHOICES = {*DIRECTIONS, "object_rel_distance", "route_planning", "obj_appearance_order"}
NUMBERS = {"object_abs_distance", "object_counting", "object_size_estimation", "room_size_estimation"}
BEFORE = "These are frames of a video."
ASK_LETTER = "Answer with the option's letter from the given choices directly."
ASK_NUMBER = "Please answer the question using a single word or phrase."


def fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the question of a published row."""
    task, question = text_of(row, "question_type"), text_of(row, "question")
    scene = text_of(row, "scene_name" if "scene_name" in row else "scene")
    dataset = text_of(row, "dataset")
    if task not in CHOICES | NUMBERS:
        raise Wrong("task", f"question_type {task[:80]!r}: expected one of {', '.join(sorted(CHOICES | NUMBERS))}")
    given = {
        "id": str(row["id"]),
        "scene": scene,
        "place": place_of(scene, dataset),
        "task": task,
        "template": dataset,
        "answer": str(row["ground_truth"]),
        "terms": f"VSI-Bench, Apache-2.0; videos of {dataset}",
        "images": (f"{dataset}/{scene}.mp4",),
    }
    if task in NUMBERS:
        return given | {"prompt": "\n".join([BEFORE, question, ASK_NUMBER])}
    options = [str(option) for option in row["options"] or ()]
    shown = "Options:\n" + "\n".join(options)
    return given | {"prompt": "\n".join([BEFORE, question, shown, ASK_LETTER]), "options": letters(len(options))}


def official(text: str, question: Question) -> float | None:
    """Return the score of VSI-Bench's own program; a true number of 0, on which that one stops, scores 0."""
    said = text.split(" ")[0].rstrip(".").strip()
    if question.kind == "choice":
        return float(said.lower() == question.answer.lower()) if said.upper() in question.options else None
    try:
        number, true = float(said), float(question.answer)
    except ValueError:
        return None
    return float((abs(number - true) / true <= thresholds()).mean()) if true else 0.0


def totals(tasks: Counter[str]) -> dict[str, Weights]:
    """Return the weights of the direction task and of all tasks."""
    levels = {task: 1 / 3 for task in DIRECTIONS if task in tasks}
    others = [task for task in tasks if task not in DIRECTIONS]
    n = len(others) + bool(levels)
    overall = {**{task: 1 / n for task in others}, **{task: weight / n for task, weight in levels.items()}}
    return {"object_rel_direction": levels, "overall": overall} if levels else {"overall": overall}


vsibench = Benchmark(("test.jsonl", "test-00000-of-00001.parquet"), fields, official, accuracy_of, totals, frames=32)
