"""Measures: one number a metric of a task, in the words of the harness; and what was said to one of its questions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

MOST_BYTES = 1 << 30  # of one file


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


def read_json(path: Path) -> Any:
    """Return a JSON file. Raises ValueError: it is too large, or no JSON."""
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path}: {path.stat().st_size} bytes, expected at most {MOST_BYTES}")
    try:
        return msgspec.json.decode(path.read_bytes())
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"{path}: no JSON: {error}") from None


def is_number(value: Any) -> bool:
    """Tell whether a value is a number, and not true or false."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
