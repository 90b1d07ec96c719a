"""A second opinion on every question, written apart from the tasks: slow, plain, from the prompt and the raw scene.

Distances by python-fcl, angles by complex numbers, order by sorting, pictures by masks, routes by shapely. `judge`
returns the answer's text and by how much it wins, in the question's unit (inf where nothing can tip it).
"""

from __future__ import annotations

import cmath
import itertools
import math
import re
from collections.abc import Callable
from typing import Any

import fcl
import numpy as np
import shapely
from shapely import MultiPoint, Point, Polygon

from nodes.questions.categories import MEMBERS
from nodes.questions.question import Question
from nodes.questions.thresholds import Thresholds
from nodes.questions.vocabulary import plural
from nodes.scenes.scene import Scene

T = Thresholds()
Verdict = tuple[str, float]
ORACLES: dict[str, Callable[[Scene, Question, re.Match[str]], Verdict]] = {}
PATTERNS: dict[str, str] = {}


def oracle(task: str, pattern: str) -> Callable[[Any], Any]:
    def attach(function: Any) -> Any:
        ORACLES[task], PATTERNS[task] = function, pattern
        return function

    return attach


def judge(scene: Scene, question: Question) -> Verdict:
    """Return the answer's text, without its letter, and the margin, both found anew."""
    found = re.fullmatch(PATTERNS[question.task], question.prompt, re.DOTALL)
    assert found, question.prompt
    return ORACLES[question.task](scene, question, found)


def text_of(question: Question) -> str:
    """Return the pool's answer as text without its letter."""
    lettered = [option[3:] for option in question.options if option.startswith(f"{question.answer}. ")]
    return lettered[0] if lettered else question.answer


def texts(question: Question) -> list[str]:
    return [re.sub(r"^[A-D]\. ", "", option) for option in question.options]


def having(scene: Scene, label: str) -> list[int]:
    """Return the objects that a name means: a label, or `box` for every coloured one."""
    return [i for i, name in enumerate(scene.labels) if name == label or (label == "box" and name.endswith(" box"))]


def only(scene: Scene, label: str) -> int:
    (i,) = having(scene, label)
    return i


def corners(scene: Scene, i: int) -> np.ndarray:
    signs = np.array(list(itertools.product((-0.5, 0.5), repeat=3)))
    return (signs * scene.size[i]) @ scene.rotation[i] + scene.centre[i]


def between(scene: Scene, i: int, j: int) -> float:
    bodies = []
    for k in (i, j):
        turn = np.asarray(scene.rotation[k]).T
        if np.linalg.det(turn) < 0:  # a box is its own mirror image
            turn = turn * [1, 1, -1]
        bodies.append(fcl.CollisionObject(fcl.Box(*scene.size[k]), fcl.Transform(turn, scene.centre[k])))
    return max(0.0, fcl.distance(*bodies, fcl.DistanceRequest(), fcl.DistanceResult()))


def flat(scene: Scene, label: str) -> complex:
    return complex(*scene.centre[only(scene, label)][:2])


def turned(stand: complex, ahead: complex, there: complex) -> float:
    return math.degrees(cmath.phase((there - stand) / (ahead - stand)))


@oracle("object_abs_distance", r".*the distance between the (.+) and the (.+) \(in meters\)\?")
def _abs_distance(scene: Scene, question: Question, found: re.Match[str]) -> Verdict:
    value = between(scene, only(scene, found[1]), only(scene, found[2]))
    assert value >= T.abs_distance_min_m - 1e-3
    # fcl is good to a micrometre or so: where that tips the rounding, both are right
    text = question.answer if abs(value - float(question.answer)) <= 0.05 + 1e-4 else f"{value:.1f}"
    return text, math.inf


@oracle("object_rel_distance", r".*of these objects \((.+)\) is the closest to the (.+)\?")
def _rel_distance(scene: Scene, question: Question, found: re.Match[str]) -> Verdict:
    target = only(scene, found[2])
    near = sorted((min(between(scene, target, i) for i in having(scene, name)), name) for name in found[1].split(", "))
    assert near[0][0] >= T.rel_distance_min_m - 1e-4
    assert min(b[0] - a[0] for a, b in itertools.pairwise(near)) >= T.rel_distance_gap_m - 1e-4
    return near[0][1], near[1][0] - near[0][0]


def _direction(scene: Scene, question: Question, found: re.Match[str]) -> Verdict:
    stand, face, query = (flat(scene, label) for label in found.groups())
    for a, b in itertools.combinations((stand, face, query), 2):
        assert T.direction_min_m <= abs(a - b) <= T.direction_max_m
    level = question.task.rsplit("_", 1)[1]
    theta = turned(stand, face, query)
    side = "left" if theta > 0 else "right"
    if level == "easy":
        return side, min(abs(theta), 180 - abs(theta))
    if level == "medium":
        return ("back" if abs(theta) >= 135 else side), min(abs(theta), abs(135 - abs(theta)))
    name = ("front-" if abs(theta) < 90 else "back-") + side
    outlying = 0
    for corner in corners(scene, only(scene, found[3])):
        there = (complex(*corner[:2]) - stand) / (face - stand)
        outlying += (("front-" if there.real >= 0 else "back-") + ("left" if there.imag > 0 else "right")) != name
    assert outlying <= 3  # of 8: most of them lie in the quadrant
    return name, min(abs(theta), abs(90 - abs(theta)), 180 - abs(theta))


for _level in ("easy", "medium", "hard"):
    oracle(
        f"object_rel_direction_{_level}",
        r"If I am standing by the (.+) and facing the (.+), is the (.+?) to (?:the|my) .*",
    )(_direction)


@oracle("object_size_estimation", r".*height\) of the (.+), measured in centimeters\?")
def _size(scene: Scene, question: Question, found: re.Match[str]) -> Verdict:
    points = corners(scene, only(scene, found[1]))
    # two corners are an edge apart where one sign differs: numbers that differ in one bit
    edges = [np.linalg.norm(points[a] - points[a ^ bit]) for a in range(8) for bit in (1, 2, 4)]
    value = 100 * max(edges)
    close = abs(value - float(question.answer)) <= 0.5 + 1e-6
    return (question.answer if close else f"{value:.0f}"), math.inf


@oracle("room_size_estimation", r"What is the size of this room.*")
def _room(scene: Scene, question: Question, found: re.Match[str]) -> Verdict:
    assert scene.area_m2 is not None and not scene.area_assumed
    return f"{scene.area_m2:.1f}", math.inf


def _counted(scene: Scene, members: list[int], question: Question) -> Verdict:
    assert all(scene.counts[name] == scene.labels.count(name) for name in {scene.labels[i] for i in members})
    assert all(any(seen(scene, f, i) for f in question.frames) for i in members) or not question.frames
    return str(len(members)), 1.0


@oracle("object_counting", r"How many (.+)\(s\) are in this room\?")
def _counting(scene: Scene, question: Question, found: re.Match[str]) -> Verdict:
    assert len(having(scene, found[1])) >= T.counting_min
    return _counted(scene, having(scene, found[1]), question)


@oracle("count_identity", r"How many (.+) are in this room\?")
def _identity(scene: Scene, question: Question, found: re.Match[str]) -> Verdict:
    return _counted(scene, [i for i, name in enumerate(scene.labels) if plural(name) == found[1]], question)


@oracle("count_attribute", r"How many (.+) in this room are (?:taller than )?(\S+?)( meters)?\?")
def _attribute(scene: Scene, question: Question, found: re.Match[str]) -> Verdict:
    if not found[3]:
        return _counted(scene, [i for i, name in enumerate(scene.labels) if found[2] in name.split()], question)
    group = [i for i, name in enumerate(scene.labels) if plural(name) == found[1]]
    _counted(scene, group, question)
    heights, limit = [np.ptp(corners(scene, i)[:, 2]) for i in group], float(found[2])
    return str(sum(h > limit for h in heights)), min(abs(h - limit) for h in heights)


@oracle("count_category", r"How many (.+) are in this room\?")
def _category(scene: Scene, question: Question, found: re.Match[str]) -> Verdict:
    return _counted(scene, [i for i, name in enumerate(scene.labels) if name in MEMBERS[found[1]]], question)


def pixels(scene: Scene, frame: int, i: int) -> int:
    return int((scene.frames.instance(frame) == i + 1).sum())


def seen(scene: Scene, frame: int, i: int) -> bool:
    enough = pixels(scene, frame, i) >= T.pixels_min * scene.frames.instance(frame).size
    return bool(scene.visibility[frame, i] >= T.visibility_min and enough and pixels(scene, frame, i))


@oracle("obj_appearance_order", r".*following categories in the video: (.+)\?")
def _order(scene: Scene, question: Question, found: re.Match[str]) -> Verdict:
    firsts = []
    for name in found[1].split(", "):
        first = next(f for f in question.frames if any(seen(scene, f, i) for i in having(scene, name)))
        glimpse = next(f for f in question.frames if any(pixels(scene, f, i) for i in having(scene, name)))
        firsts.append((scene.frames.time_s[first], question.frames.index(first), glimpse, name))
    firsts.sort()
    for a, b in itertools.pairwise(firsts):
        assert b[0] - a[0] >= T.order_gap_s and b[1] > a[1] and b[2] > a[2]
    return ", ".join(row[-1] for row in firsts), min(b[0] - a[0] for a, b in itertools.pairwise(firsts))


@oracle("exists", r"(?:Is there|Can you see) a (.+)\?")
def _exists(scene: Scene, question: Question, found: re.Match[str]) -> Verdict:
    (frame,) = question.frames
    group = having(scene, found[1])
    shown = [pixels(scene, frame, i) for i in group]
    if any(seen(scene, frame, i) for i in group):
        return "yes", max(shown)
    assert not any(shown)
    return "no", T.pixels_min * scene.frames.instance(frame).size


@oracle("count", r"How many (.+) are there\?")
def _count(scene: Scene, question: Question, found: re.Match[str]) -> Verdict:
    (frame,) = question.frames
    group = [
        i for i, name in enumerate(scene.labels) if plural(name.split()[-1]) == found[1] or plural(name) == found[1]
    ]
    assert all(seen(scene, frame, i) for i in group if pixels(scene, frame, i))
    return str(sum(seen(scene, frame, i) for i in group)), 1.0


def _pictured(scene: Scene, frame: int, label: str) -> int:
    (i,) = [i for i in having(scene, label) if pixels(scene, frame, i)]
    assert seen(scene, frame, i)
    return i


def _better(names: dict[str, float]) -> Verdict:
    """Return the name of the smaller value, the colour alone of a box, and by how much it is smaller."""
    (low, name), (high, _) = sorted((value, name) for name, value in names.items())
    return name.removesuffix(" box"), high - low


@oracle("closer", r"Which is closer to the camera, the (.+) or the (.+)\?")
def _closer(scene: Scene, question: Question, found: re.Match[str]) -> Verdict:
    (frame,) = question.frames
    eye = scene.frames.T_wc[frame][:3, 3]
    verdicts = []
    near, middle = {}, {}
    for label in found.groups():
        i = _pictured(scene, frame, label)
        points = corners(scene, i)
        hull = fcl.CollisionObject(fcl.Sphere(1e-9), fcl.Transform(eye))
        turn = np.asarray(scene.rotation[i]).T
        turn = turn if np.linalg.det(turn) > 0 else turn * [1, 1, -1]
        box = fcl.CollisionObject(fcl.Box(*scene.size[i]), fcl.Transform(turn, scene.centre[i]))
        near[label] = max(0.0, fcl.distance(hull, box, fcl.DistanceRequest(), fcl.DistanceResult()))
        middle[label] = float(np.linalg.norm(points.mean(0) - eye))
    for reading in (near, middle):
        verdicts.append(_better(reading))
        assert verdicts[-1][1] >= max(T.closer_m, T.closer_ratio * max(reading.values())) - 1e-5
    assert verdicts[0][0] == verdicts[1][0]
    return verdicts[0][0], min(margin for _, margin in verdicts)


@oracle("taller", r"Which is taller, the (.+) or the (.+)\?")
def _taller(scene: Scene, question: Question, found: re.Match[str]) -> Verdict:
    (frame,) = question.frames
    tall = {}
    for label in found.groups():
        i = _pictured(scene, frame, label)
        points = corners(scene, i)
        assert scene.visibility[frame, i] >= T.taller_visibility_min
        local = np.linalg.inv(scene.frames.T_wc[frame]) @ np.column_stack([points, np.ones(8)]).T
        pixel = scene.frames.K[frame] @ local[:3]
        u, v = pixel[:2] / pixel[2]
        height, width = scene.frames.rgb(frame).shape[:2]
        assert pixel[2].min() > 0 and min(u.min(), v.min()) >= 0 and u.max() <= width and v.max() <= height
        tall[label] = -float(np.ptp(points[:, 2]))
    name, margin = _better(tall)
    assert margin >= T.taller_ratio * -min(tall.values()) - 1e-9
    return name, margin


@oracle("further_left", r"Which is further left, the (.+) or the (.+)\?")
def _further_left(scene: Scene, question: Question, found: re.Match[str]) -> Verdict:
    (frame,) = question.frames
    picture = scene.frames.instance(frame)
    columns = {
        label: float(np.mean(np.nonzero(picture == _pictured(scene, frame, label) + 1)[1])) / picture.shape[1]
        for label in found.groups()
    }
    name, margin = _better(columns)
    assert margin >= T.left_width - 1e-9
    return name, margin


BODY_M, STOP_M, REACH_M = 0.25, 0.5, 0.8
SECTORS = {"Left": (45, 135), "Right": (-135, -45), "Back": (135, 225)}


@oracle(
    "route_planning",
    r"You are a robot beginning at the (.+) and facing the (.+)\. You want to navigate to the (.+)\. You will .*"
    r"'turn right\.'\): (1\. .+)\. You have reached the final destination\.",
)
def _route(scene: Scene, question: Question, found: re.Match[str]) -> Verdict:
    """Return the only option that leads there: a walk along rays in the plane, obstacles grown by the body's radius."""
    shapes = [MultiPoint(corners(scene, i)[:, :2]).convex_hull for i in range(len(scene.labels))]
    heights = [corners(scene, i)[:, 2] for i in range(len(scene.labels))]
    floor = min(h.min() for h in heights)
    blocked = [k for k, h in enumerate(heights) if h.min() < floor + 1.8 and h.max() > floor + 0.1]
    free = (
        Polygon(scene.polygon)
        .buffer(-BODY_M)
        .difference(shapely.union_all([shapes[k].buffer(BODY_M) for k in blocked]))
    )
    steps = re.findall(r"\d+\. (.+?)(?= \d+\. |$)", found[4])
    stops = [step.removeprefix("Go forward until the ") for step in steps if step.startswith("Go")]
    assert stops[-1] == found[3] and steps.count("[please fill in]") == len(texts(question)[0].split(", "))
    at, face = only(scene, found[1]), flat(scene, found[2])
    start = _leave(shapes[at], free, flat(scene, found[1]), flat(scene, stops[0]))
    good, margin = [], math.inf
    for option in texts(question):
        walked = _walk(scene, shapes, free, start, face, steps, option.split(", "))
        if walked is not None:
            good.append(option)
            margin = walked
    assert len(good) == 1, (good, question.prompt, question.options)
    return good[0], margin


def _leave(shape: Any, free: Any, a: complex, b: complex) -> complex:
    for t in np.arange(0, abs(b - a), 0.01):
        spot = a + (b - a) / abs(b - a) * t
        if shape.distance(Point(spot.real, spot.imag)) >= STOP_M and free.covers(Point(spot.real, spot.imag)):
            return spot
    raise AssertionError("no free spot to start from")


def _walk(
    scene: Scene, shapes: Any, free: Any, spot: complex, face: complex, steps: list[str], turns: list[str]
) -> float | None:
    """Return the least angle to a boundary of the turns if the walk ends beside the last stop, else None."""
    ahead, left, margin, turn = face - spot, list(turns), math.inf, None
    for step in steps:
        if step == "[please fill in]":
            turn = left.pop(0).removeprefix("Turn ")
            continue
        stop = only(scene, step.removeprefix("Go forward until the "))
        aim = complex(*scene.centre[stop][:2])
        theta = turned(spot, spot + ahead, aim)
        if turn is not None:
            low, high = SECTORS[turn]
            around = theta % 360 if turn == "Back" else theta
            if not low <= around <= high:
                return None
            margin = min(margin, abs(abs(theta) - 45), abs(abs(theta) - 135))
        end = _go(shapes[stop], free, spot, aim)
        if end is None:
            return None
        ahead, spot, turn = aim - spot, end, None
    return margin if not left else None


def _go(shape: Any, free: Any, spot: complex, aim: complex) -> complex | None:
    """Return where one stops who goes straight for an object: half a metre from it, or where it is not free."""
    steps = np.arange(0, abs(aim - spot), 0.01)
    points = spot + (aim - spot) / abs(aim - spot) * steps
    away = shapely.distance(shape, shapely.points(points.real, points.imag))
    inside = shapely.contains_xy(free.buffer(0.02), points.real, points.imag)
    for k in range(len(steps)):
        if not inside[k]:
            return complex(points[k - 1]) if k and away[k - 1] <= REACH_M else None
        if away[k] <= STOP_M:
            return complex(points[k])
    return None
