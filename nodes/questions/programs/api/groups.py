"""Counting by identity, attribute and category. Source: KubriCount's levels of granularity."""

from __future__ import annotations

from nodes.questions.programs.api import FACTS
from nodes.questions.programs.api.objects import _all, _height, count


def count_identical(label: str) -> int:
    """Return how many objects bear a label, colour included: `count_identical("red box")`. Errors: those of `count`."""
    return count(label)


def count_any(*labels: str) -> int:
    """Return how many objects bear one of the labels: `count_any("chair", "sofa")`. Errors: those of `count`."""
    return sum([count(label) for label in labels])


def count_coloured(colour: str) -> int:
    """Return how many objects are of a colour, the first word of their label: `count_coloured("red")`.

    Errors: one of them is not seen.
    """
    return sum([len(_all(label)) for label in FACTS["instances"] if label.split(" ")[0] == colour])


def count_taller(label: str, metres: float) -> int:
    """Return how many objects of a label are taller than a height: `count_taller("chair", 1.0)`.

    Errors: no such label; an object that is not seen.
    """
    return len([i for i in _all(label) if _height(i) > metres])
