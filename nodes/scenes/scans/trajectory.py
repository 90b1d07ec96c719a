"""Trajectories of ARKitScenes: a .traj file's poses, and the pose at a time.

A line a pose, about ten a second: time (s), axis-angle rotation (rad) and translation (m) *from world to camera*.
World: metres, z up; camera: x right, y down, z forward.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

POSE_S = 0.05  # a frame further in time from every pose is lost
ROOM_M = 100.0


def read_trajectory(path: Path) -> tuple[Floats, Floats]:
    """Return times (n,) s, ascending, and poses T_wc (n, 4, 4) of a .traj file; n = 0 if it is not there.

    Raises ValueError with the line: not seven finite numbers, times that do not ascend, metres that are none.
    """
    import numpy as np

    if not path.exists():
        return np.zeros(0), np.zeros((0, 4, 4))
    rows: list[list[float]] = []
    for n, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = [float(word) for word in line.split()]
        except ValueError:
            raise ValueError(f"{path}: line {n}: {line[:60]!r}, expected seven numbers") from None
        if len(row) != 7 or not np.isfinite(row).all():
            raise ValueError(f"{path}: line {n}: {line[:60]!r}, expected time, rotation (3) and translation (3)")
        if rows and row[0] <= rows[-1][0]:
            raise ValueError(f"{path}: line {n}: time {row[0]} after {rows[-1][0]}, expected times that ascend")
        if max(map(abs, row[4:])) > ROOM_M:
            raise ValueError(f"{path}: line {n}: translation {row[4:]}, expected metres, at most {ROOM_M:g}")
        rows.append(row)
    table = np.array(rows).reshape(-1, 7)
    return table[:, 0], _inverted(table[:, 1:4], table[:, 4:])


def _inverted(rotation_rad: Floats, translation: Floats) -> Floats:
    """Return T_wc (n, 4, 4) of poses from world to camera: x_camera = R x_world + t."""
    import numpy as np
    from scipy.spatial.transform import Rotation

    T_wc = np.tile(np.eye(4), (len(rotation_rad), 1, 1))
    if len(rotation_rad):
        turned = Rotation.from_rotvec(rotation_rad).as_matrix().transpose(0, 2, 1)
        T_wc[:, :3, :3] = turned
        T_wc[:, :3, 3] = -(turned @ translation[:, :, None])[:, :, 0]
    return T_wc


def is_near(at: Floats, times: Floats) -> NDArray[np.bool_]:
    """Tell which times (n,) s have one of `times` (ascending) within POSE_S."""
    import numpy as np

    padded = np.concatenate([[-np.inf], times, [np.inf]])
    after = np.searchsorted(padded, at)
    return np.minimum(at - padded[after - 1], padded[after] - at) <= POSE_S + 1e-6


def pose_at(time_s: float, times: Floats, T_wc: Floats) -> Floats | None:
    """Return the pose at a time, None if no pose is within POSE_S.

    Between two poses that are both near it is interpolated: at ten poses a second and a hand's speed, the nearest alone
    is off by centimetres and degrees.
    """
    import numpy as np
    from scipy.spatial.transform import Rotation, Slerp

    beside = around(times, time_s)
    near, poses = times[beside], T_wc[beside]
    close = np.abs(near - time_s) <= POSE_S + 1e-6
    if not close.any():
        return None
    # one neighbour may be a little late: the other must then be as early
    if len(near) == 2 and near[1] - near[0] <= 2 * POSE_S + 2e-3 and near[0] < time_s < near[1]:
        share = (time_s - near[0]) / (near[1] - near[0])
        pose = np.eye(4)
        pose[:3, :3] = Slerp([0, 1], Rotation.from_matrix(poses[:, :3, :3]))(share).as_matrix()
        pose[:3, 3] = (1 - share) * poses[0, :3, 3] + share * poses[1, :3, 3]
        return pose
    return poses[int(np.abs(near - time_s).argmin())]


def around(times: Floats, time_s: float) -> slice:
    """Return the places of the times before and after, one of them at an end."""
    import numpy as np

    after = int(np.searchsorted(times, time_s))
    return slice(max(after - 1, 0), min(after + 1, len(times)))
