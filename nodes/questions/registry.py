"""Task functions by name. A task lists drafts: `task(view, limit, rng) -> list[Draft]`, main ones first.

`limit` is the number of questions wanted at most; a task may list more where that helps to balance.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeAlias

from nodes.questions.draft import Draft
from nodes.questions.tasks import counting, direction, distance, image, order, size

if TYPE_CHECKING:
    import numpy as np

    from nodes.questions.view import SceneView

TaskFunction: TypeAlias = "Callable[[SceneView, int, np.random.Generator], list[Draft]]"

# Append, never insert: a task's place decides on which frames it is asked first (see `synthesize`).
IMAGE_TASKS: dict[str, TaskFunction] = {
    "exists": image.exists,
    "count": image.count,
    "closer": image.closer,
    "taller": image.taller,
    "further_left": image.further_left,
}
# VSI-Bench's names.
VIDEO_TASKS: dict[str, TaskFunction] = {
    "object_counting": counting.object_counting,
    "object_abs_distance": distance.object_abs_distance,
    "object_rel_distance": distance.object_rel_distance,
    "object_rel_direction_easy": direction.object_rel_direction_easy,
    "object_rel_direction_medium": direction.object_rel_direction_medium,
    "object_rel_direction_hard": direction.object_rel_direction_hard,
    "object_size_estimation": size.object_size_estimation,
    "room_size_estimation": size.room_size_estimation,
    "obj_appearance_order": order.obj_appearance_order,
}
TASKS: dict[str, TaskFunction] = IMAGE_TASKS | VIDEO_TASKS


def find_task(name: str) -> TaskFunction:
    """Return a task's function. Raises ValueError, with the nearest known name, if there is none."""
    if name not in TASKS:
        near = get_close_matches(name, TASKS, n=1, cutoff=0.0)
        raise ValueError(f"task {name!r}: expected one of {len(TASKS)} known tasks; did you mean {near[0]!r}?")
    return TASKS[name]
