"""Difficulty features: numbers of a question that may make it hard, the same for all tasks.

`objects` in the scene; `shown` frames; of the objects that it names `seen`, the least share of surface that any shown
frame gives at best, and `alike`, how many others bear one of their labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodes.questions.draft import Draft
    from nodes.questions.view import SceneView


def difficulty(view: SceneView, draft: Draft) -> dict[str, float]:
    """Return the features of a draft by name, its task's own among them."""
    named = list(draft.objects)
    features = {"objects": float(len(view.labels)), "shown": float(len(draft.frames))}
    if named:
        features["alike"] = float(sum(len(view.instances[view.labels[i]]) - 1 for i in named))
        if draft.frames:
            rows = [view.row[f] for f in draft.frames]
            features["seen"] = round(float(view.visibility[rows][:, named].max(0).min()), 4)
    return {**features, **draft.features}
