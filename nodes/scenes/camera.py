"""Pinhole cameras.

Camera coordinates: x right, y down, z forward. `T_wc` (4, 4) maps camera to world, `K` (3, 3) camera to
pixels. Pixel (row i, column j) covers [j, j+1) x [i, i+1) of the image plane, so its centre is (j + .5, i +
.5). Depth is along z, not along the ray. World: metres, z up.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

NEAR_M = 0.02  # what is nearer is not seen


def intrinsics(size_px: int, fov_deg: float) -> Floats:
    """Return K (3, 3) in pixels of a square image whose full horizontal field of view is `fov_deg`."""
    import numpy as np

    focal = size_px / 2 / math.tan(math.radians(fov_deg) / 2)
    return np.array([[focal, 0.0, size_px / 2], [0.0, focal, size_px / 2], [0.0, 0.0, 1.0]])


def scale_K(K: ArrayLike, image: tuple[int, ...], other: tuple[int, ...]) -> Floats:
    """Return K (..., 3, 3) of an image of `image` rows and columns for one of the same view with `other`."""
    import numpy as np

    scaled = np.array(K, float)
    # pixel centres lie at + .5, so the image plane's coordinates scale as they are
    scaled[..., 0, :] *= other[1] / image[1]
    scaled[..., 1, :] *= other[0] / image[0]
    return scaled


def look_at(eye: ArrayLike, target: ArrayLike) -> Floats:
    """Return T_wc (4, 4) of a level camera at `eye` (3,) looking at `target` (3,), metres.

    Raises:
        ValueError: eye and target coincide or lie on one vertical.
    """
    import numpy as np

    origin = np.asarray(eye, float)
    x, y, z = (float(v) for v in np.asarray(target, float) - origin)
    level, length = math.hypot(x, y), math.sqrt(x * x + y * y + z * z)
    if level < 1e-9:
        raise ValueError(f"look_at from {origin.tolist()}: the view is vertical or empty, right is not defined")
    forward = np.array([x, y, z]) / length
    right = np.array([y / level, -x / level, 0.0])
    # down = forward x right
    down = np.array(
        [
            -forward[2] * right[1],
            forward[2] * right[0],
            forward[0] * right[1] - forward[1] * right[0],
        ]
    )
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = right, down, forward, origin
    return pose


def into_camera(points: ArrayLike, T_wc: ArrayLike) -> Floats:
    """Return world points (..., 3) in camera coordinates (..., 3), metres."""
    import numpy as np

    pose = np.asarray(T_wc, float)
    d = np.asarray(points, float) - pose[:3, 3]
    axes = pose[:3, :3].T
    return np.stack([d[..., 0] * r[0] + d[..., 1] * r[1] + d[..., 2] * r[2] for r in axes], axis=-1)


def project(points: ArrayLike, T_wc: ArrayLike, K: ArrayLike) -> tuple[Floats, Floats]:
    """Return pixels (..., 2) as (u, v) and depth (...,) in metres; u, v are NaN at depth <= 0."""
    import numpy as np

    k = np.asarray(K, float)
    local = into_camera(points, T_wc)
    z = local[..., 2]
    safe = np.where(z > 0, z, np.nan)
    uv = np.stack([local[..., 0] / safe * k[0, 0] + k[0, 2], local[..., 1] / safe * k[1, 1] + k[1, 2]], axis=-1)
    return uv, z


def unproject(depth: NDArray[np.float32], T_wc: ArrayLike, K: ArrayLike) -> Floats:
    """Return the world points (H, W, 3), metres, that an image with this depth (H, W) shows; depth 0: the camera."""
    import numpy as np

    k, pose, z = np.asarray(K, float), np.asarray(T_wc, float), depth.astype(np.float64)
    height, width = depth.shape
    x = (np.arange(width) + 0.5 - k[0, 2]) / k[0, 0] * z
    y = ((np.arange(height) + 0.5 - k[1, 2]) / k[1, 1])[:, None] * z
    return np.stack([x * r[0] + y * r[1] + z * r[2] + r[3] for r in pose[:3]], axis=-1)
