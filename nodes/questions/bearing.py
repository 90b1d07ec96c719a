"""Where things lie around the cameras of the shown frames, in the level plane, for all frames and points at once.

Level is across gravity (world z), however a camera is tilted; ahead is where it looks. Angles are counter-clockwise
from above, so left is positive. The same definitions as the scene API's, from which programs are made. A camera whose
pose is not known (NaN) is not level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from nodes.questions.programs.api.cameras import SECTOR_DEG, SECTORS, STEEP

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes.questions.thresholds import Thresholds
    from nodes.questions.view import SceneView

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

STEEP_DEG = math.degrees(math.atan(STEEP))


@dataclass(frozen=True)
class Cameras:
    """The cameras of F frames: T_wc (F, 4, 4)."""

    T_wc: Floats

    @classmethod
    def of(cls, view: SceneView) -> Cameras:
        """Return the cameras of the shown frames."""
        import numpy as np

        return cls(np.asarray(view.scene.frames.T_wc, dtype=float)[list(view.shown)])

    @property
    def position(self) -> Floats:
        """(F, 3) metres."""
        return self.T_wc[:, :3, 3]

    @cached_property
    def heading_deg(self) -> Floats:
        """(F,): which way they look in the level plane, counter-clockwise from world x."""
        import numpy as np

        return np.degrees(np.arctan2(self.T_wc[:, 1, 2], self.T_wc[:, 0, 2]))

    @cached_property
    def tilt_deg(self) -> Floats:
        """(F,): how far they look up, negative down."""
        import numpy as np

        return np.degrees(np.arcsin(np.clip(self.T_wc[:, 2, 2], -1, 1)))

    @cached_property
    def is_known(self) -> Bools:
        """(F,): tracking gave a pose."""
        import numpy as np

        return np.asarray(np.isfinite(self.T_wc).all((1, 2)))

    def is_level(self, thresholds: Thresholds) -> Bools:
        """(F,): neither so steep that no level front is left, nor so rolled that the picture has another left."""
        import numpy as np

        roll = np.degrees(np.arctan2(-self.T_wc[:, 2, 0], -self.T_wc[:, 2, 1]))
        return np.asarray((np.abs(self.tilt_deg) <= thresholds.tilt_deg) & (np.abs(roll) <= thresholds.roll_deg))

    def level(self, points: Floats) -> Floats:
        """Return metres (F, ..., 3) ahead, to the left and up of each camera for points (..., 3) or (F, ..., 3).

        Args:
            points: (N, 3) of all cameras, or (F, N, 3), a row for each camera.
        """
        import numpy as np

        d = points - self.position[:, None]
        angle = np.radians(self.heading_deg)[:, None]
        x, y = np.cos(angle), np.sin(angle)
        return np.stack([d[..., 0] * x + d[..., 1] * y, d[..., 1] * x - d[..., 0] * y, d[..., 2]], axis=-1)


@dataclass(frozen=True)
class Bearing:
    """Directions of points given as ahead, left, up (..., 3) in metres."""

    level: Floats

    @cached_property
    def angle_deg(self) -> Floats:
        """(...): from ahead, left positive, (-180, 180]."""
        import numpy as np

        return np.degrees(np.arctan2(self.level[..., 1], self.level[..., 0]))

    @cached_property
    def sector(self) -> Ints:
        """(...): index into SECTORS."""
        import numpy as np

        return np.round(np.nan_to_num(self.angle_deg) / SECTOR_DEG).astype(np.int64) % len(SECTORS)

    @cached_property
    def sector_margin_deg(self) -> Floats:
        """(...): to the nearest boundary of two sectors, on both sides."""
        import numpy as np

        return SECTOR_DEG / 2 - np.abs(self.angle_deg - SECTOR_DEG * np.round(self.angle_deg / SECTOR_DEG))

    @cached_property
    def apart_m(self) -> Floats:
        """(...): level distance."""
        import numpy as np

        return np.hypot(self.level[..., 0], self.level[..., 1])

    @cached_property
    def slope_deg(self) -> Floats:
        """(...): upward angle."""
        import numpy as np

        return np.degrees(np.arctan2(self.level[..., 2], self.apart_m))

    @cached_property
    def steep(self) -> Ints:
        """(...): 1 above, -1 below, 0 neither."""
        return (self.slope_deg > STEEP_DEG).astype(int) - (self.slope_deg < -STEEP_DEG).astype(int)

    @cached_property
    def steep_margin_deg(self) -> Floats:
        """(...): to the nearest upward angle at which above, below or neither changes."""
        import numpy as np

        return np.abs(np.abs(self.slope_deg) - STEEP_DEG)


Angle = TypeVar("Angle", float, "Floats")


def between_deg(first: Angle, second: Angle) -> Angle:
    """Return the turns from first to second headings in degrees, [-180, 180), left positive."""
    return (second - first + 180) % 360 - 180
