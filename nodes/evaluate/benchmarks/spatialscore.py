"""SpatialScore, version 0: 28,093 questions from twelve data sets. Source: arXiv:2505.17012; its program of version 0.

A folder as published: `SpatialScore.json`, and the pictures that rows name. What the published conversation has an
assistant say first stands before the question here, since a question is put as one turn. Official, by kind of question:

    letters     the first letter A-F by a row of patterns, the last of which takes any a-f of any word
    yes or no   `yes`, `true`, `right` and their like are looked for before `no`, `not` and theirs: "not right" is yes
    lengths     a number with a unit within a factor of 2; a unit that is not known counts as centimetres; an answer is
                a length where it holds an m, `inch`, `ft`, `foot` or `feet` ("left" is one)
    numbers     the first number, in digits or words, equal to the true one; none is 0. From VSI-Bench: MRA
    others      equal but for case

The mean over all questions. Strict: the whole answer, lengths within the same factor.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from nodes.evaluate.benchmark import Benchmark, Weights, letters, pooled, text_of, thresholds
from nodes.questions.files.given import Wrong
from nodes.questions.question import Question
from nodes.rewards.accuracy import accuracy_of
from nodes.rewards.answer import answer_of

LETTERED = {"cvbench", "MMIU", "BLINK", "3DSRBench", "MMVP"}
SHORT = {"spatialbench", "VSR-ZeroShot", "VSR-Random", "SpatialSense", "VSI-Bench_8", "RealWorldQA"}
MEASURED = {"QSpatialBench-Plus", "QSpatialBench-ScanNet"}
EXACT = "RealWorldQA"
VSI = "VSI-Bench_8"
ASK_LETTER = (
    "**Please select the most appropriate answer from options (A), (B), (C), (D), (E), or (F).**\n"
    "**Respond ONLY with the letter and its parentheses, for example: (A)**\n\nQuestion: "
)
ASK_SHORT = "**Answer concisely with a single word, number, or option (e.g., yes, no, 5, 2.2, A).**\n\nQuestion: "
ASK_LENGTH = (
    "You will be provided with a question and a 2D image. The question involves measuring the precise distance in 3D"
    " space through a 2D image. You will answer the question by providing a numeric answer consisting of a scalar and a"
    " distance unit in the format of **\\scalar{scalar} \\distance_unit{distance unit}** at the end of your response.\n"
    "Let's think step by step and start by finding good reference objects or object parts in the image.\n\nQuestion:"
)
YES_NO = ("Yes", "No")

TAGS = re.compile(r"</?(?:CONCLUSION|conclusion|ANSWER|answer|ASSISTANT|assistant)>")
ASSISTANT = re.compile(r"ASSISTANT:\s*\(?([A-Fa-f])\)?")
OPTION = re.compile(r"\(([A-F])\)|(?:^|\s)([A-F])[.:)]\s")
LETTER = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"<conclusion>\s*\(([A-F])\).*?</conclusion>",
        r"<conclusion>\s*\(?([A-F])\)?\.?\s*</conclusion>",
        r"(?:answer|option)[:\s]*\(?([A-F])\)?\.?",
        r"(?:^|\s)\(?([A-F])\)\.?(?:$|\s|\.)",
        r"(?:^|\s)([A-F])\.?(?:$|\s|\.|,)",
        r"([A-F])",
    )
]
YES = re.compile(r"\b(?:yes|yeah|yep|correct|true|right|agreed?)\b")
NO = re.compile(r"\b(?:no|nope|not|false|wrong|incorrect|disagreed?)\b")
CONCLUDED_YES_NO = re.compile(r"<conclusion>\s*(yes|no)\s*</conclusion>", re.IGNORECASE)
CONCLUDED_NUMBER = re.compile(r"<conclusion>\s*(\d+)\s*</conclusion>", re.IGNORECASE)
DIGITS = re.compile(r"\d+(?:\.\d+)?")
DIGITS_AND_DOT = re.compile(r"\d+(?:\.\d*)?")
CARDINALS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen twenty"
)
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth"
WORDS = {word: n for words, first in ((CARDINALS, 0), (ORDINALS, 1)) for n, word in enumerate(words.split(), first)}
VALUE = [
    re.compile(r"\\scalar\{([^}]+)\}"),
    re.compile(r"\*\*([\d.]+)\s*(?:[a-zA-Z]+)\*\*"),
    re.compile(r"(?:approximately|about|roughly)\s*\**([\d.]+)\s*(?:[a-zA-Z]+)\**", re.IGNORECASE),
    re.compile(r"(?<!\d)(\d+(?:\.\d*)?)\s*(?:[a-zA-Z]+)"),
]
UNIT = [
    re.compile(r"\\distance_unit\{([^}]+)\}"),
    re.compile(r"\*\*\d+(?:\.\d*)?\s*([a-zA-Z]+)\*\*"),
    re.compile(r"(?:approximately|about|roughly)\s*\**\d+(?:\.\d*)?\s*([a-zA-Z]+)\**", re.IGNORECASE),
    re.compile(r"(?<!\d)\d+(?:\.\d*)?\s*([a-zA-Z]+)"),
]
LENGTH = re.compile(r"(?<!\d)(\d+(?:\.\d*)?)\s*([a-zA-Z]+)")
CM = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 100.0),
    **dict.fromkeys(("cm", "centimeter", "centimeters"), 1.0),
    "mm": 0.1,
    **dict.fromkeys(("ft", "foot", "feet"), 30.48),
    **dict.fromkeys(("in", "inch", "inches"), 2.54),
}
FACTOR = 2.0


def fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the question of a published row."""
    source, kind = text_of(row, "source"), text_of(row, "question_type").lower()
    question, answer = text_of(row, "question"), str(row["answer"]).strip()
    given = {
        "id": str(row["id"]),
        "task": text_of(row, "category"),
        "template": source,
        "prompt": _introduction(source, kind) + question,
        "terms": f"SpatialScore, of {source}",
        "images": tuple(row.get("img_paths") or ()),
    }
    if kind == "multi-choice":
        shown = {a or b for a, b in OPTION.findall(question)}
        return given | {"options": letters(len(shown) or 4), "answer": _letter(answer)}
    if kind == "judgment":
        return given | {"options": YES_NO, "answer": _yes_no(answer)}
    if _is_length(answer) or source == EXACT:
        return given | {"kind": "text", "answer": answer}
    number = _number(answer)
    return given | {"answer": answer if number is None else f"{number:g}"}


def official(text: str, question: Question) -> float | None:
    """Return the score of SpatialScore's own program, version 0."""
    said = text.strip()
    if question.options == YES_NO:
        return _right(_yes_no(said), question.answer)
    if question.options:
        return _right(_letter(said), question.answer)
    if _is_length(question.answer):
        return _length(said, question.answer)
    if question.template == EXACT:
        return float(said.lower() == question.answer.lower())
    number, true = _number(said), float(question.answer)
    if question.template != VSI:
        return None if number is None and true else float((number or 0.0) == true)
    if not number:
        return float(true == 0.0)
    return float((abs(number - true) / true <= thresholds()).mean()) if true else 0.0


def strict(text: str, question: Question) -> float:
    """Return the score of the whole answer: a letter also in brackets, a length with its unit."""
    said = answer_of(text)
    if _is_length(question.answer) and question.kind == "choice" and not question.options:
        return (_length(said, question.answer) or 0.0) if LENGTH.fullmatch(said.removesuffix(".")) else 0.0
    if question.kind == "number" and question.template != VSI:
        return float(accuracy_of(text, question) == 1.0 and _number(said) == float(question.answer))
    return accuracy_of(said[1:-1] if re.fullmatch(r"\([A-F]\)", said) else said, question)


def totals(tasks: Counter[str]) -> dict[str, Weights]:
    """Return the weights of the mean over all questions."""
    return {"overall": pooled(tasks)}


def _introduction(source: str, kind: str) -> str:
    if source in LETTERED:
        return ASK_LETTER
    if source in MEASURED or (source == "VGBench" and kind == "open-ended"):
        return ASK_LENGTH
    if source in SHORT or source == "VGBench":
        return ASK_SHORT
    known = ", ".join(sorted(LETTERED | SHORT | MEASURED | {"VGBench"}))
    raise Wrong("source", f"source {source[:80]!r}: expected one of {known}")


def _right(said: str, true: str) -> float | None:
    return float(said == true) if said else None


def _letter(text: str) -> str:
    if re.fullmatch(r"[A-Fa-f]\.?", text):
        return text[0].upper()
    return _first([ASSISTANT, *LETTER], text).upper()


def _yes_no(text: str) -> str:
    if text.lower() in ("yes", "no"):
        return text.capitalize()
    if ASSISTANT.search(text):
        return ""
    if concluded := CONCLUDED_YES_NO.search(text):
        return concluded[1].capitalize()
    said = TAGS.sub("", text).lower()
    return "Yes" if YES.search(said) else "No" if NO.search(said) else ""


def _number(text: str) -> float | None:
    if ASSISTANT.search(text):
        return None
    if concluded := CONCLUDED_NUMBER.search(text):
        return float(concluded[1])
    said = TAGS.sub("", text).strip().lower()
    if digits := DIGITS.search(said):
        return float(digits[0])
    phrases = (
        n
        for word, n in WORDS.items()
        if said.startswith(word)
        or f" {word} " in said
        or any(f"{before} {word}" in said for before in ("there are", "there is", "shows"))
        or said.endswith(f" {word}")
    )
    return next((float(n) for n in phrases), next((float(WORDS[w]) for w in said.split() if w in WORDS), None))


def _is_length(answer: str) -> bool:
    return any(unit in answer.lower() for unit in ("m", "inch", "ft", "foot", "feet"))


def _length(text: str, true: str) -> float | None:
    said = TAGS.sub("", text).strip()
    value, unit = DIGITS_AND_DOT.search(_first(VALUE, said)), _first(UNIT, said).lower().strip()
    right = LENGTH.search(true)
    if value is None or not unit:
        return None
    if right is None:
        return 0.0
    if float(value[0]) == 0 or float(right[1]) == 0:
        return float(float(value[0]) == 0 and float(right[1]) == 0)
    a, b = float(value[0]) * CM.get(unit, 1.0), float(right[1]) * CM.get(right[2].lower(), 1.0)
    return float(max(a / b, b / a) < FACTOR)


def _first(patterns: Sequence[re.Pattern[str]], text: str) -> str:
    return next((match[1] for pattern in patterns if (match := pattern.search(text))), "")


spatialscore = Benchmark(("SpatialScore.json", "SpatialScore-Hard.json"), fields, official, strict, totals)
