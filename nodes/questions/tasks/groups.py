"""count_identity, count_attribute, count_category: counting things of one kind, with a property, of several kinds.

Source: KubriCount's levels of granularity 1 to 3, as far as annotated boxes tell them. Identity: the same label and, of
coloured boxes, the same colour. Attribute: a colour across shapes where labels bear one; else, of one label, a height
over a limit that no instance is near. Category: two or more labels of one of `categories.py`. Validity is that of
object_counting: every counted thing is seen in a shown frame, and the source's own counts agree with its boxes.

`level` is the level; `gap` how far the count is from what one gets who counts a level too coarse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.questions.categories import MEMBERS, counted
from nodes.questions.draft import Draft
from nodes.questions.programs.calls import call
from nodes.questions.task import task
from nodes.questions.vocabulary import is_coloured_box, plural, short_name
from nodes.questions.wording import WORDINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from nodes.questions.view import SceneView

HEIGHTS_M = (0.5, 1.0, 1.5)  # of what stands in rooms: low tables, chairs, doors lie between these


@task("count_identity", shows="video", needs=("boxes", "visibility"))
def count_identity(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List "How many chairs are in this room?": `counting_min` or more of one label."""
    drafts = []
    for label, members in view.instances.items():
        if len(members) >= view.thresholds.counting_min and is_countable(view, members):
            coarser = _of_category(view, label)
            asked = WORDINGS["count_identity"].format(a=plural(label))
            drafts.append(_draft(view, "count_identity", 1, asked, members, coarser, call("count_identical", label)))
    return [drafts[i] for i in rng.permutation(len(drafts))]


@task("count_attribute", shows="video", needs=("boxes", "visibility"))
def count_attribute(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List "How many things in this room are red?" and "How many chairs in this room are taller than 1 meter?"."""
    drafts = []
    if view.labels and all(map(is_coloured_box, view.labels)):
        everything = range(len(view.labels))
        for colour in sorted({short_name(label) for label in view.labels}):
            members = [i for i in everything if short_name(view.labels[i]) == colour]
            if len(members) >= view.thresholds.counting_min and is_countable(view, everything):
                asked = WORDINGS["count_attribute.colour"].format(a=colour)
                program = call("count_coloured", colour)
                drafts.append(_draft(view, "count_attribute.colour", 2, asked, members, len(view.labels), program))
    for label, members in view.instances.items():
        if len(members) >= view.thresholds.counting_min and is_countable(view, members):
            drafts += [draft for height in HEIGHTS_M for draft in _taller(view, label, members, height)]
    return [drafts[i] for i in rng.permutation(len(drafts))]


def _taller(view: SceneView, label: str, members: list[int], height_m: float) -> list[Draft]:
    """List the count of those taller than a limit; nothing where one is near it, and where it is none or all of them.

    The margin is how far the nearest height is from the limit.
    """
    heights = view.heights[members]
    taller = [i for i, height in zip(members, heights.tolist(), strict=True) if height > height_m]
    away = float(abs(heights - height_m).min())
    if away < view.thresholds.taller_ratio * height_m or len(taller) in (0, len(members)):
        return []
    asked = WORDINGS["count_attribute.taller"].format(a=plural(label), b=height_m)
    program = call("count_taller", label, height_m)
    return [_draft(view, "count_attribute.taller", 2, asked, taller, len(members), program, away)]


@task("count_category", shows="video", needs=("boxes", "visibility"))
def count_category(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List "How many screens are in this room?", where the room has two or more kinds of them.

    Not asked in a room with a thing that some would count and some not, or of which nothing is known.
    """
    drafts = []
    there = set(view.labels) | {label for label, number in view.scene.counts.items() if number}  # with a box or without
    for category in sorted(MEMBERS):
        labels = counted(category, there) or []
        if not all(label in view.instances for label in labels):
            continue
        members = [i for label in labels for i in view.instances[label]]
        if len(labels) >= 2 and is_countable(view, members):
            asked = WORDINGS["count_category"].format(a=category)
            program = call("count_any", *labels)
            drafts.append(_draft(view, "count_category", 3, asked, members, len(view.labels), program))
    return [drafts[i] for i in rng.permutation(len(drafts))]


def is_countable(view: SceneView, members: Sequence[int]) -> bool:
    """Tell whether every object is seen in a shown frame, and the source counts as many of its label as there are."""
    labels = {view.labels[i] for i in members}
    agreed = all(view.scene.counts.get(label, 0) == len(view.instances[label]) for label in labels)
    return agreed and bool(view.seen_shown[list(members)].all())


def _of_category(view: SceneView, label: str) -> int:
    """Return how many objects there are of the first category that the label is certainly of, else of the label."""
    group = next((members for members in MEMBERS.values() if label in members), (label,))
    return sum(name in group for name in view.labels)


def _draft(
    view: SceneView,
    template: str,
    level: int,
    prompt: str,
    members: Sequence[int],
    coarser: int,
    program: str,
    margin: float = 1.0,
) -> Draft:
    return Draft(
        task=template.split(".")[0],
        template=template,
        frames=view.shown,
        prompt=prompt,
        answer=str(len(members)),
        options=(),
        unit="objects",
        program=program,
        margin=margin,
        kind="number",
        balance=str(len(members)),
        objects=tuple(members),
        features={"level": float(level), "gap": float(coarser - len(members))},
    )
