"""region_in_other_camera: where what a region of the first image shows lies from the camera of the second.

A region stands for the point in its middle at the median depth of its pixels. Source: SpatialEvo, arXiv:2604.14144.
Departs: in the level plane; asked only where most of what the region shows lies in the same direction as that point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.questions.bearing import Bearing, Cameras
from nodes.questions.candidates import choose, options, overlapping
from nodes.questions.draft import Draft
from nodes.questions.programs.api.cameras import REGIONS, SECTORS
from nodes.questions.programs.calls import call
from nodes.questions.task import task
from nodes.questions.tasks.pair import between
from nodes.questions.wording import WORDINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from nodes.questions.view import SceneView

    Floats = NDArray[np.float64]

GRID = 4  # pixels looked at along each side of a region
VALID = 0.5  # of them must have a depth
FIRST_IMAGES = 8  # frames whose depth is read: each is a read of its own


@task("region_in_other_camera", shows="pair", needs=("boxes", "instances", "depth", "poses"))
def region_in_other_camera(view: SceneView, limit: int, rng: np.random.Generator) -> list[Draft]:
    """List "where does the top left quarter of the first image lie for the second camera?"."""
    import numpy as np

    cameras, t = Cameras.of(view), view.thresholds
    overlap = overlapping(view, cameras) & cameras.is_level(t)
    rows = np.sort(rng.permutation(view.n_frames)[:FIRST_IMAGES])
    points = region_points(view, rows.tolist())  # (R, 5, 1 + S, 3)
    bearing = Bearing(cameras.level(points.reshape(-1, 3)).reshape(view.n_frames, *points.shape))
    sector, known = bearing.sector, np.isfinite(bearing.angle_deg)  # NaN where a pixel has no depth
    alike = ((sector[..., 1:] == sector[..., :1]) & known[..., 1:]).sum(-1) / np.maximum(known[..., 1:].sum(-1), 1)
    clear = (bearing.sector_margin_deg >= t.direction_deg) & (bearing.apart_m >= t.direction_min_m)
    valid = clear[..., 0] & (alike >= t.region_share) & overlap[rows].T[:, :, None]  # (F, R, 5)
    second, first, region = valid.nonzero()
    drafts = []
    for k in choose(sector[second, first, region, 0], rng).tolist():
        g, f, name = int(second[k]), int(rows[first[k]]), list(REGIONS)[region[k]]
        answer = SECTORS[sector[g, first[k], region[k], 0]]
        frames = (view.shown[f], view.shown[g])
        drafts.append(
            Draft(
                task="region_in_other_camera",
                template="region_in_other_camera",
                frames=frames,
                prompt=WORDINGS["region_in_other_camera"].format(region=name),
                answer=answer,
                options=options(answer, SECTORS, rng),
                unit="deg",
                program=call("region_in_other_camera", name, *frames),
                margin=float(bearing.sector_margin_deg[g, first[k], region[k], 0]),
                lettered=True,
                balance=answer,
                features=between(view, cameras, f, g),
            )
        )
    return drafts


def region_points(view: SceneView, rows: Sequence[int]) -> Floats:
    """Return world points (R, 5, 1 + S, 3) of the regions of shown frames: the one each stands for, then S samples.

    NaN where a sample has no depth, and for the point of a region of which too little has one.
    """
    import numpy as np

    frames = view.scene.frames
    height, width = frames.rgb(view.shown[0]).shape[:2]
    u, v = _grid()
    points = np.full((len(rows), *u.shape, 3), np.nan)
    for r, row in enumerate(rows):
        frame = view.shown[row]
        depth, k, pose = frames.depth(frame), frames.K[frame], np.asarray(frames.T_wc[frame], float)
        z = depth[(v * depth.shape[0]).astype(int), (u * depth.shape[1]).astype(int)].astype(float)
        z[~(np.isfinite(z) & (z > 0))] = np.nan
        for n, known in enumerate(np.isfinite(z[:, 1:])):
            z[n, 0] = np.median(z[n, 1:][known]) if known.mean() >= VALID else np.nan
        x, y = (u * width - k[0, 2]) / k[0, 0] * z, (v * height - k[1, 2]) / k[1, 1] * z
        points[r] = np.stack([x, y, z], -1) @ pose[:3, :3].T + pose[:3, 3]
    return points


def named_regions(view: SceneView) -> list[dict[str, list[float] | None]]:
    """Return of every shown frame the point that each region stands for, by its name, None with too little depth."""
    points = region_points(view, range(view.n_frames))[:, :, 0].tolist() if view.shown else []
    return [{name: None if at[0] != at[0] else at for name, at in zip(REGIONS, row, strict=True)} for row in points]


def _grid() -> tuple[Floats, Floats]:
    """Return columns and rows (5, 1 + S), as shares of the image: the middle of each region, then its samples."""
    import numpy as np

    steps = np.concatenate([[0.5], np.repeat((np.arange(GRID) + 0.5) / GRID, GRID)])
    across = np.concatenate([[0.5], np.tile((np.arange(GRID) + 0.5) / GRID, GRID)])
    top, bottom, left, right = np.array(list(REGIONS.values())).T[:, :, None]
    return left + (right - left) * across, top + (bottom - top) * steps
