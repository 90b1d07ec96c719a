"""camera_motion: how the camera moved from one image to a later one.

A turn about the vertical of 8 degrees or more is a turn, to the left or right; else it is the largest of six movements
along the level axes of the first camera. Source: SpatialEvo, arXiv:2604.14144; CaMo asks the same. Departs: yaw is
about gravity; margins on both rules; no movement is asked where the camera tilted up or down, no turn where it tilted
more than it turned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.questions.bearing import Cameras, between_deg
from nodes.questions.candidates import choose, options, overlapping
from nodes.questions.draft import Draft
from nodes.questions.programs.api.cameras import MOTIONS, TURN_DEG
from nodes.questions.programs.calls import call
from nodes.questions.task import task
from nodes.questions.tasks.pair import between
from nodes.questions.wording import WORDINGS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes.questions.thresholds import Thresholds
    from nodes.questions.view import SceneView

    Floats = NDArray[np.float64]


@task("camera_motion", shows="pair", needs=("boxes", "instances", "poses"))
def camera_motion(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List "how did the camera move?" of pairs in the order of time."""
    import numpy as np

    cameras, t = Cameras.of(view), view.thresholds
    motion, margin = motions(cameras, t)
    level = cameras.is_level(t)
    valid = np.triu(overlapping(view, cameras), 1) & (motion >= 0) & level[:, None] & level
    first, second = valid.nonzero()
    drafts = []
    for k in choose(motion[first, second], rng).tolist():
        f, g = int(first[k]), int(second[k])
        answer = MOTIONS[motion[f, g]]
        frames = (view.shown[f], view.shown[g])
        drafts.append(
            Draft(
                task="camera_motion",
                template="camera_motion",
                frames=frames,
                prompt=WORDINGS["camera_motion"],
                answer=answer,
                options=options(answer, MOTIONS, rng),
                unit="deg" if motion[f, g] < 2 else "m",
                program=call("camera_motion", *frames),
                margin=float(margin[f, g]),
                lettered=True,
                balance=answer,
                features=between(view, cameras, f, g),
            )
        )
    return drafts


def motions(cameras: Cameras, t: Thresholds) -> tuple[NDArray[np.int64], Floats]:
    """Return of all ordered pairs (F, F) the motion, an index into MOTIONS or -1 where it is unclear, and its margin.

    The margin of a turn is in degrees, to the 8 from which on it counts or to the 180 where left and right meet;
    that of a movement in metres, over the second largest.
    """
    import numpy as np

    turn = between_deg(cameras.heading_deg[:, None], cameras.heading_deg[None])
    tilt = np.abs(cameras.tilt_deg[None] - cameras.tilt_deg[:, None])
    turn_margin = np.minimum(np.abs(turn) - TURN_DEG, 180 - np.abs(turn))
    turned = (np.abs(turn) >= TURN_DEG + t.turn_deg) & (180 - np.abs(turn) >= t.direction_deg) & (np.abs(turn) > tilt)
    moved = cameras.level(cameras.position)  # (F, F, 3): ahead, left, up
    size = np.sort(np.abs(moved), axis=-1)
    axis = np.abs(moved).argmax(-1)
    back = np.take_along_axis(moved, axis[..., None], -1)[..., 0] < 0
    still = (np.abs(turn) <= TURN_DEG - t.turn_deg) & (tilt <= TURN_DEG - t.turn_deg)
    clear = still & (size[..., 2] >= t.motion_min_m) & (size[..., 1] <= (1 - t.motion_gap) * size[..., 2])
    motion = np.where(turned, np.where(turn > 0, 0, 1), np.where(clear, 2 + 2 * axis + back, -1))
    return motion, np.where(turned, turn_margin, size[..., 2] - size[..., 1])
