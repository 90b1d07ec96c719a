"""object_size_estimation and room_size_estimation. Source: VSI-Bench, arXiv:2412.14171."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.questions.draft import Draft
from nodes.questions.wording import WORDINGS
from nodes.scenes.geometry import polygon_area

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from nodes.questions.view import SceneView


def longest_side_cm(size_m: Iterable[float]) -> float:
    """Return the longest edge of a box in centimetres, not rounded."""
    return 100 * max(size_m)


def object_size_estimation(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List the longest edges of objects that are the only one of their label, in whole centimetres."""
    drafts = []
    for i in view.named:
        value = longest_side_cm(view.size[i].tolist())
        drafts.append(
            Draft(
                task="object_size_estimation",
                template="object_size_estimation",
                frames=view.shown,
                prompt=WORDINGS["object_size_estimation"].format(a=view.labels[i]),
                answer=str(round(value)),
                options=(),
                unit="cm",
                program=f'longest_side_cm("{view.labels[i]}")',
                margin=0.5 - abs(value - round(value)),
                kind="number",
            )
        )
    return [drafts[i] for i in rng.permutation(len(drafts))]


def room_size_estimation(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List the room's floor area in square metres, one decimal; nothing where the area is an assumption.

    Where the walls are, the pictures must show the stated area: boxes that stand apart make a drawn room larger.
    """
    area = float(view.scene.area_m2)
    if view.scene.area_assumed or not area > 0:
        return []
    drawn = polygon_area(view.scene.polygon)
    if view.scene.polygon_assumed and abs(drawn - area) > view.thresholds.room_size_match * area:
        return []
    draft = Draft(
        task="room_size_estimation",
        template="room_size_estimation",
        frames=view.shown,
        prompt=WORDINGS["room_size_estimation"],
        answer=f"{area:.1f}",
        options=(),
        unit="m2",
        program="room_size_m2()",
        margin=0.05 - abs(area - round(area, 1)),
        kind="number",
    )
    return [draft]
