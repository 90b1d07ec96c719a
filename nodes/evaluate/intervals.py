"""Bootstrap intervals, clustered: questions on one scene stand or fall together, so whole scenes are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

DRAWS = 2000
SEED = 20250101  # fixed: an interval is a function of the scores


class Interval(NamedTuple):
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float


def clustered_interval(scores: Sequence[float], clusters: Sequence[str]) -> Interval:
    """Return the mean of the scores and its 95 % percentile interval over bootstrap draws of clusters.

    Args:
        scores: N numbers; for a paired interval, N differences.
        clusters: N names; equal names belong together.
    Raises:
        ValueError: no scores.
    """
    import numpy as np

    if not scores:
        raise ValueError("interval of 0 scores, expected at least 1")
    values = np.asarray(scores, dtype=np.float64)
    _, index = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    sums = np.bincount(index, weights=values)  # (C,)
    sizes = np.bincount(index)  # (C,)
    rng = np.random.Generator(np.random.PCG64(SEED))
    times = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=DRAWS)  # (DRAWS, C)
    means = (times @ sums) / (times @ sizes)
    low, high = np.quantile(means, [0.025, 0.975])
    mean = float(values.mean())
    # Sums in another order round otherwise: where all draws agree, the mean must not fall outside by a last bit.
    return Interval(mean, min(mean, float(low)), max(mean, float(high)))
