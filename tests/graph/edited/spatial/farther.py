"""Three modules away."""

TOP = 3


def deepest(x: float) -> float:
    return x if x > TOP else deepest(x + 1)
