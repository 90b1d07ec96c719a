"""Walking in a room: from beside one object straight to the next, and simulated turns on the grid of free cells.

A leg leads towards the centre of an object, clear of walls and other boxes by a body's radius and a cell, and ends
beside it. Legs are found with exact outlines; the simulation sees free cells alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodes.questions.tasks.direction import angle_deg
from nodes.scenes.grid import BODY_M, CELL_M, footprints, outline_distance, samples, stands_in_way

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes.questions.view import SceneView
    from nodes.scenes.grid import Floor

    Floats = NDArray[np.float64]

STOP_M = 0.5  # the robot stops this far from what it walks to,
REACH_M = 0.8  # or where it can't go on, within an arm's length: of a monitor at the back of a desk
LEG_MIN_M = 0.5  # a shorter leg is no walk
CLEAR_M = BODY_M + CELL_M  # a cell more than the body, so that no leg turns on how cells lie
STEP_M = 0.02  # along legs: where one stands is known to this, so angles to a degree
FAN_DEG = 5.0  # between the headings that the simulation tries
HEADINGS = {"left": (45.0, 135.0), "right": (-135.0, -45.0), "back": (135.0, 225.0)}  # degrees, left positive


class Walker:
    """Where a robot may go in one room: legs between objects, each computed once."""

    def __init__(self, view: SceneView, floor: Floor) -> None:
        import numpy as np

        self.view, self.floor = view, floor
        boxes = view.centre, view.size, view.rotation
        self.flat: Floats = view.centre[:, :2]
        self.outlines = footprints(*boxes)
        self.radius = np.hypot(*np.moveaxis(self.outlines - self.flat[:, None], -1, 0)).max(1)
        self.blocking = stands_in_way(*boxes)
        self._starts: dict[tuple[int, int], Floats | None] = {}
        self._legs: dict[tuple[float, float, int], Floats | None] = {}

    def start(self, at: int, to: int) -> Floats | None:
        """Return the spot (2,) beside an object from which one leaves towards another, None if there is no room."""
        if (at, to) not in self._starts:
            points = samples(self.flat[at], self.flat[to], STEP_M)
            away = outline_distance(points, self.outlines[at])
            free = (away >= STOP_M) & (away <= REACH_M)
            free[free] = self._clear(points[free], at)
            self._starts[at, to] = points[int(free.argmax())] if free.any() else None
        return self._starts[at, to]

    def leg(self, spot: Floats, to: int) -> Floats | None:
        """Return where a walk from a spot straight towards an object ends beside it, None if it does not."""
        key = (float(spot[0]), float(spot[1]), to)
        if key not in self._legs:
            self._legs[key] = self._leg(spot, to)
        return self._legs[key]

    def _leg(self, spot: Floats, to: int) -> Floats | None:
        import numpy as np

        points = samples(spot, self.flat[to], STEP_M)
        away = outline_distance(points, self.outlines[to])
        stopped = away <= STOP_M
        walked = points[: int(stopped.argmax()) + 1]
        clear = self._clear(walked, to)
        end = len(walked) - 1 if clear.all() else int(clear.argmin()) - 1  # the last point before something in the way
        if end < 0 or away[end] > REACH_M or np.hypot(*(points[end] - spot)) < LEG_MIN_M:
            return None
        return np.asarray(points[end])

    def places(self, chain: tuple[int, ...]) -> list[Floats] | None:
        """Return where the robot stands: beside the first object and, after each leg, beside a stop; None if it can't.

        A leg between stops ends `STOP_M` from its stop: else the next would turn on what exactly stands before it.
        """
        spot = self.start(*chain[:2])
        found: list[Floats] = []
        for k, to in enumerate(chain[1:], 1):
            if spot is None:
                return None
            found.append(spot)
            spot = self.leg(spot, to)
            goes_on = k < len(chain) - 1
            if spot is not None and goes_on and outline_distance(spot[None], self.outlines[to])[0] > STOP_M:
                return None
        return None if spot is None else [*found, spot]

    def arrives(self, spot: Floats, heading: Floats, turn: str, to: int) -> bool:
        """Tell whether, in the simulation, any heading of a turn leads from a spot to an object.

        The robot walks on along free cells until it is beside what lies right ahead of it.
        """
        import numpy as np

        from_deg, to_deg = HEADINGS[turn]
        headings = np.arange(from_deg, to_deg + FAN_DEG / 2, FAN_DEG)
        aim = float(angle_deg(spot, spot + heading, self.flat[to]))
        off = angle_deg(spot, self.flat[to], self.outlines[to])  # of the outline's corners from its middle
        apart = (headings - aim + 180) % 360 - 180
        headings = np.radians(headings[(apart >= off.min()) & (apart <= off.max())]) + np.arctan2(*heading[::-1])
        along = np.arange(0, float(np.hypot(*(self.flat[to] - spot))), STEP_M)
        for ray in np.stack([np.cos(headings), np.sin(headings)], -1):
            points = spot + ray * along[:, None]
            free = self.floor.is_free(points)
            walked = points[: len(points) if free.all() else int(free.argmin())]
            if len(walked) and outline_distance(walked, self.outlines[to]).min() <= REACH_M:
                return True
        return False

    def arrives_by(self, chain: tuple[int, ...], face: int, spot: Floats, turns: tuple[str, ...]) -> bool:
        """Tell whether a robot that starts at a spot, faces an object and turns so ends beside the last of the chain.

        It can go forward to a stop only if a heading of its turn leads there; then it stands where the leg ends.
        """
        ahead = self.flat[face] - spot
        left = list(turns)
        for k in range(1, len(chain)):
            if (k > 1 or face != chain[1]) and not self.arrives(spot, ahead, left.pop(0), chain[k]):
                return False
            end = self.leg(spot, chain[k])
            if end is None:
                return False
            spot, ahead = end, end - spot
        return not left

    def _clear(self, points: Floats, apart_from: int) -> NDArray[np.bool_]:
        """Tell at which points (S, 2) on a line no box but one, and no wall, is nearer than CLEAR_M: (S,) bool."""
        import numpy as np

        others = self.blocking.copy()
        others[apart_from] = False
        if not len(points):
            return np.zeros(0, bool)
        from_start, along = self.flat - points[0], points[-1] - points[0]
        share = np.clip(from_start @ along / max(float(along @ along), 1e-12), 0, 1)
        gap = np.hypot(*(from_start - share[:, None] * along).T)  # of the line from each box's centre
        others &= gap <= self.radius + CLEAR_M + 1e-9
        clear = self.floor.is_free(points)
        clear[clear] = (outline_distance(points[clear], self.outlines[others]) >= CLEAR_M).all(1)
        return clear
