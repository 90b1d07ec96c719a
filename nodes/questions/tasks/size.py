"""object_size_estimation and room_size_estimation. Source: VSI-Bench, arXiv:2412.14171."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.questions.candidates import ROUNDING
from nodes.questions.draft import Draft
from nodes.questions.programs.calls import call
from nodes.questions.task import task
from nodes.questions.wording import WORDINGS
from nodes.scenes.geometry import polygon_area

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from nodes.questions.view import SceneView


def longest_side_cm(size_m: Iterable[float]) -> float:
    """Return the longest edge of a box in centimetres, not rounded."""
    return 100 * max(size_m)


@task("object_size_estimation", shows="video", needs=("boxes", "visibility"))
def object_size_estimation(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List the longest edges of objects that are the only one of their label, in whole centimetres."""
    drafts = []
    for i in view.named:
        value = longest_side_cm(view.size[i].tolist())
        margin = 0.5 - abs(value - round(value))
        if margin < ROUNDING:
            continue
        drafts.append(
            Draft(
                task="object_size_estimation",
                template="object_size_estimation",
                frames=view.shown,
                prompt=WORDINGS["object_size_estimation"].format(a=view.labels[i]),
                answer=str(round(value)),
                options=(),
                unit="cm",
                program=f"round(100 * {call('longest_side', view.labels[i])})",
                margin=margin,
                kind="number",
                objects=(i,),
            )
        )
    return [drafts[i] for i in rng.permutation(len(drafts))]


@task("room_size_estimation", shows="video", needs=("area",))
def room_size_estimation(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List the room's floor area in square metres, one decimal; nothing where the area is an assumption.

    Where the walls are, the pictures must show the stated area: boxes that stand apart make a drawn room larger.
    """
    area = view.scene.area_m2
    if area is None or view.scene.area_assumed or not area > 0:
        return []
    drawn = polygon_area(view.scene.polygon)
    if view.scene.polygon_assumed and view.shown and abs(drawn - area) > view.thresholds.room_size_match * area:
        return []
    margin = 0.05 - abs(area - round(area, 1))
    if margin < ROUNDING:
        return []
    draft = Draft(
        task="room_size_estimation",
        template="room_size_estimation",
        frames=view.shown,
        prompt=WORDINGS["room_size_estimation"],
        answer=f"{area:.1f}",
        options=(),
        unit="m2",
        program="round(room_size(), 1)",
        margin=margin,
        kind="number",
    )
    return [draft]
