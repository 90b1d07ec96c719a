"""object_abs_distance and object_rel_distance: closest points of oriented boxes. Source: VSI-Bench, arXiv:2412.14171.

Departs: exact distances unless the rule is "vsi" (VSI-Bench samples points, .1 m off in a third of the pairs).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from nodes.questions.candidates import ROUNDING
from nodes.questions.draft import Draft
from nodes.questions.programs.calls import call
from nodes.questions.task import task
from nodes.questions.wording import WORDINGS

if TYPE_CHECKING:
    import numpy as np

    from nodes.questions.view import SceneView

N_OPTIONS = 4  # VSI-Bench
TRIES_A_SLOT = 6  # sets of options drawn for every question wanted
DECIMAL_M = 0.1  # answers have one decimal


@task("object_abs_distance", shows="video", needs=("boxes", "visibility"))
def object_abs_distance(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List distances between two objects, each the only one of its label."""
    pairs = [(a, b) for k, a in enumerate(view.named) for b in view.named[k + 1 :]]
    drafts: list[Draft] = []
    for k in rng.permutation(len(pairs)).tolist():
        if len(drafts) == limit:
            break
        value = view.distance(*pairs[k])
        if value >= view.thresholds.abs_distance_min_m and _decimal_margin(value) >= ROUNDING:
            drafts.append(_absolute(view, pairs[k], value))
    return drafts


def _decimal_margin(value: float) -> float:
    return DECIMAL_M / 2 - abs(value - round(value, 1))


def _absolute(view: SceneView, objects: tuple[int, int], value: float) -> Draft:
    a, b = (view.labels[i] for i in objects)
    return Draft(
        task="object_abs_distance",
        template="object_abs_distance",
        frames=view.shown,
        prompt=WORDINGS["object_abs_distance"].format(a=a, b=b),
        answer=f"{value:.1f}",
        options=(),
        unit="m",
        program=f"round({call('distance', a, b)}, 1)",
        margin=_decimal_margin(value),
        kind="number",
        objects=objects,
    )


@task("object_rel_distance", shows="video", needs=("boxes", "visibility"))
def object_rel_distance(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List "which of these four is the closest to the bed?"; an option's distance is that of its nearest instance.

    Options are any two `rel_distance_gap_m` apart, the closest `rel_distance_min_m` away or more.
    """
    drafts: list[Draft] = []
    asked: set[tuple[str, ...]] = set()
    targets = [view.named[i] for i in rng.permutation(len(view.named))] if len(view.whole_labels) > N_OPTIONS else []
    for attempt in range(TRIES_A_SLOT * limit if targets else 0):
        target = targets[attempt % len(targets)]
        others = [label for label in view.whole_labels if label != view.labels[target]]
        labels = sorted(others[i] for i in rng.permutation(len(others))[:N_OPTIONS])
        if (view.labels[target], *labels) in asked:
            continue
        asked.add((view.labels[target], *labels))
        distances = [view.nearest(target, label) for label in labels]
        if is_clear(distances, view.thresholds.rel_distance_gap_m, view.thresholds.rel_distance_min_m):
            drafts.append(_relative(view, target, labels, distances))
        if len(drafts) == limit:
            break
    return drafts


def is_clear(distances: Sequence[float], gap_m: float, min_m: float) -> bool:
    """Tell whether distances are all `min_m` or more, any two of them more than `gap_m` apart."""
    ranked = sorted(distances)
    return ranked[0] >= min_m and all(b - a > gap_m for a, b in pairwise(ranked))


def _relative(view: SceneView, target: int, labels: list[str], distances: list[float]) -> Draft:
    name = view.labels[target]
    ranked = sorted(zip(distances, labels, strict=True))
    names = [label for _, label in ranked]
    return Draft(
        task="object_rel_distance",
        template="object_rel_distance",
        frames=view.shown,
        # By name, as VSI-Bench lists them in any order but that of distance, which would give the answer away.
        prompt=WORDINGS["object_rel_distance"].format(options=", ".join(labels), a=name),
        answer=names[0],
        options=tuple(names),
        unit="m",
        program=call("closest", name, *labels),
        margin=ranked[1][0] - ranked[0][0],
        lettered=True,
        objects=(target, *(i for label in labels for i in view.instances[label])),
    )
