"""Routes on the floor, over FACTS; conventions in objects.py.

A robot stands beside an object and walks straight towards the next one, along the free cells of FACTS["floor"], until
it is beside that: half a metre from its outline, or within an arm's length where something else stands before it.
"""

from __future__ import annotations

import math

from nodes.questions.programs.api import FACTS
from nodes.questions.programs.api.objects import _one

STOP_M = 0.5
REACH_M = 0.8
STEP_M = 0.05


def route(start: str, face: str, *stops: str) -> str:
    """Return the turns of a robot that begins at `start`, faces `face` and goes to one stop after another.

    `route("bed", "door", "table", "sofa")` -> "Turn Left, Turn Right". Where it faces its first stop it makes no turn
    before going there. Errors: no such label; several objects bear it; one is not seen; no floor; a leg is not free.
    """
    if FACTS["floor"] is None:
        raise ValueError("route: the outline of the floor is not known")
    if not stops:
        raise ValueError("route: expected stops to go to")
    spot = _beside(start, stops[0])
    ahead = _direction(spot, _xy(face))
    turns = []
    for k, stop in enumerate(stops):
        if k or face != stop:
            turns.append(_turn(ahead, _direction(spot, _xy(stop))))
        end = _walk(spot, stop)
        ahead = _direction(spot, end)
        spot = end
    return ", ".join(turns)


def _turn(ahead: float, there: float) -> str:
    left = (there - ahead + math.pi) % (2 * math.pi) - math.pi
    if abs(left) >= math.radians(135):
        return "Turn Back"
    if abs(left) < math.radians(45):
        return "Go Straight"
    return "Turn Left" if left > 0 else "Turn Right"


def _beside(at: str, to: str) -> list[float]:
    """Return where one stands who leaves an object towards another: the first free spot clear of its outline."""
    outline = _outline(at)
    for spot in _line(_xy(at), _xy(to)):
        away = _away(spot, outline)
        if away > REACH_M:
            break
        if away >= STOP_M and _is_free(spot):
            return spot
    raise ValueError(f"route: no free spot beside {at!r} towards {to!r}")


def _walk(spot: list[float], to: str) -> list[float]:
    """Return where a straight walk towards an object ends beside it."""
    outline = _outline(to)
    end = spot
    for point in _line(spot, _xy(to)):
        if _away(end, outline) <= STOP_M or not _is_free(point):
            break
        end = point
    if _away(end, outline) > REACH_M:
        raise ValueError(f"route: the way to {to!r} is not free")
    return end


def _line(a: list[float], b: list[float]) -> list[list[float]]:
    n = max(1, math.ceil(math.sqrt((b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2) / STEP_M))
    return [[a[0] + (b[0] - a[0]) * k / n, a[1] + (b[1] - a[1]) * k / n] for k in range(n + 1)]


def _is_free(point: list[float]) -> bool:
    floor = FACTS["floor"]
    x, y = point[0] - floor["origin"][0], point[1] - floor["origin"][1]
    column, row = [math.floor((x * u + y * v) / floor["cell_m"] + 0.5) for u, v in floor["axes"]]
    free = floor["free"]
    return 0 <= row < len(free) and 0 <= column < len(free[row]) and free[row][column] == "."


def _xy(label: str) -> list[float]:
    return FACTS["centre"][_one(label)][:2]


def _direction(a: list[float], b: list[float]) -> float:
    return math.atan2(b[1] - a[1], b[0] - a[0])


def _outline(label: str) -> list[list[float]]:
    """Return the corners of a box seen from above, counter-clockwise: a hexagon, flat sides where it is upright."""
    i = _one(label)
    edges = []
    for k in range(3):
        x, y = [FACTS["size"][i][k] * FACTS["axes"][i][k][n] for n in range(2)]
        if y < 0 or (y == 0 and x < 0):
            x, y = -x, -y
        edges.append((math.atan2(y, x), x, y))
    edges = sorted(edges)
    x, y = [FACTS["centre"][i][n] - sum([edge[n + 1] for edge in edges]) / 2 for n in range(2)]
    corners = []
    for way in (1, -1):
        for edge in edges:
            corners.append([x, y])
            x, y = x + way * edge[1], y + way * edge[2]
    return corners


def _away(point: list[float], outline: list[list[float]]) -> float:
    """Return the distance of a point to a solid convex outline in metres, 0 in it."""
    least, inside = 1e9, True
    for k in range(len(outline)):
        a, b = outline[k], outline[(k + 1) % len(outline)]
        bx, by, px, py = b[0] - a[0], b[1] - a[1], point[0] - a[0], point[1] - a[1]
        along = min(1.0, max(0.0, (px * bx + py * by) / max(bx * bx + by * by, 1e-18)))
        least = min(least, math.sqrt((px - along * bx) ** 2 + (py - along * by) ** 2))
        inside = inside and bx * py - by * px >= 0
    return 0.0 if inside else least
