"""What the package passes on."""


def doubled(x: float) -> float:
    return 2 * x
