"""One image: where an object lies from the camera, how far it is, and which of two is nearer along the view.

Source: SpatialEvo, arXiv:2604.14144, its single-image relations. Departs: level means across gravity, distances are to
the closest point of the oriented box, and nothing is asked within a margin of where the answer would change, on both
sides. "Nearer" must hold of the boxes' nearest points and of their centres.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.questions.bearing import Bearing, Cameras
from nodes.questions.candidates import ROUNDING, choose, named_in, options
from nodes.questions.draft import Draft
from nodes.questions.programs.api.cameras import SECTORS
from nodes.questions.programs.calls import call
from nodes.questions.task import task
from nodes.questions.wording import WORDINGS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes.questions.view import SceneView

STEEP = {1: " and above", -1: " and below", 0: ""}
# What a picture shows lies in front: other directions would be no options but decoration.
AHEAD = ("front", "front-left", "front-right")
DIRECTIONS = tuple(sector + steep for sector in AHEAD for steep in STEEP.values())
DECIMAL_M = 0.1
AN_OBJECT = 6  # candidates kept of each object, in different frames or beside different others


@task("camera_direction", shows="image", needs=("boxes", "instances", "poses"))
def camera_direction(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List "in which direction does the bed lie?": a level sector of 45 degrees, and above or below."""
    import numpy as np

    cameras, t = Cameras.of(view), view.thresholds
    bearing = Bearing(cameras.level(view.centre))
    margin = np.minimum(bearing.sector_margin_deg, bearing.steep_margin_deg)
    clear = (bearing.sector_margin_deg >= t.direction_deg) & (bearing.steep_margin_deg >= t.steep_deg)
    valid = (
        named_in(view, "camera_direction")
        & clear
        & (bearing.apart_m >= t.direction_min_m)
        & cameras.is_level(t)[:, None]
    )
    valid &= np.isin(bearing.sector, [SECTORS.index(name) for name in AHEAD])
    row, thing = valid.nonzero()
    answers = 3 * bearing.sector[row, thing] + bearing.steep[row, thing]
    drafts = []
    for k in choose(answers, rng).tolist():
        f, i = int(row[k]), int(thing[k])
        answer = SECTORS[bearing.sector[f, i]] + STEEP[int(bearing.steep[f, i])]
        frame, label = view.shown[f], view.labels[i]
        drafts.append(
            Draft(
                task="camera_direction",
                template="camera_direction",
                frames=(frame,),
                prompt=WORDINGS["camera_direction"].format(a=label),
                answer=answer,
                options=options(answer, DIRECTIONS, rng),
                unit="deg",
                program=call("camera_direction", label, frame=frame),
                margin=float(margin[f, i]),
                lettered=True,
                balance=answer,
                objects=(i,),
            )
        )
    return drafts


@task("camera_distance", shows="image", needs=("boxes", "instances", "poses"))
def camera_distance(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List distances from the camera to the closest point of an object's box, in metres with one decimal."""
    import numpy as np

    metres, _ = view.camera_distance
    margin = DECIMAL_M / 2 - np.abs(metres - np.round(metres, 1))
    nameable = named_in(view, "camera_distance")
    row, thing = (nameable & (metres >= view.thresholds.abs_distance_min_m) & (margin >= ROUNDING)).nonzero()
    drafts = []
    for k in choose(thing, rng, AN_OBJECT).tolist():
        f, i = int(row[k]), int(thing[k])
        frame, label = view.shown[f], view.labels[i]
        drafts.append(
            Draft(
                task="camera_distance",
                template="camera_distance",
                frames=(frame,),
                prompt=WORDINGS["camera_distance"].format(a=label),
                answer=f"{metres[f, i]:.1f}",
                options=(),
                unit="m",
                program=f"round({call('camera_distance', label, frame=frame)}, 1)",
                margin=float(margin[f, i]),
                kind="number",
                objects=(i,),
            )
        )
    return drafts


@task("depth_order", shows="image", needs=("boxes", "instances", "poses"))
def depth_order(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List "which is nearer along the viewing direction?", where both readings agree by the margin.

    SpatialEvo answers "same" within .15 m; a difference so small is not asked here.
    """
    import numpy as np

    a, b = np.triu_indices(len(view.labels), 1)
    gain = nearer_m(view, a, b)
    nameable = named_in(view, "depth_order")
    row, pair = (nameable[:, a] & nameable[:, b] & (gain != 0)).nonzero()
    winner = np.where(gain[row, pair] > 0, a[pair], b[pair])
    drafts = []
    for k in choose(winner, rng, AN_OBJECT).tolist():
        f, p = int(row[k]), int(pair[k])
        frame, near, far = view.shown[f], int(winner[k]), int(a[p] + b[p] - winner[k])
        first, second = (view.labels[i] for i in (a[p], b[p]))
        drafts.append(
            Draft(
                task="depth_order",
                template="depth_order",
                frames=(frame,),
                prompt=WORDINGS["depth_order"],
                answer=view.labels[near],
                options=(view.labels[near], view.labels[far]),
                unit="m",
                program=call("depth_order", first, second, frame=frame),
                margin=abs(float(gain[f, p])),
                lettered=True,
                objects=(near, far),
            )
        )
    return drafts


def nearer_m(view: SceneView, a: NDArray[np.intp], b: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return (F, P): by how much, in metres, a (P,) is nearer along the view than b (P,); negative: b is nearer.

    The smaller of the two readings; 0 where they disagree or one is below the margin.
    """
    import numpy as np

    t = view.thresholds
    gains, clear = [], np.ones((view.n_frames, len(a)), bool)
    for depth in depths(view):
        gain = depth[:, b] - depth[:, a]
        clear &= np.abs(gain) >= np.maximum(t.closer_m, t.closer_ratio * np.maximum(depth[:, a], depth[:, b]))
        gains.append(gain)
    clear &= gains[0] * gains[1] > 0
    return np.where(clear, np.sign(gains[0]) * np.minimum(np.abs(gains[0]), np.abs(gains[1])), 0)


def depths(view: SceneView) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (F, N) twice: metres along the view to the nearest point of each box (0 behind) and to its centre."""
    import numpy as np

    cameras = Cameras.of(view)
    forward = cameras.T_wc[:, :3, 2]
    centre = np.einsum("fw,fnw->fn", forward, view.centre - cameras.position[:, None])
    reach = (np.abs(np.einsum("fw,naw->fna", forward, view.rotation)) * view.size / 2).sum(-1)
    return np.maximum(centre - reach, 0), centre
