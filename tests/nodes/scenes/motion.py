"""An independent reference for tests: how a camera moved, by turns about gravity and what is left, and by steps.

Nothing of what the camera tasks compute is used here. Steps are by the camera's axes, or by gravity and its heading.

World z is up. A camera's heading is where it looks on the floor plane, its elevation how far above the horizon, its
roll how far its right axis leans; these three make up its rotation, so turns are told from differences of headings and
never from rotation about a camera's own axis. Looking straight up or down, the heading is that of the picture's edge
which a small tilt to the horizon would raise. Knows nothing of pictures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

ROTATION_DEG = 8.0  # SpatialEvo: from here on a change of heading is what the motion is
STEEP = 1e-3  # shorter horizontal parts of the view direction tell no heading


@dataclass(frozen=True)
class Motion:
    """What takes the first camera to the second.

    yaw_deg: change of heading about world z, -180..180, positive = left, counter-clockwise from above. pitch_deg:
    change of elevation, positive = up. roll_deg: positive = clockwise, as the photographer sees the camera turn.
    turn_deg: angle of the whole rotation, 0..180. Steps in metres: right, down, forward by the first camera's own axes;
    level_right, up, level_forward by gravity and its heading.
    """

    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    turn_deg: float
    right_m: float
    down_m: float
    forward_m: float
    level_right_m: float
    up_m: float
    level_forward_m: float

    @property
    def distance_m(self) -> float:
        """How far the camera went."""
        return math.sqrt(self.right_m**2 + self.down_m**2 + self.forward_m**2)


@dataclass(frozen=True)
class Dominant:
    """What a motion mostly is: "turn left | right" or "move left | right | up | down | forward | backward".

    margin_deg: how far the change of heading is from the boundary between turns and moves. margin_m: of a move, how
    much longer its step is than the next longest one; of a turn, infinite.
    """

    name: str
    margin_deg: float
    margin_m: float


def relative_pose(T_wa: ArrayLike, T_wb: ArrayLike) -> Floats:
    """Return T_ab (4, 4): the second camera's pose in the first's coordinates."""
    import numpy as np

    a, b = np.asarray(T_wa, float), np.asarray(T_wb, float)
    result = np.eye(4)
    result[:3, :3] = a[:3, :3].T @ b[:3, :3]
    result[:3, 3] = a[:3, :3].T @ (b[:3, 3] - a[:3, 3])
    return result


def attitude(T_wc: ArrayLike) -> tuple[float, float, float]:
    """Return a camera's heading (counter-clockwise from world x), elevation and roll, radians.

    Roll is positive where the camera is turned clockwise, its right axis pointing below the horizon.
    """
    import numpy as np

    right, down, forward = np.asarray(T_wc, float)[:3, :3].T
    level = math.hypot(forward[0], forward[1])
    elevation = math.atan2(forward[2], level)
    if level < STEEP:
        # looking down, the picture's top is ahead; looking up, its bottom is
        ahead = -down if forward[2] < 0 else down
        return math.atan2(ahead[1], ahead[0]), elevation, 0.0
    heading = math.atan2(forward[1], forward[0])
    level_right = [math.sin(heading), -math.cos(heading), 0.0]
    cosine = sum(float(a) * b for a, b in zip(right, level_right, strict=True))
    sine = sum(float(a) * b for a, b in zip(down, level_right, strict=True))
    # turned clockwise by r: right = cos r level_right + sin r down_0, so down = -sin r level_right + cos r down_0
    return heading, elevation, math.atan2(-sine, cosine)


def find_motion(T_wa: ArrayLike, T_wb: ArrayLike) -> Motion | None:
    """Return how a camera at T_wa (4, 4) moved to T_wb; None where a pose is not known (not finite)."""
    import numpy as np

    a, b = np.asarray(T_wa, float), np.asarray(T_wb, float)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return None
    (heading, elevation, roll), after = attitude(a), attitude(b)
    pose = relative_pose(a, b)
    step = b[:3, 3] - a[:3, 3]
    c, s = math.cos(heading), math.sin(heading)
    off_axis = [pose[2, 1] - pose[1, 2], pose[0, 2] - pose[2, 0], pose[1, 0] - pose[0, 1]]
    return Motion(
        yaw_deg=_wrapped(after[0] - heading),
        pitch_deg=math.degrees(after[1] - elevation),
        roll_deg=_wrapped(after[2] - roll),
        # by sine and cosine: the arc cosine alone loses half the digits of small turns
        turn_deg=math.degrees(math.atan2(math.hypot(*off_axis), float(np.trace(pose[:3, :3])) - 1)),
        right_m=float(pose[0, 3]),
        down_m=float(pose[1, 3]),
        forward_m=float(pose[2, 3]),
        level_right_m=float(s * step[0] - c * step[1]),
        up_m=float(step[2]),
        level_forward_m=float(c * step[0] + s * step[1]),
    )


def dominant_motion(motion: Motion, *, rotation_deg: float = ROTATION_DEG, level: bool = True) -> Dominant:
    """Return what a motion mostly is, with the margin to being called something else.

    Args:
        rotation_deg: a change of heading from here on is a turn, whatever the steps.
        level: take steps along gravity and the heading, else along the first camera's own axes.
    Source:
        SpatialEvo, arXiv:2604.14144. Departs: yaw about gravity (its own is about world y although z is up); margins.
    """
    margin_deg = abs(abs(motion.yaw_deg) - rotation_deg)
    if abs(motion.yaw_deg) >= rotation_deg:
        return Dominant("turn left" if motion.yaw_deg > 0 else "turn right", margin_deg, math.inf)
    right, up, forward = (
        (motion.level_right_m, motion.up_m, motion.level_forward_m)
        if level
        else (motion.right_m, -motion.down_m, motion.forward_m)
    )
    steps = [(right, "right", "left"), (up, "up", "down"), (forward, "forward", "backward")]
    longest, second, _ = sorted(steps, key=lambda step: -abs(step[0]))
    name = longest[1] if longest[0] >= 0 else longest[2]
    return Dominant(f"move {name}", margin_deg, abs(longest[0]) - abs(second[0]))


def _wrapped(angle_rad: float) -> float:
    """Return an angle in degrees, -180 excluded, 180 included."""
    degrees = math.degrees(angle_rad) % 360.0
    return degrees - 360.0 if degrees > 180.0 else degrees
