"""Imported when it is needed."""


def rounded(x: float) -> int:
    return round(x)
