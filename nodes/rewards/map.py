"""How well a map is drawn, above chance: 1 for the true one, 0 in expectation for right counts at random places.

S is SpaceR's S_map (`spacer_map.py`) with two changes. Pairs are the best assignment (Hungarian), not greedy. And
chance is taken off: reward = (S - C) / (1 - C), C the mean of S over all 100 shifts of the drawn map, whole and around
the edges of the 10 x 10 cells. The expectation of 0 is exact, by enumeration: a map drawn uniformly at random is
equally likely each of its 100 shifts; all of them have the same C, and their S have the mean C. A map that knows how
its objects lie to each other, and not where in the room, is worth what the place that it happens to take is.

A text without a map, or with one that cannot be read, is worth 0 like chance; a map worse than chance is below 0. A
question without a true map (no trace) gives 0. Categories that the true map lacks do not count.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from nodes.rewards.maps import CELLS, Cell, Map, map_of, true_map

if TYPE_CHECKING:
    import numpy as np

    from nodes.rewards.reward import Batch

SURE = 1 - 1e-9  # a chance of 1 but for rounding: the true map fills the room


def map_above_chance(batch: Batch) -> list[float]:
    """Return how well every rollout draws the true map."""
    return [above_chance(map_of(text), true_map(row)) for text, row in zip(batch.texts, batch.questions, strict=True)]


def above_chance(said: Map | None, true: Map) -> float:
    """Return (S - C) / (1 - C), at most 1; 0 where there is no map to compare, or where every map is right."""
    if not said or not true:
        return 0.0
    placed = [len(cells) * _placed(tuple(said.get(label, ())), tuple(cells)) for label, cells in true.items()]
    scores: Any = sum(placed) / sum(map(len, true.values()))  # (100,)
    chance = scores.mean()
    return float((scores[0] - chance) / (1 - chance)) if chance < SURE else 0.0


@lru_cache(4096)  # the rollouts of a group put many things in the same place
def _placed(said: tuple[Cell, ...], true: tuple[Cell, ...]) -> np.ndarray:
    """Return one category's score (100,) at every shift of what was said, the first of them none.

    What is no cell of the map is nowhere: it counts, and is paired with nothing. So is all of a category with more
    objects than cells.
    """
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    places = [cell for cell in said if cell[0] in range(CELLS) and cell[1] in range(CELLS)]
    if not places or len(said) > CELLS**2:
        return np.zeros(CELLS**2)
    shifts = np.stack(np.divmod(np.arange(CELLS**2), CELLS), axis=1)  # (100, 2)
    moved = (np.array(places) + shifts[:, None]) % CELLS  # (100, M, 2)
    apart = moved[:, :, None] - np.array(true)  # (100, M, N, 2)
    near = np.maximum(0, 1 - np.hypot(apart[..., 0], apart[..., 1]) / (CELLS * math.sqrt(2)))
    if min(near.shape[1:]) == 1:
        best = near.max(axis=(1, 2))
    else:
        best = np.array([each[linear_sum_assignment(each, maximize=True)].sum() for each in near])
    return best / max(len(said), len(true))
