"""Helpers that lean on others."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import spatial.far as f

from .starred import *  # noqa: F403

if TYPE_CHECKING:
    from collections.abc import Callable

DEPTH = 4
STEPS: dict[str, Callable] = {"round": lambda x: round(x, 3), "deepen": f.deepen}


def volume(width: int, height: int, depth: int = DEPTH) -> float:
    """Return a volume."""
    area: float = width * height  # of the front

    def beyond(x: float) -> float:
        return starred(x) + 1  # noqa: F405

    steps = map(STEPS.__getitem__, ("deepen", "round"))
    return functools.reduce(lambda x, step: step(x), steps, beyond(area * depth))


def diagonal(width: int, height: int) -> float:
    """Return a diagonal: nobody asks."""
    return math.hypot(width, height)
