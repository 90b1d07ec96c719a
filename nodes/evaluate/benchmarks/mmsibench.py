"""MMSI-Bench: 1,000 questions on several pictures, four options. Source: arXiv:2505.23764.

A folder as published: `MMSI_Bench.parquet`, pictures in its rows. Official: what stands first in ``..``, then of that
in `..`, then of that in {..}, and of what is left the first letter A-D that is a word and that no word follows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from nodes.evaluate.benchmark import Benchmark, Weights, letters, pooled, text_of
from nodes.questions.question import Question
from nodes.rewards.accuracy import accuracy_of

ASK = "\nAnswer with the option's letter from the given choices directly. Enclose the option's letter within ``."
MARKED = [re.compile(pattern) for pattern in (r"``([^`]*)``", r"`([^`]*)`", r"^[^{]*\{([^}]*)\}")]
LETTER = re.compile(r"\b[A-D]\b(?!\s[a-zA-Z])")


def fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the question of a published row."""
    images = [image if isinstance(image, dict) else {"bytes": image} for image in row.get("images") or ()]
    return {
        "id": str(row["id"]),
        "task": text_of(row, "question_type"),
        "template": "pictures",
        "prompt": text_of(row, "question").strip() + ASK,
        "options": letters(4),
        "answer": text_of(row, "answer").strip(),
        "terms": "MMSI-Bench",
        "images": tuple(images),
    }


def official(text: str, question: Question) -> float | None:
    """Return the score of MMSI-Bench's own program."""
    for pattern in MARKED:
        if match := pattern.search(text):
            text = match[1]
    letter = LETTER.search(text)
    return None if letter is None else float(letter[0] == question.answer)


def strict(text: str, question: Question) -> float:
    """Return 1 for the right letter and nothing else, in the marks that are asked for or in none."""
    return accuracy_of(text.strip().strip("`"), question)


def totals(tasks: Counter[str]) -> dict[str, Weights]:
    """Return the weights of the mean over all questions."""
    return {"overall": pooled(tasks)}


mmsibench = Benchmark(("MMSI_Bench.parquet", "test.parquet"), fields, official, strict, totals)
