"""Format: whether a text has the form of an answer to the question, right or wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.rewards.accuracy import parse_number, plain

if TYPE_CHECKING:
    from nodes.questions.question import Question


def well_formed(text: str, question: Question) -> float:
    """Return 1 for one of the options (its letter, where options carry letters) or for a number, else 0."""
    if question.kind == "number":
        return float(parse_number(text) is not None)
    return float(plain(text) in {plain(_said(option)) for option in question.options})


def _said(option: str) -> str:
    """Return what an answer says for an option: `A` for `A. left`, the word itself for a word."""
    return option[0] if option[1:2] == "." else option
