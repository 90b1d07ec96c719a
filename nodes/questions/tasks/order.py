"""obj_appearance_order: in which order categories first appear in the shown frames.

Source: VSI-Bench, arXiv:2412.14171. Departs: times are those of the shown frames, and the first glimpses must come in
the same order as the first frames in which the objects are seen.
"""

from __future__ import annotations

from itertools import pairwise, permutations
from typing import TYPE_CHECKING

from nodes.questions.draft import Draft
from nodes.questions.programs.calls import call
from nodes.questions.task import task
from nodes.questions.wording import WORDINGS

if TYPE_CHECKING:
    import numpy as np

    from nodes.questions.view import SceneView

N_CATEGORIES = 4  # VSI-Bench
N_OPTIONS = 4  # VSI-Bench
TRIES_A_SLOT = 10


def first_shown(view: SceneView) -> dict[str, tuple[int, int]]:
    """Return by category the positions, among the shown frames, of its first glimpse and of where it is first seen.

    Categories that are seen in none, or of which a box is missing, are left out.
    """
    firsts = {}
    for label, group in view.instances.items():
        seen, glimpsed = (array[:, group].any(1) for array in (view.seen, view.glimpsed))
        if seen.any() and view.complete[label]:  # one without a box may have come earlier
            firsts[label] = (int(glimpsed.argmax()), int(seen.argmax()))
    return firsts


@task("obj_appearance_order", shows="video", needs=("boxes", "instances"))
def obj_appearance_order(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List orders of four categories whose first appearances are `order_gap_s` and one shown frame apart, or more."""
    firsts = first_shown(view)
    labels = list(firsts)
    seconds = view.times
    drafts: list[Draft] = []
    asked: set[tuple[str, ...]] = set()
    for _ in range(TRIES_A_SLOT * limit if len(labels) >= N_CATEGORIES else 0):
        chosen = [labels[i] for i in rng.permutation(len(labels))[:N_CATEGORIES]]
        ranked = sorted(chosen, key=lambda label: firsts[label][1])
        pairs = list(pairwise(ranked))
        gap = min(float(seconds[firsts[b][1]] - seconds[firsts[a][1]]) for a, b in pairs)
        in_order = all(firsts[a][0] < firsts[b][0] and firsts[a][1] < firsts[b][1] for a, b in pairs)
        if in_order and gap >= view.thresholds.order_gap_s and tuple(ranked) not in asked:
            asked.add(tuple(ranked))
            drafts.append(_draft(view, chosen, ranked, gap, rng))
        if len(drafts) == limit:
            break
    return drafts


def _draft(view: SceneView, chosen: list[str], ranked: list[str], gap_s: float, rng: np.random.Generator) -> Draft:
    others = [order for order in permutations(chosen) if list(order) != ranked]
    wrong = [others[i] for i in rng.permutation(len(others))[: N_OPTIONS - 1]]
    right = ", ".join(ranked)
    return Draft(
        task="obj_appearance_order",
        template="obj_appearance_order",
        frames=view.shown,
        prompt=WORDINGS["obj_appearance_order"].format(options=", ".join(chosen)),
        answer=right,
        options=(right, *(", ".join(order) for order in wrong)),
        unit="s",
        program=call("appearance_order", *chosen),
        margin=gap_s,
        lettered=True,
        objects=tuple(i for label in chosen for i in view.instances[label] if view.seen[:, i].any()),
    )
