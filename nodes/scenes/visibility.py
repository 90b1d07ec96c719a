"""What each frame shows of each object: share of its surface, pixels, the time it first appears.

Visibility is the share of an object's surface points that fall inside the image and lie within max(5 cm, 2 %) of the
depth there; what falls inside the image and lies behind the depth there is hidden. A box's far faces are always hidden,
so a whole box in plain view scores about a half at most, less if one face shows. Points of a scan lie on what was seen.
Where depth is not known (0, not finite) a point is neither shown nor hidden; a pose that is not finite shows nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nodes.scenes.camera import scale_K
from nodes.scenes.geometry import are_finite, out_of_box, surface_points

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SLACK_M = 0.05
SLACK_SHARE = 0.02
SURFACE_POINTS = 150
POINTS_AT_ONCE = 1 << 14
# An object counts as seen from here on; the same two numbers make a question valid for a frame.
SEEN_VISIBILITY = 0.1
SEEN_PIXELS = 0.002


def visible_share(points: Floats, T_wc: Floats, K: Floats, depth: NDArray[np.float32]) -> float:
    """Return the share 0..1 of world points (M, 3) that an image with this depth (H, W) shows."""
    return float(visible_shares([points], T_wc[None], K, depth[None])[0][0, 0])


def visibility(
    boxes: tuple[Floats, Floats, Floats], T_wc: Floats, K: Floats, depth: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the visible share (F, N) of boxes (centre (N, 3), size (N, 3), rotation (N, 3, 3)) in F frames."""
    return visible_shares(box_points(boxes), T_wc, K, depth)[0]


def box_points(boxes: tuple[Floats, Floats, Floats]) -> list[Floats]:
    """Return points (M, 3) over each box's surface, M about SURFACE_POINTS; none of a box that is not finite."""
    import numpy as np

    return [
        out_of_box(surface_points(size, SURFACE_POINTS), centre, rotation) if is_finite else np.zeros((0, 3))
        for is_finite, centre, size, rotation in zip(are_finite(*boxes), *boxes, strict=True)
    ]


def visible_shares(
    points: Sequence[Floats],
    T_wc: Floats,
    K: Floats,
    depth: NDArray[np.float32],
    image: tuple[int, int] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return which share of each object's points each frame shows, and which it hides behind something: (F, N) twice.

    Args:
        points: of each of N objects, (M, 3) world points on its surface; an object without points has share 0.
        T_wc: (F, 4, 4). K: (3, 3) or (F, 3, 3), px. depth: (F, h, w) metres along z.
        image: rows and columns of the picture that K belongs to, where depth is of another resolution.
    """
    import numpy as np

    counts = np.array([len(part) for part in points], np.int64)
    n_frames, n_points = len(T_wc), int(counts.sum())
    shown, hidden = np.zeros((n_frames, len(points))), np.zeros((n_frames, len(points)))
    if not n_points or not n_frames:
        return shown.astype(np.float32), hidden.astype(np.float32)
    cloud = np.concatenate([np.asarray(part, float).reshape(-1, 3) for part in points]).T
    owner = np.repeat(np.arange(len(points)), counts)
    K = np.broadcast_to(scale_K(K, image or depth.shape[1:], depth.shape[1:]), (n_frames, 3, 3))
    step = max(1, POINTS_AT_ONCE // n_points)
    for start in range(0, n_frames, step):
        some = slice(start, start + step)
        frame, point, is_shown = _compare(cloud, T_wc[some], K[some], depth[some])
        for total, chosen in ((shown, is_shown > 0), (hidden, is_shown < 0)):
            place = frame[chosen] * len(points) + owner[point[chosen]]
            sums = np.bincount(place, minlength=len(T_wc[some]) * len(points))
            total[some] = sums.reshape(-1, len(points)) / np.maximum(counts, 1)
    return shown.astype(np.float32), hidden.astype(np.float32)


def _compare(
    cloud: Floats, T_wc: Floats, K: Floats, depth: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int8]]:
    """Return frame and point of everything inside an image where depth is known, and 1 if shown, -1 if hidden, else
    0."""
    import numpy as np

    height, width = depth.shape[1:]
    T_wc = np.where(np.isfinite(T_wc).all((1, 2), keepdims=True), T_wc, 0.0)  # axes of length 0: all points at z = 0
    d = [cloud[k] - T_wc[:, k, 3, None] for k in range(3)]  # (F, P)
    x, y, z = (d[0] * T_wc[:, 0, k, None] + d[1] * T_wc[:, 1, k, None] + d[2] * T_wc[:, 2, k, None] for k in range(3))
    ahead = z > 0
    safe = np.where(ahead, z, 1.0)
    u, v = x / safe * K[:, 0, 0, None] + K[:, 0, 2, None], y / safe * K[:, 1, 1, None] + K[:, 1, 2, None]
    frame, point = np.nonzero(ahead & (u >= 0) & (u < width) & (v >= 0) & (v < height))
    row, column = v[frame, point].astype(np.int64), u[frame, point].astype(np.int64)
    there = depth[frame, row, column].astype(np.float64)
    known = np.isfinite(there) & (there > 0)
    frame, point, there = frame[known], point[known], there[known]
    behind, slack = z[frame, point] - there, np.maximum(SLACK_M, SLACK_SHARE * there)
    return frame, point, (np.abs(behind) <= slack).astype(np.int8) - (behind > slack)


def count_pixels(instance: NDArray[np.uint16], n_boxes: int) -> NDArray[np.int64]:
    """Return the pixels (F, N) that each box covers in each frame."""
    import numpy as np

    if not len(instance):
        return np.zeros((0, n_boxes), np.int64)
    counts = [np.bincount(frame.ravel(), minlength=n_boxes + 1)[1 : n_boxes + 1] for frame in instance]
    return np.stack(counts).astype(np.int64)


def first_seen(
    share: NDArray[np.float32], pixels: NDArray[np.int64], n_pixels: int, time_s: Floats
) -> NDArray[np.float64]:
    """Return when each box is first seen (N,) in seconds, NaN if never: visibility >= .1 and >= .2 % of the pixels."""
    import numpy as np

    seen = (share >= SEEN_VISIBILITY) & (pixels >= SEEN_PIXELS * n_pixels)
    first = np.where(seen.any(0), seen.argmax(0), 0)
    return np.where(seen.any(0), np.asarray(time_s, float)[first], np.nan)
