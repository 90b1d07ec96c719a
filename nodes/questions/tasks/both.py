"""Two images that show the same object: in which more of it is visible, and how high, long or wide it is.

Source: SpatialEvo, arXiv:2604.14144. Departs: sizes are the oriented box's own edges, not its extent along the world's
axes; more of an object is visible only if that holds of its surface and of the part of it that faces the camera.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nodes.questions.bearing import Cameras
from nodes.questions.candidates import ROUNDING, both, choose, one_way
from nodes.questions.draft import Draft
from nodes.questions.programs.api.cameras import IMAGES
from nodes.questions.programs.calls import call
from nodes.questions.task import task
from nodes.questions.tasks.pair import between
from nodes.questions.wording import WORDINGS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes.questions.view import SceneView

    Floats = NDArray[np.float64]

ATTRIBUTES = ("height", "length", "width")
AN_OBJECT = 8  # candidates kept of each object


@task("visibility_compare", shows="pair", needs=("boxes", "instances", "poses"))
def visibility_compare(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List "in which image is more of the bed visible?"; a view of fewer sides alone does not make it less."""
    import numpy as np

    cameras = Cameras.of(view)
    gains = [share[:, None] - share[None] for share in (view.visibility, shown_of_facing(view))]
    margin = np.minimum(np.abs(gains[0]), np.abs(gains[1]))  # (F, F, N)
    pairs = one_way(view.n_frames, rng) & cameras.is_known[:, None] & cameras.is_known
    valid = both(view, "visibility_compare") & (margin >= view.thresholds.visibility_gap) & (gains[0] * gains[1] > 0)
    valid &= pairs[..., None]
    first, second, thing = valid.nonzero()
    second_more = (gains[0][first, second, thing] < 0).astype(np.int64)
    drafts = []
    for k in choose(2 * thing + second_more, rng, AN_OBJECT).tolist():
        f, g, i = int(first[k]), int(second[k]), int(thing[k])
        answer, label = IMAGES[second_more[k]], view.labels[i]
        frames = (view.shown[f], view.shown[g])
        drafts.append(
            Draft(
                task="visibility_compare",
                template="visibility_compare",
                frames=frames,
                prompt=WORDINGS["visibility_compare"].format(a=label),
                answer=answer,
                options=(answer, IMAGES[1 - second_more[k]]),
                unit="share",
                program=call("visibility_compare", label, *frames),
                margin=float(margin[f, g, i]),
                lettered=True,
                balance=answer,
                objects=(i,),
                features=between(view, cameras, f, g),
            )
        )
    return drafts


def shown_of_facing(view: SceneView) -> Floats:
    """Return (F, N): the visible share of that part of each box's surface that faces the camera, 0..1.

    A face is turned to the camera if that stands beyond its plane; from inside a box none is, and the share is 0.
    """
    import numpy as np

    local = np.abs(np.einsum("naw,fnaw->fna", view.rotation, (view.cameras[:, None] - view.centre)[:, :, None]))
    area = np.stack([view.size[:, 1] * view.size[:, 2], view.size[:, 0] * view.size[:, 2], view.size[:, :2].prod(1)], 1)
    facing = (area * (local > view.size / 2)).sum(-1) / (2 * area.sum(-1))
    return np.where(facing > 0, np.minimum(view.visibility / np.maximum(facing, 1e-9), 1), 0)


@task("attribute_measurement", shows="pair", needs=("boxes", "instances"))
def attribute_measurement(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List heights, lengths and widths of objects that both images show, in whole centimetres.

    One of the two must show it well, and its box must stand upright, else its height is no edge of it.
    """
    t = view.thresholds
    upright, edges = edges_m(view)
    well = view.visibility >= t.taller_visibility_min
    valid = (
        both(view, "attribute_measurement")
        & (well[:, None] | well[None])
        & (upright >= math.cos(math.radians(t.upright_deg)))
        & one_way(view.n_frames, rng)[..., None]
    )
    first, second, thing = valid.nonzero()
    drafts: list[Draft] = []
    asked: set[int] = set()
    for k in choose(thing, rng, AN_OBJECT).tolist():
        i, frames = int(thing[k]), (view.shown[first[k]], view.shown[second[k]])
        drafts += _attributes(view, i, frames, edges[i].tolist(), 1 if i in asked else 0)
        asked.add(i)
    return drafts


def _attributes(
    view: SceneView, i: int, frames: tuple[int, int], edges: Sequence[float], reserve: int
) -> Iterator[Draft]:
    label = view.labels[i]
    for name, edge in zip(ATTRIBUTES, edges, strict=True):
        value = 100 * edge
        margin = 0.5 - abs(value - round(value))
        if margin >= ROUNDING:
            yield Draft(
                task="attribute_measurement",
                template=f"attribute_measurement.{name}",
                frames=frames,
                prompt=WORDINGS[f"attribute_measurement.{name}"].format(a=label),
                answer=str(round(value)),
                options=(),
                unit="cm",
                program=f"round(100 * {call('attribute', label, name, frame=frames[0])})",
                margin=margin,
                kind="number",
                balance=name,
                objects=(i,),
                reserve=reserve,  # 1: the same number over again, in other images
            )


def edges_m(view: SceneView) -> tuple[Floats, Floats]:
    """Return how upright each box is (N,), the cosine of its steepest axis; height, length, width (N, 3) in metres."""
    import numpy as np

    vertical = np.abs(view.rotation[:, :, 2])
    k = vertical.argmax(1)
    rows = np.arange(len(k))
    level = np.sort(view.size[rows[:, None], (k[:, None] + [1, 2]) % 3], axis=1)
    return vertical[rows, k], np.column_stack([view.size[rows, k], level[:, 1], level[:, 0]])
