"""Arms of an experiment as curves: what their rounds cost, how accurate they were, and what an accuracy takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from nodes.report.points import Points
from store.collection import Collection

if TYPE_CHECKING:
    import numpy as np

SLACK = 1e-6  # accuracies are stored in float32
AXES = ("trained", "generated", "tokens")


class Curves(NamedTuple):
    """The runs of one arm, S seeds of R rounds."""

    cost: dict[str, np.ndarray]  # by axis (R,): the mean over seeds
    sums: np.ndarray  # (S, R, C): of accuracy, by test scene
    sizes: np.ndarray  # (C,): questions of each scene
    old: np.ndarray  # (S, R)

    def means(self) -> np.ndarray:
        """Return mean accuracy, (S, R)."""
        means: np.ndarray = self.sums.sum(-1) / self.sizes.sum()
        return means


def read_arms(points: Collection[Points]) -> dict[str, Curves]:
    """Return the curves of every arm, seeds in the order of their names; an arm is a name up to its first comma.

    Raises:
        ValueError: arms have other seeds or test questions.
    """
    import numpy as np

    runs: dict[str, dict[str, Points]] = {}
    for name in sorted(points):
        arm, _, seed = name.partition(",")
        runs.setdefault(arm, {})[seed] = points[name]
    seeds = sorted({seed for group in runs.values() for seed in group})
    first = next(iter(points.values()))
    for arm, group in runs.items():
        if list(group) != seeds:
            raise ValueError(f"report.efficiency: arm {arm!r} has {', '.join(group)}, expected {', '.join(seeds)}")
        if any(run.scenes != first.scenes for run in group.values()):
            raise ValueError(f"report.efficiency: arm {arm!r} has other test questions than {next(iter(points))!r}")
    _, number = np.unique(first.scenes, return_inverse=True)
    in_scene = np.eye(int(number.max()) + 1)[number]  # (Q, C)
    return {
        arm: Curves(
            {
                axis: np.mean([[getattr(row, axis) for row in run.rows] for run in group.values()], axis=0)
                for axis in AXES
            },
            np.stack([run.accuracy @ in_scene for run in group.values()]),
            in_scene.sum(0),
            np.array([[row.old for row in run.rows] for run in group.values()]),
        )
        for arm, group in runs.items()
    }


def default_accuracies(plain: Curves) -> list[float]:
    """Return four accuracies that the plain arm passes, less those alike: 1/4, 1/2, 3/4 of its way, and its end."""
    from scipy.optimize import isotonic_regression

    curve = isotonic_regression(plain.means().mean(0)).x
    low, high = float(curve[0]), float(curve[-1])
    # rounded down: the end, rounded up, would be passed by nobody
    way = [low + share * (high - low) for share in (0.25, 0.5, 0.75, 1.0)]
    return list(dict.fromkeys(math.floor(1000 * (level + SLACK)) / 1000 for level in way))


def needs(cost: np.ndarray, accuracy: np.ndarray, levels: Sequence[float]) -> list[float]:
    """Return the costs at which a curve reaches each level: isotonic, linear between points; infinite if never."""
    import numpy as np
    from scipy.optimize import isotonic_regression

    order = np.argsort(cost, kind="stable")
    x, y = cost[order], isotonic_regression(accuracy[order]).x
    found = []
    for level in levels:
        at = int(np.searchsorted(y, level - SLACK))  # the first point that is there
        if at == len(y):
            found.append(float("inf"))
        elif at == 0:
            found.append(float(x[0]))
        else:
            found.append(float(x[at - 1] + (x[at] - x[at - 1]) * (level - y[at - 1]) / (y[at] - y[at - 1])))
    return found
