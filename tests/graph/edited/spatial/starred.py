"""Taken whole."""

__all__ = ["starred"]


def starred(x: float) -> float:
    return x + 0.5


def hidden(x: float) -> float:
    return x - 0.5
