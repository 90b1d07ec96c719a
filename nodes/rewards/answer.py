"""The answer in what was said: the inside of the last `<answer>`, or all of it where there is none."""

from __future__ import annotations

OPEN, CLOSE = "<answer>", "</answer>"


def answer_of(text: str) -> str:
    """Return the part of a text that answers, without white space around it. Linear in the text, whatever it holds."""
    end = text.rfind(CLOSE)
    start = text.rfind(OPEN, 0, end) if end >= 0 else -1
    return (text[start + len(OPEN) :].partition(CLOSE)[0] if start >= 0 else text).strip()


def without_brackets(text: str) -> str:
    """Return text without angle brackets, which labels may hold and which would end a tag."""
    return text.replace("<", "(").replace(">", ")")
