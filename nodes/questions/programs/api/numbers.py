"""Rounding, the same on every interpreter."""

from __future__ import annotations


def round(number: float, digits: int = 0) -> float:
    """Return the number to that many decimals, halves of the exact value to the even one; an int for 0 decimals.

    Stands for Python's own: the sandbox's multiplies before it rounds and makes 0.4 of 0.35, which is just below.
    """
    if digits == 0:
        return int(f"{number:.0f}")
    return float(f"{number:.{digits}f}") + 0.0  # no -0.0
