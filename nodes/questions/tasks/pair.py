"""Two images: where the second camera stands, how high, and where what the first shows lies from the second.

Source: SpatialEvo, arXiv:2604.14144, its image-pair relations. Departs: positions are in the level plane of the camera,
not in its image plane; asked only of pairs that show `shared_min` objects in common; margins on both sides.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nodes.questions.bearing import Bearing, Cameras, between_deg
from nodes.questions.candidates import choose, named_in, one_way, options, overlapping
from nodes.questions.draft import Draft
from nodes.questions.programs.api.cameras import HEIGHTS, SAME_HEIGHT_M, SECTORS
from nodes.questions.programs.calls import call
from nodes.questions.task import task
from nodes.questions.wording import WORDINGS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes.questions.view import SceneView


def between(view: SceneView, cameras: Cameras, f: int, g: int) -> dict[str, float]:
    """Return the difficulty features of a pair of rows: how far apart the cameras are, in metres and in degrees."""
    apart = math.dist(cameras.position[f].tolist(), cameras.position[g].tolist())
    turn = abs(between_deg(float(cameras.heading_deg[f]), float(cameras.heading_deg[g])))
    return {"apart_m": round(apart, 3), "turn_deg": round(turn, 2)}


@task("camera_position", shows="pair", needs=("boxes", "instances", "poses"))
def camera_position(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List "in which direction does the second camera stand?": eight level sectors, seen from the first camera."""
    cameras, t = Cameras.of(view), view.thresholds
    bearing = Bearing(cameras.level(cameras.position))
    valid = overlapping(view, cameras) & cameras.is_level(t)[:, None]
    valid &= (bearing.sector_margin_deg >= t.direction_deg) & (bearing.apart_m >= t.cameras_apart_m)
    first, second = valid.nonzero()
    drafts = []
    for k in choose(bearing.sector[first, second], rng).tolist():
        f, g = int(first[k]), int(second[k])
        answer = SECTORS[bearing.sector[f, g]]
        frames = (view.shown[f], view.shown[g])
        drafts.append(
            Draft(
                task="camera_position",
                template="camera_position",
                frames=frames,
                prompt=WORDINGS["camera_position"],
                answer=answer,
                options=options(answer, SECTORS, rng),
                unit="deg",
                program=call("camera_position", *frames),
                margin=float(bearing.sector_margin_deg[f, g]),
                lettered=True,
                balance=answer,
                features=between(view, cameras, f, g),
            )
        )
    return drafts


@task("camera_elevation", shows="pair", needs=("boxes", "instances", "poses"))
def camera_elevation(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List "is the second camera higher or lower?"; within .15 m they are about as high."""
    import numpy as np

    cameras = Cameras.of(view)
    height = cameras.position[:, 2]
    rise = height[None] - height[:, None]
    margin = np.abs(np.abs(rise) - SAME_HEIGHT_M)
    valid = overlapping(view, cameras) & one_way(view.n_frames, rng)
    first, second = (valid & (margin >= view.thresholds.same_height_m)).nonzero()
    up = rise[first, second]
    answers = np.where(np.abs(up) <= SAME_HEIGHT_M, 2, np.where(up > 0, 0, 1))
    drafts = []
    for k in choose(answers, rng).tolist():
        f, g = int(first[k]), int(second[k])
        answer = HEIGHTS[answers[k]]
        frames = (view.shown[f], view.shown[g])
        drafts.append(
            Draft(
                task="camera_elevation",
                template="camera_elevation",
                frames=frames,
                prompt=WORDINGS["camera_elevation"],
                answer=answer,
                options=options(answer, HEIGHTS, rng),
                unit="m",
                program=call("camera_elevation", *frames),
                margin=float(margin[f, g]),
                lettered=True,
                balance=answer,
                features=between(view, cameras, f, g),
            )
        )
    return drafts


@task("object_in_other_camera", shows="pair", needs=("boxes", "instances", "poses"))
def object_in_other_camera(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List "where does the bed of the first image lie for the second camera?", in its picture or not.

    Where the second image shows another object of that label, the question would name two.
    """
    cameras, t = Cameras.of(view), view.thresholds
    bearing = Bearing(cameras.level(view.centre))  # of the second camera: (F, N)
    clear = (bearing.sector_margin_deg >= t.direction_deg) & (bearing.apart_m >= t.direction_min_m)
    clear &= cameras.is_level(t)[:, None]
    nameable = named_in(view, "object_in_other_camera")
    valid = overlapping(view, cameras)[:, :, None] & nameable[:, None] & clear[None]
    others = others_glimpsed(view)
    if out := int((valid & others[None]).sum()):
        view.ambiguous["object_in_other_camera"] += out
    valid &= ~others[None]
    first, second, thing = valid.nonzero()
    drafts = []
    for k in choose(bearing.sector[second, thing], rng).tolist():
        f, g, i = int(first[k]), int(second[k]), int(thing[k])
        answer, label = SECTORS[bearing.sector[g, i]], view.labels[i]
        frames = (view.shown[f], view.shown[g])
        drafts.append(
            Draft(
                task="object_in_other_camera",
                template="object_in_other_camera",
                frames=frames,
                prompt=WORDINGS["object_in_other_camera"].format(a=label),
                answer=answer,
                options=options(answer, SECTORS, rng),
                unit="deg",
                program=call("object_in_other_camera", label, *frames),
                margin=float(bearing.sector_margin_deg[g, i]),
                lettered=True,
                balance=answer,
                objects=(i,),
                features=between(view, cameras, f, g),
            )
        )
    return drafts


def others_glimpsed(view: SceneView) -> NDArray[np.bool_]:
    """Tell (F, N) whether a frame shows a pixel of another object of the same label."""
    import numpy as np

    others = np.zeros_like(view.glimpsed)
    for group in view.instances.values():
        if len(group) > 1:
            shown = view.glimpsed[:, group]
            others[:, group] = shown.sum(1, keepdims=True) - shown > 0
    return others
