"""Maps in texts: `<map>{"bed": [[1, 2]]}</map>`, by category the cells [x, y], of a room's 10 x 10, of its objects.

The true map of a question is the one in its trace (`qa.traces`). Source: SpaceR, arXiv:2504.01805.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    from nodes.questions.question import Question

Cell: TypeAlias = tuple[float, float]
Map: TypeAlias = dict[str, list[Cell]]

CELLS = 10
LONGEST = 20_000  # characters of a map; a full one of every category has some thousand


def map_of(text: str) -> Map | None:
    """Return the first map that a text draws, categories in lower case; None: it draws none.

    One that is no JSON object of pairs of numbers, or is too long, is empty: drawn, and worth nothing.
    """
    _, is_open, rest = text.partition("<map>")
    drawn, is_closed, _ = rest.partition("</map>")
    if not (is_open and is_closed):
        return None
    if len(drawn) > LONGEST:
        return {}
    try:
        read = msgspec.json.decode(drawn, type=dict[str, list[tuple[float, float]]])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}
    found: Map = {}
    for label, cells in read.items():  # a word-level policy writes `" red box "`
        found.setdefault(" ".join(label.split()).lower(), []).extend(cells)
    return found


def true_map(question: Question) -> Map:
    """Return the map in a question's trace; empty where there is none."""
    return map_of(question.trace) or {}


def closeness(a: Cell, b: Cell) -> float:
    """Return SpaceR's score of a pair: 1 - d / (10 sqrt 2), d in cells, not below 0."""
    return max(0.0, 1 - math.hypot(a[0] - b[0], a[1] - b[1]) / (CELLS * math.sqrt(2)))
