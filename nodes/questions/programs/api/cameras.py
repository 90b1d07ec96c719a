"""One camera and an object, and two cameras.

Directions lie in the level plane, across gravity (world z), however a camera is tilted: front is where it looks, and
each of eight is 45 degrees wide. In a frame a label means the one object of it that the frame shows.
Source: SpatialEvo, arXiv:2604.14144. Departs: its yaw is about world y and its camera positions are in the image plane.
"""

from __future__ import annotations

import math

from nodes.questions.programs.api import FACTS
from nodes.questions.programs.api.numbers import round
from nodes.questions.programs.api.objects import _camera_gap, _frame, _pictured

SECTORS = ("front", "front-left", "left", "back-left", "back", "back-right", "right", "front-right")
SECTOR_DEG = 45.0
STEEP = 0.5  # above or below: a height difference of more than half the level distance (SpatialEvo)
SAME_HEIGHT_M = 0.15  # cameras about as high (SpatialEvo)
TURN_DEG = 8.0  # a turn from here on, whatever the movement (SpatialEvo)
MOTIONS = (
    "turned left",
    "turned right",
    "moved forward",
    "moved backward",
    "moved left",
    "moved right",
    "moved up",
    "moved down",
)
HEIGHTS = ("higher", "lower", "about as high")
IMAGES = ("the first image", "the second image")
# Of an image, by name: top, bottom, left, right as shares of its height and width.
REGIONS = {
    "top left quarter": (0.0, 0.5, 0.0, 0.5),
    "top right quarter": (0.0, 0.5, 0.5, 1.0),
    "bottom left quarter": (0.5, 1.0, 0.0, 0.5),
    "bottom right quarter": (0.5, 1.0, 0.5, 1.0),
    "middle": (0.25, 0.75, 0.25, 0.75),
}


def camera_direction(label: str, frame: int) -> str:
    """Return where the centre of an object lies from the camera: "front-left", with " and above" or " and below".

    Errors: no such label or frame; not exactly one of it in the frame, or only glimpsed; a camera that looks straight
    up or down.
    """
    ahead, left, up = _level(frame, FACTS["centre"][_pictured(label, frame)])
    steep = STEEP * math.hypot(ahead, left)
    return _sector(ahead, left) + (" and above" if up > steep else " and below" if up < -steep else "")


def camera_distance(label: str, frame: int) -> float:
    """Return the distance in metres from the camera to the closest point of an object's box. Errors: as in `closer`."""
    return _camera_gap(_pictured(label, frame), frame)[0]


def depth_order(a: str, b: str, frame: int) -> str:
    """Return which of two labels is nearer along the viewing direction of the camera, by the boxes' nearest points.

    Errors: as in `closer`; equally near.
    """
    gain = _nearest_depth(b, frame) - _nearest_depth(a, frame)
    if gain == 0:
        raise ValueError(f"{a} and {b} are equally near in frame {frame}")
    return a if gain > 0 else b


def attribute(label: str, name: str, frame: int) -> float:
    """Return the "height", "length" or "width" of an object's box in metres: its own edges, however it is turned.

    The height is the edge nearest to the vertical; the length is the longer of the other two, the width the shorter.
    Errors: as in `camera_direction`; another name.
    """
    i = _pictured(label, frame)
    upright = [abs(axis[2]) for axis in FACTS["axes"][i]]
    k = upright.index(max(upright))
    width, length = sorted([FACTS["size"][i][(k + 1) % 3], FACTS["size"][i][(k + 2) % 3]])
    if name == "height":
        return FACTS["size"][i][k]
    if name == "length":
        return length
    if name == "width":
        return width
    raise ValueError(f"attribute {name!r}: expected height, length or width")


def camera_position(first: int, second: int) -> str:
    """Return in which of eight directions the camera of the second frame stands, seen from that of the first.

    Errors: no such frame; a camera that looks straight up or down.
    """
    ahead, left, _ = _level(first, _frame(second)["position"])
    return _sector(ahead, left)


def camera_elevation(first: int, second: int) -> str:
    """Return whether the camera of the second frame is "higher", "lower" or "about as high" as that of the first.

    Errors: no such frame.
    """
    up = _frame(second)["position"][2] - _frame(first)["position"][2]
    if abs(up) <= SAME_HEIGHT_M:
        return HEIGHTS[2]
    return HEIGHTS[0] if up > 0 else HEIGHTS[1]


def camera_motion(first: int, second: int) -> str:
    """Return how the camera moved: a turn about the vertical of 8 degrees or more, else the largest movement of six.

    "turned left", "turned right", "moved forward", backward, left, right, up or down, along the first one's level axes.
    Errors: as in `camera_position`.
    """
    moved = _level(first, _frame(second)["position"])
    a, b = _frame(first)["axes"][2], _frame(second)["axes"][2]
    turn = math.degrees(math.atan2(a[0] * b[1] - a[1] * b[0], a[0] * b[0] + a[1] * b[1]))
    if abs(turn) >= TURN_DEG:
        return MOTIONS[0] if turn > 0 else MOTIONS[1]
    size = [abs(value) for value in moved]
    k = size.index(max(size))
    return MOTIONS[2 + 2 * k + (1 if moved[k] < 0 else 0)]  # two names an axis: ahead, left, up


def visibility_compare(label: str, first: int, second: int) -> str:
    """Return "the first image" or "the second image": the one that shows more of an object's surface.

    Errors: as in `camera_direction`, of either frame; equally much.
    """
    gain = _frame(first)["visibility"][_pictured(label, first)] - _frame(second)["visibility"][_pictured(label, second)]
    if gain == 0:
        raise ValueError(f"frames {first} and {second} show equally much of the {label}")
    return IMAGES[0] if gain > 0 else IMAGES[1]


def object_in_other_camera(label: str, first: int, second: int) -> str:
    """Return in which of eight directions an object of the first frame lies from the camera of the second.

    Errors: as in `camera_direction`.
    """
    ahead, left, _ = _level(second, FACTS["centre"][_pictured(label, first)])
    return _sector(ahead, left)


def region_in_other_camera(region: str, first: int, second: int) -> str:
    """Return in which of eight directions what a region of the first frame shows lies from the camera of the second.

    Regions: top or bottom, left or right quarter ("top left quarter"), "middle"; each stands for the point at its
    centre and median depth. Errors: as in `camera_position`; another region; too little depth in it.
    """
    if region not in REGIONS:
        raise LookupError(f"region {region!r}: expected one of {', '.join(REGIONS)}")
    point = _frame(first)["regions"][region]
    if point is None:
        raise ValueError(f"the {region} of frame {first} has too little depth")
    ahead, left, _ = _level(second, point)
    return _sector(ahead, left)


def _level(frame: int, point: list[float]) -> list[float]:
    """Return how far a point lies ahead, to the left and up of a camera, in metres, along its level axes."""
    camera = _frame(frame)
    forward, position = camera["axes"][2], camera["position"]
    length = math.hypot(forward[0], forward[1])
    if length < 1e-6:
        raise ValueError(f"the camera of frame {frame} looks straight up or down: it has no level front")
    x, y = forward[0] / length, forward[1] / length
    dx, dy = point[0] - position[0], point[1] - position[1]
    return [dx * x + dy * y, dy * x - dx * y, point[2] - position[2]]


def _sector(ahead: float, left: float) -> str:
    return SECTORS[int(round(math.degrees(math.atan2(left, ahead)) / SECTOR_DEG)) % 8]


def _nearest_depth(label: str, frame: int) -> float:
    """Return the depth in metres of the nearest corner of an object's box, 0 if it reaches behind the camera."""
    i = _pictured(label, frame)
    forward, position = _frame(frame)["axes"][2], _frame(frame)["position"]
    nearest = sum([forward[k] * (FACTS["centre"][i][k] - position[k]) for k in range(3)])
    for k in range(3):
        axis = FACTS["axes"][i][k]
        along = forward[0] * axis[0] + forward[1] * axis[1] + forward[2] * axis[2]
        nearest -= abs(along) * FACTS["size"][i][k] / 2
    return max(0.0, nearest)
