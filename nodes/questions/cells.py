"""The map of a room that an answer may draw: 10 x 10 cells, category -> cells of its objects' centres.

Source: SpaceR, arXiv:2504.01805, after VSI-Bench's cognitive maps. Its papers leave open how metres become cells: here
the room is seen from above, y up where the first shown frame looks and x to its right (the scene's own axes, which no
picture tells, where there is no frame), and the smallest square around all boxes is cut into 10 x 10.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from nodes.questions.vocabulary import plural, shape_name
from nodes.rewards.maps import CELLS

if TYPE_CHECKING:
    import numpy as np

    from nodes.questions.view import SceneView

LEVEL_MIN = 1e-6
Map = dict[str, list[list[int]]]


def draw_map(view: SceneView, categories: Iterable[str]) -> Map:
    """Return the cells [x, y], 0..9, of the seen objects of each category, categories in alphabetical order.

    Args:
        categories: labels, or shapes of coloured boxes; those that no seen object has are left out.
    """
    import numpy as np

    if not view.labels:
        return {}
    axes = _axes(view)
    flat = view.corners[..., :2].reshape(-1, 2) @ axes
    low = flat.min(0)
    side = max(float((flat.max(0) - low).max()), 1e-6)
    # to the micrometre: the last bits of a coordinate differ between machines
    cells = np.clip(np.floor(np.round((view.centre[:, :2] @ axes - low) / side * CELLS, 6)), 0, CELLS - 1).astype(int)
    found: Map = {}
    for name in sorted(set(categories)):
        members = [i for i, label in enumerate(view.labels) if name in (label, shape_name(label))]
        seen = [cells[i].tolist() for i in members if view.seen_shown[i]]
        if seen:
            found[name] = seen
    return found


def _axes(view: SceneView) -> np.ndarray:
    """Return (2, 2): the map's axes as columns, in the level plane of the scene."""
    import numpy as np

    if not view.shown or "poses" in view.lacks:
        return np.eye(2)
    ahead = np.asarray(view.scene.frames.T_wc[view.shown[0]], dtype=float)[:2, 2]
    length = float(np.hypot(*ahead))
    if length < LEVEL_MIN:  # it looks straight up or down
        return np.eye(2)
    x, y = ahead / length
    return np.array([[y, x], [-x, y]])


def categories_in(text: str, names: Iterable[str]) -> list[str]:
    """Return which names a text mentions, in singular or plural; of names within names the longest.

    Example:
        >>> categories_in("Is the table lamp left of the chairs?", ["chair", "lamp", "table", "table lamp"])
        ['chair', 'table lamp']
    """
    words = {form.lower(): name for name in names for form in (plural(name), name)}
    pattern = "|".join(re.escape(form) for form in sorted(words, key=lambda form: (-len(form), form)))
    if not pattern:
        return []
    return sorted({words[found.lower()] for found in re.findall(rf"(?<!\w)(?:{pattern})(?!\w)", text, re.IGNORECASE)})
