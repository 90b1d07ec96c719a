"""object_counting: how many instances of a category the room holds. Source: VSI-Bench, arXiv:2412.14171."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.questions.draft import Draft
from nodes.questions.programs.calls import call
from nodes.questions.task import task
from nodes.questions.vocabulary import shape_name
from nodes.questions.wording import WORDINGS

if TYPE_CHECKING:
    import numpy as np

    from nodes.questions.view import SceneView


@task("object_counting", shows="video", needs=("boxes", "visibility"))
def object_counting(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List counts of `counting_min` instances or more, each of which is seen in a shown frame.

    Coloured boxes are counted as boxes: their labels are their colours.
    """
    drafts = []
    names = sorted({shape_name(label) for label in view.labels})
    for name in names:
        members = [i for i, label in enumerate(view.labels) if shape_name(label) == name]
        # where the source's own count differs from its boxes, neither is to be trusted
        agreed = sum(view.scene.counts.get(label, 0) for label in {view.labels[i] for i in members}) == len(members)
        if agreed and len(members) >= view.thresholds.counting_min and view.seen_shown[members].all():
            drafts.append(_draft(view, name, members))
    return [drafts[i] for i in rng.permutation(len(drafts))]


def _draft(view: SceneView, name: str, members: list[int]) -> Draft:
    return Draft(
        task="object_counting",
        template="object_counting",
        frames=view.shown,
        prompt=WORDINGS["object_counting"].format(a=name),
        answer=str(len(members)),
        options=(),
        unit="objects",
        program=call("count", name),
        margin=1.0,
        kind="number",
        balance=str(len(members)),
        objects=tuple(members),
    )
