"""Bootstrap intervals, clustered: questions on one scene stand or fall together, so whole scenes are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def total_intervals(
    scores: Sequence[float], clusters: Sequence[str], groups: Sequence[str], totals: Mapping[str, Mapping[str, float]]
) -> dict[str, Interval]:
    """Return weighted means of groups' means, each with its 95 % percentile interval over bootstrap draws of clusters.

    One set of draws serves all totals. A draw in which a group has no question says nothing of totals that hold it.

    Args:
        scores: N numbers; for a paired interval, N differences.
        clusters, groups: N names each.
        totals: by name, the weight of each group; a group that nothing is in counts 0.
    """
    import warnings

    import numpy as np

    values = np.asarray(scores, dtype=np.float64)
    _, cluster = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    names, group = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    shape = int(cluster.max(initial=-1)) + 1, len(names)
    place = np.ravel_multi_index((cluster, group), shape)
    sums = np.bincount(place, weights=values, minlength=shape[0] * shape[1]).reshape(shape)  # (C, G)
    sizes = np.bincount(place, minlength=shape[0] * shape[1]).reshape(shape)
    rng = np.random.Generator(np.random.PCG64(SEED))
    times = rng.multinomial(shape[0], np.full(shape[0], 1 / shape[0]), size=DRAWS).astype(np.float64)  # (DRAWS, C)
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a total of which no draw tells
        means = (times @ sums) / (times @ sizes)  # (DRAWS, G)
        found = {}
        for total, weights in totals.items():
            held = [(k, weights[name]) for k, name in enumerate(names.tolist()) if name in weights]
            mean = float(sum(weight * sums[:, k].sum() / sizes[:, k].sum() for k, weight in held))
            drawn = means[:, [k for k, _ in held]] @ np.array([weight for _, weight in held], dtype=np.float64)
            low, high = np.nanquantile(drawn, [0.025, 0.975]).tolist()
            found[total] = Interval(mean, min(mean, low), max(mean, high))
    return found
