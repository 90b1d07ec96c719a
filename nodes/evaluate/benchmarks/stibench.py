"""STI-Bench: 2,064 questions on 300 videos, in numbers of space and time, with five options. Source: arXiv:2503.23765.

A folder as published: `qa.parquet`, and `video/`. Official: the first of six patterns that is found anywhere, in either
case; else the text itself, and of either the last character, in upper case only. Accuracy by task, by kind of scene,
and over all questions.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from nodes.evaluate.benchmark import Benchmark, Weights, letters, pooled, text_of
from nodes.questions.files.given import Wrong
from nodes.questions.question import Question
from nodes.rewards.accuracy import accuracy_of

PATTERNS = [
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        r"\(([A-E])\)",
        r"Ans\s*=\s*['\"]?([A-E])['\"]?",
        r"Answer\s*[:=]\s*([A-E])",
        r"Option\s+([A-E])",
        r"\b([A-E])\s*(?:is|was)\s*correct",
        r"\b([A-E])[\.\)]\s*$",
    )
]


def fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the question of a published row."""
    options = _options(row["Candidates"])
    video, question = text_of(row, "Video"), text_of(row, "Question")
    scene = video.rpartition(".")[0] or video
    shown = "\n".join(f"({letter}) {text}" for letter, text in options.items())
    prompt = f"From {row['time_start']} s to {row['time_end']} s. {question}\n{shown}"
    return {
        "id": f"{scene}-{row['ID']}",
        "scene": scene,
        "task": text_of(row, "Task"),
        "template": str(row.get("scene") or row.get("Scene") or kind_of(video)).lower(),
        "prompt": f"{prompt}\nPlease output only the option letter!",
        "options": letters(len(options)),
        "answer": text_of(row, "Answer"),
        "terms": "STI-Bench",
        "images": (f"video/{video}",),
    }


def kind_of(video: str) -> str:
    """Return the kind of scene that a video's name tells."""
    if "camera" in video:
        return "outdoor"
    if video.startswith("scene"):
        return "indoor"
    name = video.partition(".")[0]
    return "desktop" if len(name) == 6 and name.isdigit() else "unknown"


def official(text: str, question: Question) -> float | None:
    """Return the score of STI-Bench's own program; an empty text, on which that one stops, scores 0."""
    found = next((match[1].upper() for pattern in PATTERNS if (match := pattern.search(text))), text.strip())
    last = found[-1:]
    return float(last == question.answer) if last in set("ABCDE") else None


def totals(tasks: Counter[str]) -> dict[str, Weights]:
    """Return the weights of the mean over all questions."""
    return {"overall": pooled(tasks)}


def _options(value: Any) -> dict[str, str]:
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise Wrong("options", f"Candidates: no JSON: {error}") from None
    # Parquet has a field for every letter that some row has.
    options = (
        {str(key): str(text) for key, text in value.items() if text is not None} if isinstance(value, dict) else {}
    )
    if "".join(options) != "ABCDEF"[: len(options)]:
        raise Wrong("options", f"Candidates {', '.join(options)[:80]}: expected A, B and so on")
    return options


stibench = Benchmark(("qa.parquet",), fields, official, accuracy_of, totals, frames=30)
