"""Two modules away."""

import spatial.farther


def deepen(x: float) -> float:
    return spatial.farther.deepest(x) + 1
