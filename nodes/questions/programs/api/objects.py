"""What concerns objects and the room: counts, distances, sizes, directions, order of appearance, comparisons.

A label stands for all objects that bear it. What measures one object wants a label that only one bears, and every
object that a label names must be seen in a frame that is shown.
"""

from __future__ import annotations

import math

from nodes.questions.programs.api import FACTS

BACK_DEG = 135.0  # VSI-Bench: behind is what takes a turn of 135 degrees or more


def labels() -> list[str]:
    """Return the labels that may be named, in alphabetical order: those whose every object is seen."""
    return [label for label in FACTS["instances"] if _is_seen(FACTS["instances"][label])]


def count(label: str, frame: int | None = None) -> int:
    """Return how many objects bear a label (`box`: a box of any colour): in the room, or seen in one frame.

    Errors: no such label; an object that is not seen, or in that frame is only glimpsed.
    """
    if frame is not None:
        picture = _frame(frame)
        group = _members(label)
        for i in group:
            if picture["glimpsed"][i] and not picture["seen"][i]:
                raise ValueError(f"a {label} is only glimpsed in frame {frame}")
        return sum([1 for i in group if picture["seen"][i]])
    if label not in FACTS["counts"]:
        raise LookupError(_unknown(label))
    group = FACTS["groups"].get(label, [])
    if FACTS["counts"][label] != len(group):
        raise ValueError(f"the source counts {FACTS['counts'][label]} of {label} and has {len(group)} boxes")
    if not _is_seen(group):
        raise ValueError(f"a {label} is not seen in the frames shown")
    return len(group)


def exists(label: str, frame: int | None = None) -> bool:
    """Tell whether an object of a label is seen: in one frame, or in any that is shown. No such label: False.

    Errors: it is only glimpsed; it is in the room, but in no frame shown; the source counts more than it has boxes of.
    """
    group = FACTS["groups"].get(label, [])
    if frame is None:
        for i in group:
            if FACTS["seen"][i]:
                return True
        if group:
            raise ValueError(f"a {label} is in the room but not seen in the frames shown")
        _check_complete(label, group)
        return False
    picture = _frame(frame)
    for i in group:
        if picture["seen"][i]:
            return True
    for i in group:
        if picture["glimpsed"][i]:
            raise ValueError(f"a {label} is only glimpsed in frame {frame}")
    _check_complete(label, group)
    return False


def distance(a: str, b: str) -> float:
    """Return the distance in metres between the closest points of two labels' boxes, nearest objects first.

    Errors: no such label; an object that is not seen; twice the same label.
    """
    if a == b:
        raise ValueError(f"distance from {a} to {b}: expected two labels")
    least = math.inf
    for i in _all(a):
        for j in _all(b):
            least = min(least, FACTS["distance"][i][j])
    return least


def closest(target: str, *labels: str) -> str:
    """Return which of the labels is the closest to the target, as `distance` measures.

    Errors: those of `distance`; no labels; two that are equally close.
    """
    ranked = sorted([(distance(target, label), label) for label in labels])
    if not ranked:
        raise ValueError(f"closest to {target}: expected labels to choose from")
    if len(ranked) > 1 and ranked[0][0] == ranked[1][0]:
        raise ValueError(f"{ranked[0][1]} and {ranked[1][1]} are equally close to {target}")
    return ranked[0][1]


def size(label: str) -> list[float]:
    """Return the three full edge lengths of an object's box in metres, longest first. Errors: those of `center`."""
    return sorted(FACTS["size"][_one(label)], reverse=True)


def longest_side(label: str) -> float:
    """Return the longest edge of an object's box in metres. Errors: those of `center`."""
    return max(FACTS["size"][_one(label)])


def height(label: str) -> float:
    """Return the vertical extent of an object's box in metres. Errors: those of `center`."""
    return _height(_one(label))


def center(label: str) -> list[float]:
    """Return the centre [x, y, z] of an object's box in metres, z up.

    Errors: no such label; several objects bear it; it is not seen.
    """
    return list(FACTS["centre"][_one(label)])


def angle(stand: str, face: str, query: str) -> float:
    """Return at which angle the query lies for one who stands by a second object and faces a third.

    Degrees in (-180, 180], left positive, on the floor, between box centres. Errors: those of `center`; two in one
    place.
    """
    here, ahead, there = center(stand), center(face), center(query)
    ax, ay = ahead[0] - here[0], ahead[1] - here[1]
    tx, ty = there[0] - here[0], there[1] - here[1]
    if math.hypot(ax, ay) < 1e-6 or math.hypot(tx, ty) < 1e-6:
        raise ValueError(f"by {stand}, facing {face}, to {query}: two of them are in one place")
    return math.degrees(math.atan2(ax * ty - ay * tx, ax * tx + ay * ty))


def direction(stand: str, face: str, query: str, level: str = "hard") -> str:
    """Return where the query lies for one who stands by a second object and faces a third.

    Levels: "easy" left or right; "medium" left, right or back (135 degrees or more); "hard" front-left, front-right,
    back-left or back-right. Errors: those of `angle`; another level.
    """
    theta = angle(stand, face, query)
    lateral = "left" if theta > 0 else "right"
    if level == "easy":
        return lateral
    if level == "medium":
        return "back" if abs(theta) >= BACK_DEG else lateral
    if level == "hard":
        return ("front-" if abs(theta) <= 90 else "back-") + lateral
    raise ValueError(f"level {level!r}: expected easy, medium or hard")


def room_size() -> float:
    """Return the floor's area in square metres. Errors: nobody knows it."""
    if FACTS["area_m2"] is None:
        raise ValueError("the room's area is not known")
    return FACTS["area_m2"]


def first_seen(label: str) -> float:
    """Return when an object of a label is first seen in the frames shown, in seconds. Errors: no such label; never."""
    return FACTS["frames"][_first(label, "seen")]["time_s"]


def appearance_order(*labels: str) -> str:
    """Return the labels in the order in which they are first seen in the frames shown, "bed, chair, tv".

    Errors: those of `first_seen`; first glimpses or two in one frame leave the order open.
    """
    place = {FACTS["shown"][k]: k for k in range(len(FACTS["shown"]))}
    ranked = sorted([(place[_first(label, "seen")], place[_first(label, "glimpsed")], label) for label in labels])
    for k in range(1, len(ranked)):
        if ranked[k - 1][0] == ranked[k][0] or ranked[k - 1][1] >= ranked[k][1]:
            raise ValueError(f"{ranked[k - 1][2]} and {ranked[k][2]}: the frames leave their order open")
    return ", ".join([row[2] for row in ranked])


def closer(a: str, b: str, frame: int) -> str:
    """Return which of two objects in a frame is closer to its camera, by its short name ("red" for a red box).

    Errors: no such label or frame; not exactly one of it in the frame, or only glimpsed; closest points and centres
    disagree.
    """
    i, j = _pictured(a, frame), _pictured(b, frame)
    gains = [_camera_gap(j, frame)[k] - _camera_gap(i, frame)[k] for k in range(2)]
    if gains[0] * gains[1] <= 0:
        raise ValueError(f"{a} and {b} are about equally close in frame {frame}")
    return FACTS["short"][a if gains[0] > 0 else b]


def taller(a: str, b: str, frame: int) -> str:
    """Return which of two objects in a frame is taller, by its short name. Errors: as in `closer`; equally tall."""
    gain = _height(_pictured(a, frame)) - _height(_pictured(b, frame))
    if gain == 0:
        raise ValueError(f"{a} and {b} are equally tall")
    return FACTS["short"][a if gain > 0 else b]


def further_left(a: str, b: str, frame: int) -> str:
    """Return which of two objects lies further left in a frame, by the mean column of its pixels, by its short name.

    Errors: as in `closer`; equally far left.
    """
    columns = _frame(frame)["column"]
    gain = columns[_pictured(b, frame)] - columns[_pictured(a, frame)]
    if gain == 0:
        raise ValueError(f"{a} and {b} are equally far left in frame {frame}")
    return FACTS["short"][a if gain > 0 else b]


def _all(label: str) -> list[int]:
    """Return the objects of a label, all of which are seen."""
    if label not in FACTS["instances"]:
        raise LookupError(_unknown(label))
    group = FACTS["instances"][label]
    _check_complete(label, group)
    if not _is_seen(group):
        raise ValueError(f"a {label} is not seen in the frames shown")
    return group


def _one(label: str) -> int:
    group = _all(label)
    if len(group) > 1:
        raise ValueError(f"{len(group)} objects are called {label}: expected one")
    return group[0]


def _members(label: str) -> list[int]:
    if label not in FACTS["groups"]:
        raise LookupError(_unknown(label))
    _check_complete(label, FACTS["groups"][label])
    return FACTS["groups"][label]


def _check_complete(label: str, group: list[int]) -> None:
    """Raise where the source counts more of a label than it has boxes: nobody knows where the others are."""
    if FACTS["counts"].get(label, 0) > len(group):
        raise ValueError(f"the source counts {FACTS['counts'][label]} of {label} and has {len(group)} boxes")


def _frame(frame: int) -> dict:
    if frame not in FACTS["frames"]:
        raise LookupError(f"frame {frame} is not shown")
    return FACTS["frames"][frame]


def _pictured(label: str, frame: int) -> int:
    """Return the one object of a label that has a pixel in the frame, and is seen there."""
    picture = _frame(frame)
    found = [i for i in _members(label) if picture["glimpsed"][i]]
    if len(found) != 1:
        raise ValueError(f"{len(found)} objects called {label} in frame {frame}: expected one")
    if not picture["seen"][found[0]]:
        raise ValueError(f"the {label} is only glimpsed in frame {frame}")
    return found[0]


def _first(label: str, how: str) -> int:
    """Return the first shown frame in which an object of a label is seen, or glimpsed."""
    group = _members(label)
    for frame in FACTS["shown"]:
        for i in group:
            if FACTS["frames"][frame]["seen" if how == "seen" else "glimpsed"][i]:
                return frame
    raise ValueError(f"a {label} is not seen in the frames shown")


def _is_seen(group: list[int]) -> bool:
    return all([FACTS["seen"][i] for i in group])


def _height(i: int) -> float:
    return sum([abs(FACTS["axes"][i][k][2]) * FACTS["size"][i][k] for k in range(3)])


def _camera_gap(i: int, frame: int) -> list[float]:
    """Return metres from a frame's camera to the closest point of an object's box, and to its centre."""
    position, centre = _frame(frame)["position"], FACTS["centre"][i]
    offset = [position[k] - centre[k] for k in range(3)]
    beyond = []
    for k in range(3):
        axis = FACTS["axes"][i][k]
        local = abs(axis[0] * offset[0] + axis[1] * offset[1] + axis[2] * offset[2])
        beyond.append(max(local - FACTS["size"][i][k] / 2, 0.0))
    return [_length(beyond), _length(offset)]


def _length(vector: list[float]) -> float:
    return math.sqrt(vector[0] ** 2 + vector[1] ** 2 + vector[2] ** 2)


def _unknown(label: str) -> str:
    return f"no object is called {label}; there are: {', '.join(FACTS['instances'])}"[:200]
