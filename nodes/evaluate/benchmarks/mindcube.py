"""MindCube: questions on a scene seen from a few sides. Source: arXiv:2506.21458; its program of answers alone.

A folder as published: `MindCube_tinybench.jsonl`, or `file = "MindCube.jsonl"`, and the pictures that rows name.
Official: the last letter A-E that a dot follows, anywhere; else, by a row of ever looser patterns, the last match of
the first that is found, within `<Answer>` before all of the text. Overall leaves out translation; settings are told by
the id. Maps are scored by the reward `mindcube`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from nodes.evaluate.benchmark import Benchmark, Weights, letters, pooled, text_of
from nodes.questions.question import Question
from nodes.rewards.accuracy import accuracy_of

SETTINGS = ("around", "rotation", "translation", "among")
INTRODUCTION = (
    "[Task]\nYour task is to analyze the spatial arrangement of objects in the scene by examining the provided images,"
    " which show the scene from different viewpoints.\n[Answer Instruction]\nYou only need to provide *ONE* correct"
    " answer selecting from the options listed below. For example, if you think the correct answer is 'A. Above' from"
    " 'A. Above B. Under C. Front D. Behind', your response should **only** be '<answer>A. Above</answer>'.\n\n"
    "[Question]\n"
)
DOTTED = re.compile(r"([A-E])\.")
SECTION = re.compile(r"<Answer>(.*?)(?:<|$)", re.DOTALL)
# Of the program's patterns those that can still match where no letter has a dot.
IN_SECTION = [re.compile(p) for p in (r"[Mm]y answer is ([A-E])", r"[Tt]he answer is ([A-E])", r"\b([A-E])\b")]
ANYWHERE = [
    re.compile(p)
    for p in (
        r"([A-E])(?:$|\s)",
        r"[\*\"]([A-E])[\*\"]",
        r"\bAnswer:?\s*([A-E])\b",
        r"[Mm]y answer is ([A-E])",
        r"answer is ([A-E])",
    )
]
ALONE = re.compile(r"\b([A-E])\b")
OPTION = re.compile(r"(?:^|\s)([A-F])\. ")


def fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the question of a published row, put without a map or a thought."""
    name, question = text_of(row, "id"), text_of(row, "question")
    setting = setting_of(name)
    return {
        "id": name,
        "task": setting,
        "template": setting,
        "prompt": INTRODUCTION + question,
        "options": letters(len(set(OPTION.findall(question)))),
        "answer": text_of(row, "gt_answer"),
        "terms": "MindCube",
        "images": tuple(row.get("images") or ()),
    }


def setting_of(name: str) -> str:
    """Return the setting that a question's id tells."""
    return next((setting for setting in SETTINGS if setting in name.lower()), "other")


def official(text: str, question: Question) -> float | None:
    """Return the score of MindCube's own program."""
    said = _said(text)
    return None if said is None else float(said == question.answer)


def totals(tasks: Counter[str]) -> dict[str, Weights]:
    """Return the weights of the mean over all questions but those on translation."""
    counted = Counter({task: n for task, n in tasks.items() if task != "translation"})
    return {"overall": pooled(counted)} if counted else {}


def _said(text: str) -> str | None:
    if dotted := DOTTED.findall(text):
        return dotted[-1]
    section = SECTION.search(text)
    searches = [(pattern, section[1]) for pattern in IN_SECTION] if section else []
    for pattern, where in [*searches, *((pattern, text) for pattern in ANYWHERE)]:
        if found := pattern.findall(where):
            return found[-1]
    lines = (ALONE.search(line) for line in reversed(text.split("\n")))
    return next((match[1] for match in lines if match), None)


mindcube = Benchmark(("MindCube_tinybench.jsonl", "MindCube.jsonl"), fields, official, accuracy_of, totals)
