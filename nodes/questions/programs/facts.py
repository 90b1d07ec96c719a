"""FACTS: the table that programs are run over, plain values of one scene as its shown frames show it.

    labels     N names                          instances  label -> its objects, labels in alphabetical order
    groups     the same, shapes of coloured boxes beside labels ("box": every box)
    short      label -> what answers call it    counts     name -> number, by the source, else by the boxes
    seen       N: seen in a frame that is shown; all where a scene has none
    centre, size (N, 3) m; axes (N, 3, 3) rows = the box's unit axes; area_m2, None where nobody knows it
    distance   N x N, metres between closest points of boxes; None where no program asks
    floor      None where the outline is not known, else free cells as in nodes/scenes/grid.py: free, a text of "." and
               "#" a row; origin (2,) m; axes (2, 2); cell_m
    shown      the indices of the frames that are shown, the scene's own
    frames     index -> time_s; visibility, pixels, seen, glimpsed, column N each (mean column, share of the width, None
               without a pixel); position (3,) m; axes (3, 3) rows = right, down, forward; regions, of an image by
               name, the point (3,) m that each stands for, None with too little depth

Distances and columns cost most, so a table made for given programs holds what they can reach and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from nodes.questions.programs.screen import Needs, needs_of
from nodes.questions.tasks.depth import named_regions
from nodes.questions.vocabulary import shape_name, short_name
from nodes.scenes.grid import free_space

if TYPE_CHECKING:
    from nodes.questions.view import SceneView

Facts = dict[str, Any]


def facts_of(view: SceneView, programs: Iterable[str] | None = None) -> Facts:
    """Return the facts that the programs can reach; all of them where no programs are given."""
    needs = Needs() if programs is None else needs_of(programs)
    return {key: make(view, needs) for key, make in TABLE.items() if needs.has(key)}


def _groups(view: SceneView) -> dict[str, list[int]]:
    groups = {label: list(group) for label, group in view.instances.items()}
    for label, members in view.instances.items():
        if shape_name(label) != label:
            groups.setdefault(shape_name(label), []).extend(members)
    return {name: sorted(group) for name, group in groups.items()}


def _counts(view: SceneView) -> dict[str, int]:
    said = {label: view.scene.counts.get(label, len(group)) for label, group in view.instances.items()}
    counts = {**dict(sorted(view.scene.counts.items())), **said}
    for label, number in said.items():
        if shape_name(label) != label:
            counts[shape_name(label)] = counts.get(shape_name(label), 0) + number
    return counts


def _area(view: SceneView) -> float | None:
    area = view.scene.area_m2
    return None if area is None or view.scene.area_assumed else float(area)


def _floor(view: SceneView) -> Facts | None:
    floor = free_space(view.scene)
    return None if floor is None else floor.plain()


def _distance(view: SceneView, needs: Needs) -> list[list[float | None]]:
    n = len(view.labels)
    table: list[list[float | None]] = [[None] * n for _ in range(n)]
    pairs = list(_pairs(view, needs))
    for (i, j), metres in zip(pairs, _measured(view, pairs), strict=True):
        table[i][j] = table[j][i] = metres
    return table


def _measured(view: SceneView, pairs: list[tuple[int, int]]) -> list[float]:
    from nodes.scenes.geometry import box_distances

    if view.rule == "exact" and pairs:
        found: list[float] = box_distances(view.centre, view.size, view.rotation, pairs).tolist()
        return found
    return [view.distance(i, j) for i, j in pairs]


def _pairs(view: SceneView, needs: Needs) -> Iterable[tuple[int, int]]:
    if needs.pairs is None:
        return combinations(range(len(view.labels)), 2)
    found: set[tuple[int, int]] = set()
    for a, b in needs.pairs:
        for i in view.instances.get(a, ()):
            found |= {(min(i, j), max(i, j)) for j in view.instances.get(b, ()) if i != j}
    return sorted(found)


def _frames(view: SceneView, needs: Needs) -> dict[int, Facts]:
    columns = {key: values for key, make in COLUMNS.items() if needs.has(key) and (values := make(view)) is not None}
    return {frame: {key: values[row] for key, values in columns.items()} for row, frame in enumerate(view.shown)}


def _column(view: SceneView) -> list[list[float | None]] | None:
    if "instances" in view.lacks:
        return None
    rows = view.columns(range(view.n_frames)).tolist()
    return [[None if value != value else value for value in row] for row in rows]


def _camera(view: SceneView, rows: slice) -> Any:
    import numpy as np

    return None if "poses" in view.lacks else np.asarray(view.scene.frames.T_wc, dtype=float)[list(view.shown), rows]


def _position(view: SceneView) -> Sequence[Any] | None:
    poses = _camera(view, slice(3))
    return None if poses is None else poses[..., 3].tolist()


def _axes(view: SceneView) -> Sequence[Any] | None:
    # the columns of a camera-to-world rotation are the camera's right, down and forward in the world
    poses = _camera(view, slice(3))
    return None if poses is None else poses[..., :3].transpose(0, 2, 1).tolist()


# Whoever adds a function to the API that reads something new adds its key here.
TABLE: dict[str, Callable[[SceneView, Needs], Any]] = {
    "labels": lambda view, needs: list(view.labels),
    "instances": lambda view, needs: view.instances,
    "groups": lambda view, needs: _groups(view),
    "short": lambda view, needs: {label: short_name(label) for label in view.instances},
    "counts": lambda view, needs: _counts(view),
    "seen": lambda view, needs: view.seen_shown.tolist(),
    "centre": lambda view, needs: view.centre.tolist(),
    "size": lambda view, needs: view.size.tolist(),
    "axes": lambda view, needs: view.rotation.tolist(),
    "area_m2": lambda view, needs: _area(view),
    "distance": _distance,
    "floor": lambda view, needs: _floor(view),
    "shown": lambda view, needs: list(view.shown),
    "frames": _frames,
}
COLUMNS: dict[str, Callable[[SceneView], Sequence[Any] | None]] = {
    "time_s": lambda view: view.times.tolist() if view.shown else [],
    "visibility": lambda view: view.visibility.tolist(),
    "pixels": lambda view: view.pixels.tolist(),
    "seen": lambda view: view.seen.tolist(),
    "glimpsed": lambda view: view.glimpsed.tolist(),
    "column": _column,
    "position": _position,
    "axes": _axes,
    "regions": lambda view: None if {"depth", "poses"} & view.lacks else named_regions(view),
}
