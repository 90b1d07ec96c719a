"""Measures: one number a metric of a task, in the words of the harness; and what was said to one of its questions."""

from __future__ import annotations

import json
import sys
from typing import Any

from msgspec import Struct


class Measure(Struct, frozen=True):
    """One number of a harness, in its own scale; `error` is its standard error, NaN where it tells none."""

    task: str
    metric: str
    value: float
    error: float


class Said(Struct, frozen=True):
    """What the policy said to one question, by the harness's own number of it."""

    task: str
    id: str
    text: str


def read_json(text: str | bytes, where: str) -> Any:
    """Return JSON in Python's reading, which knows NaN: that is what these programs write.

    Raises:
        ValueError: it is none; the text begins with `where`.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: no JSON: {error}") from None


def number(value: Any) -> float | None:
    """Return a finite number, None for anything else, true and false included."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) <= sys.float_info.max else None
