"""Calibration: how well a signal of confidence tells right rollouts from wrong ones.

Signals, of a question and so of all of its rollouts, but for the last two:
    p_geo, p_joint, p_option, p_thought, majority_share   as `nodes/probe/probe.py` defines them
    -entropy    the negated entropy of the answers; no probability, so it has no ECE
    pass_rate   of the question's *other* rollouts, even ones for odd and odd for even: what a probe of half as many
                foretells of the next ones
    p_said      geometric mean probability of what the rollout itself said, at the sampling temperature

`majority_share` and `-entropy` come from the same rollouts as what is right, but know no truth. A rollout of one token
at temperature 1 is right with probability p_geo, so that the ECE of p_geo checks how rollouts were drawn; whether the
policy knows what it knows is the ECE of p_said.

AUROC is P(a right rollout has more of the signal than a wrong one), ties a half: the Mann-Whitney statistic. ECE
(expected calibration error, Guo et al., arXiv:1706.04599, eq. 3): ten bins of equal width over 0..1, the mean of
|accuracy - confidence| weighed by the bins' rollouts, accuracy being the share that is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nodes.probe.probe import Bin, Calibration

if TYPE_CHECKING:
    import numpy as np

BINS = 10
NO_PROBABILITY = frozenset({"-entropy"})


def calibrate(signals: Mapping[str, np.ndarray], right: np.ndarray) -> tuple[list[Calibration], list[Bin]]:
    """Return each measured signal's calibration, and the bins of those that are probabilities.

    Args:
        signals: by name (Q, K), or (Q, 1) for one of the question; NaN where it was not measured.
        right: (Q, K) bool.
    """
    import numpy as np

    rows, diagram = [], []
    for name, values in signals.items():
        every = np.broadcast_to(values, right.shape)
        known = ~np.isnan(every)
        signal, hit = every[known], right[known]
        if len(signal):
            bins = [] if name in NO_PROBABILITY else reliability(name, signal, hit)
            ece = (
                sum(row.n * abs(row.accuracy - row.confidence) for row in bins) / len(signal) if bins else float("nan")
            )
            rows.append(Calibration(name, len(signal), int(hit.sum()), auroc(signal, hit), ece))
            diagram += bins
    return rows, diagram


def reliability(name: str, signal: np.ndarray, right: np.ndarray) -> list[Bin]:
    """Return the bins of a signal in 0..1 that hold rollouts; 1 itself is in the last.

    Args:
        signal, right: (N,).
    """
    import numpy as np

    which = np.minimum((signal * BINS).astype(int), BINS - 1)
    sums = [np.bincount(which, weights=values, minlength=BINS) for values in (np.ones(len(signal)), signal, right)]
    return [
        Bin(name, index / BINS, (index + 1) / BINS, int(n), confidence / n, accuracy / n)
        for index, (n, confidence, accuracy) in enumerate(zip(*(each.tolist() for each in sums), strict=True))
        if n
    ]


def auroc(signal: np.ndarray, right: np.ndarray) -> float:
    """Return P(the signal of a right rollout exceeds that of a wrong one), ties a half; NaN without one of either.

    Args:
        signal, right: (N,).
    """
    import numpy as np

    values, which = np.unique(signal, return_inverse=True)
    hits = np.bincount(which, weights=right, minlength=len(values))  # right rollouts at each value, ascending
    misses = np.bincount(which, minlength=len(values)) - hits
    pairs = hits.sum() * misses.sum()
    below = misses.cumsum() - misses
    return float((hits * (below + misses / 2)).sum() / pairs) if pairs else float("nan")


def other_half(right: np.ndarray) -> np.ndarray:
    """Return for each rollout (Q, K) the pass rate of its question's other rollouts: even ones for an odd one, odd ones
    for an even one; NaN for a single rollout."""
    import numpy as np

    if right.shape[1] < 2:
        return np.full(right.shape, np.nan)
    is_odd = np.arange(right.shape[1]) % 2 == 1
    return np.where(is_odd, right[:, ~is_odd].mean(axis=1, keepdims=True), right[:, is_odd].mean(axis=1, keepdims=True))
