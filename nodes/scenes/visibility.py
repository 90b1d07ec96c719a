"""What each frame shows of each box: share of its surface, pixels, the time it first appears.

Visibility is the share of a box's surface points that fall inside the image and lie within max(5 cm, 2 %) of
the depth there. The far faces never do, so a whole box in plain view scores about a half at most, less if one
face shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.scenes.camera import project
from nodes.scenes.geometry import out_of_box, surface_points

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SLACK_M = 0.05
SLACK_SHARE = 0.02
SURFACE_POINTS = 150
# An object counts as seen from here on; the same two numbers make a question valid for a frame.
SEEN_VISIBILITY = 0.1
SEEN_PIXELS = 0.002


def visible_share(points: Floats, T_wc: Floats, K: Floats, depth: NDArray[np.float32]) -> float:
    """Return the share 0..1 of world points (M, 3) that an image with this depth (H, W) shows."""
    import numpy as np

    uv, z = project(points, T_wc, K)
    height, width = depth.shape
    inside = (z > 0) & (uv[:, 0] >= 0) & (uv[:, 0] < width) & (uv[:, 1] >= 0) & (uv[:, 1] < height)
    if not inside.any():
        return 0.0
    there = depth[uv[inside, 1].astype(np.int64), uv[inside, 0].astype(np.int64)].astype(np.float64)
    shown = (there > 0) & (np.abs(z[inside] - there) <= np.maximum(SLACK_M, SLACK_SHARE * there))
    return float(shown.sum() / len(points))


def visibility(
    boxes: tuple[Floats, Floats, Floats], T_wc: Floats, K: Floats, depth: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the visible share (F, N) of boxes (centre (N, 3), size (N, 3), rotation (N, 3, 3)) in F frames."""
    import numpy as np

    centre, size, rotation = boxes
    share = np.zeros((len(T_wc), len(centre)), np.float32)
    for i in range(len(centre)):
        points = out_of_box(surface_points(size[i], SURFACE_POINTS), centre[i], rotation[i])
        for f in range(len(T_wc)):
            share[f, i] = visible_share(points, T_wc[f], K, depth[f])
    return share


def count_pixels(instance: NDArray[np.uint16], n_boxes: int) -> NDArray[np.int64]:
    """Return the pixels (F, N) that each box covers in each frame."""
    import numpy as np

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
