"""Floor maps: a scene from above as shapes to draw, with what a question names and the cameras of the shown frames.

World x to the right, y up, in metres; drawn in units of a picture whose y goes down. A box is drawn as the outline of
its eight corners from above, which holds for tilted ones too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes.questions.question import Question
    from nodes.scenes.scene import Scene

    Floats = NDArray[np.float64]

Points: TypeAlias = list[tuple[float, float]]
WIDTH, HEIGHT, EDGE = 440.0, 360.0, 22.0  # units: the most a map takes, and its margin
ARROW = 26.0  # units from a camera to the tip of its view direction
QUOTED = re.compile(r"""(["'])(.*?)\1""")


class Shape(Struct, frozen=True):
    """One object from above: `colour` is the place of its label among those that the question names, 0 for others."""

    label: str
    colour: int
    points: str
    x: float
    y: float
    about: str


class View(Struct, frozen=True):
    """One shown frame: its number on the page, camera position, and where it looks."""

    number: int
    x: float
    y: float
    tip_x: float
    tip_y: float


class FloorMap(Struct, frozen=True):
    """A map: units wide and high, the room's outline ("" where unknown), shapes, views, and units a metre."""

    width: float
    height: float
    outline: str
    is_assumed: bool
    shapes: list[Shape]
    views: list[View]
    metre: float


def named_labels(question: Question, labels: Sequence[str]) -> list[str]:
    """Return what a question names, in its order: texts in the program that are labels, or the last word of one
    ("box" of "red box"); without a program, labels that stand in the prompt as words."""
    known = dict.fromkeys(labels)
    quoted = list(dict.fromkeys(text for _, text in QUOTED.findall(question.program)))
    named = [text for text in quoted if text in known or any(label.endswith(f" {text}") for label in known)]
    if named or question.program:
        return named
    found = {label: re.search(rf"\b{re.escape(label)}\b", question.prompt) for label in known}
    return sorted((label for label in known if found[label]), key=lambda label: found[label].start())  # type: ignore[union-attr]


def colour_of(label: str, named: Sequence[str]) -> int:
    """Return the place from 1 of what names this label, 0 where nothing does."""
    return next((n for n, text in enumerate(named, 1) if label == text or label.endswith(f" {text}")), 0)


def draw_map(scene: Scene, named: Sequence[str], shown: Sequence[int]) -> FloorMap | None:
    """Return the map of a scene; None where it has no object, outline or camera.

    Args:
        named: what is highlighted, as `named_labels` gives it.
        shown: frames whose cameras are drawn, numbered from 1.
    """
    import numpy as np

    corners = box_corners(scene)[..., :2]  # (N, 8, 2)
    poses = _poses(scene, shown)
    places = np.concatenate([corners.reshape(-1, 2), np.asarray(scene.polygon).reshape(-1, 2), _eyes(poses)])
    places = places[np.isfinite(places).all(1)]
    if not len(places):
        return None
    low, high = places.min(0), places.max(0)
    extent = np.maximum(high - low, 1e-3)
    metre = float(min((WIDTH - 2 * EDGE) / extent[0], (HEIGHT - 2 * EDGE) / extent[1]))

    def units(points: Floats) -> Points:
        x = EDGE + (points[:, 0] - low[0]) * metre
        y = EDGE + (high[1] - points[:, 1]) * metre
        return [(round(float(a), 1), round(float(b), 1)) for a, b in zip(x, y, strict=True)]

    shapes = [
        _shape(scene, index, colour_of(label, named), units(outline(corners[index])))
        for index, label in enumerate(scene.labels)
        if np.isfinite(corners[index]).all()
    ]
    # Large ones first, named ones last: what is small or asked about lies on top.
    shapes.sort(key=lambda shape: (bool(shape.colour), -_area(shape.points)))
    return FloorMap(
        width=round(float(extent[0]) * metre + 2 * EDGE, 1),
        height=round(float(extent[1]) * metre + 2 * EDGE, 1),
        outline=_text(units(np.asarray(scene.polygon).reshape(-1, 2))),
        is_assumed=scene.polygon_assumed,
        shapes=shapes,
        views=_views(poses, units),
        metre=round(metre, 2),
    )


def box_corners(scene: Scene) -> Floats:
    """Return the corners of all boxes (N, 8, 3), metres."""
    import numpy as np

    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    centre, size = np.asarray(scene.centre).reshape(-1, 3), np.asarray(scene.size).reshape(-1, 3)
    rotation = np.asarray(scene.rotation).reshape(-1, 3, 3)
    corners: Floats = centre[:, None] + np.einsum("cs,ns,nsw->ncw", signs, size / 2, rotation)
    return corners


def outline(points: Floats) -> Floats:
    """Return the convex outline of points (P, 2), counter-clockwise, by Andrew's monotone chain."""
    import numpy as np

    rows = sorted(set(map(tuple, np.round(points, 6).tolist())))

    def chain(ordered: list[tuple[float, float]]) -> list[tuple[float, float]]:
        kept: list[tuple[float, float]] = []
        for x, y in ordered:
            while len(kept) > 1 and _turn(kept[-2], kept[-1], (x, y)) <= 0:
                kept.pop()
            kept.append((x, y))
        return kept[:-1]

    return np.array(chain(rows) + chain(rows[::-1]) or rows)


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _shape(scene: Scene, index: int, colour: int, points: Points) -> Shape:
    size = " x ".join(f"{length:.2f}" for length in scene.size[index])
    x = sum(point[0] for point in points) / len(points)
    y = sum(point[1] for point in points) / len(points)
    about = f"{scene.labels[index]}: {size} m, centre {', '.join(f'{c:.2f}' for c in scene.centre[index])}"
    return Shape(scene.labels[index], colour, _text(points), round(x, 1), round(y, 1), about)


def _poses(scene: Scene, shown: Sequence[int]) -> Mapping[int, Floats]:
    """Return the T_wc of shown frames by number, of those whose camera is known."""
    import numpy as np

    if not shown or not scene.has_frames or not scene.frames.has("T_wc"):
        return {}
    every = scene.frames.T_wc
    poses = {n: every[frame] for n, frame in enumerate(shown, 1) if 0 <= frame < len(every)}
    return {n: pose for n, pose in poses.items() if np.isfinite(pose).all()}


def _eyes(poses: Mapping[int, Floats]) -> Floats:
    import numpy as np

    return np.array([pose[:2, 3] for pose in poses.values()]).reshape(-1, 2)


def _views(poses: Mapping[int, Floats], units: object) -> list[View]:
    import numpy as np

    views = []
    for number, pose in poses.items():
        ((x, y),) = units(pose[None, :2, 3])  # type: ignore[operator]
        ahead = pose[:2, 2]  # z of the camera, from above: short where it looks down
        ahead = ahead / max(float(np.linalg.norm(pose[:3, 2])), 1e-9) * ARROW
        views.append(View(number, x, y, round(x + float(ahead[0]), 1), round(y - float(ahead[1]), 1)))
    return views


def _text(points: Points) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)


def _area(points: str) -> float:
    """Return the area of a polygon by its text, in square units."""
    rows = [tuple(map(float, point.split(","))) for point in points.split()]
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(rows, rows[1:] + rows[:1], strict=True))) / 2
