"""Free space: cells, components, paths and outlines, by hand and under rotation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from shapely import MultiPoint, Point

from nodes.scenes.geometry import box_corners, yaw_rotation
from nodes.scenes.grid import Floor, footprints, free_space, outline_distance, stands_in_way
from nodes.scenes.scene import Scene

WALLS = np.array([[0.0, 0.0], [5, 0], [5, 4], [0, 4]])


def room(centre: Any, size: Any, rotation: Any = None, polygon: Any = WALLS) -> Scene:
    n = len(centre)
    arrays = {
        "centre": np.asarray(centre, float).reshape(-1, 3),
        "size": np.asarray(size, float).reshape(-1, 3),
        "rotation": np.repeat(np.eye(3)[None], n, axis=0) if rotation is None else rotation,
        "polygon": np.asarray(polygon, float).reshape(-1, 2),
        "visibility": np.zeros((0, n), np.float32),
        "pixels": np.zeros((0, n), int),
        "first_seen_s": np.full(n, np.nan),
    }
    who = dict.fromkeys(("id", "source", "place", "split", "terms"), "hand")
    facts = {"area_m2": 20.0, "area_assumed": False, "polygon_assumed": False, "relations": []}
    return Scene(who, arrays, labels=[f"thing {k}" for k in range(n)], counts={}, **facts)


def floor_of(*args: Any, **kwargs: Any) -> Floor:
    floor = free_space(room(*args, **kwargs))
    assert floor is not None
    return floor


def test_an_empty_room_is_free_up_to_a_body_from_its_walls() -> None:
    floor = floor_of([], [])
    assert floor.free.shape == (40, 50)  # 4 m x 5 m by .1 m
    # centres at .05, .15, .25 ...: the first .25 m from the wall is the third, .25; so 50 - 4 by 40 - 4 are free
    assert floor.free.sum() == 46 * 36
    assert floor.is_free(np.array([[0.26, 2], [0.1, 2], [-1, 2], [9, 9]])).tolist() == [True, False, False, False]


def test_an_unknown_outline_has_no_floor() -> None:
    assert free_space(room([(1, 1, 0.5)], [(1, 1, 1)], polygon=[])) is None


@pytest.mark.parametrize(
    ("bottom", "top", "blocks"),
    [(0.0, 1.0, True), (0.0, 0.05, False), (1.9, 2.4, False), (1.7, 2.4, True), (0.05, 0.2, True)],
)
def test_what_hangs_high_or_lies_flat_is_in_nobodys_way(bottom: float, top: float, blocks: bool) -> None:
    # the first box stands on the floor, at 0
    centre = np.array([[0, 0, 0.5], [2, 2, (bottom + top) / 2]])
    size = np.array([[1, 1, 1], [1, 1, top - bottom]])
    assert stands_in_way(centre, size, np.repeat(np.eye(3)[None], 2, axis=0)).tolist() == [True, blocks]


def test_a_wall_of_boxes_parts_the_room() -> None:
    floor = floor_of([(2.5, 2, 0.5)], [(0.2, 4, 1)])
    left, right = np.array([1.0, 2]), np.array([4.0, 2])
    assert floor.component.max() == 2 and not floor.is_clear(left, right)
    assert floor.path_m(left, right) == math.inf
    assert floor.is_clear(left, np.array([1.0, 1])) and floor.path_m(left, left) == 0


def test_a_path_goes_around_what_a_line_is_blocked_by() -> None:
    # a screen from y = 1 up to the wall: one walks below it, around its corners
    floor = floor_of([(2.5, 2.5, 0.5)], [(0.2, 3, 1)])
    a, b = np.array([1.5, 2.0]), np.array([3.5, 2.0])
    # the straight way round grown by the body touches (2.15, .75) and (2.85, .75), nearly: 1.41 + .7 + 1.41 = 3.52 m
    assert not floor.is_clear(a, b)
    assert 3.4 < floor.path_m(a, b) < 3.52 * 1.12


def test_paths_on_open_floor_are_the_octile_distance() -> None:
    floor = floor_of([], [])
    # 20 cells right, 10 up: 10 slanting and 10 straight = 10 * .1414 + 10 * .1 = 2.414 m
    assert floor.path_m(np.array([1.05, 1.05]), np.array([3.05, 2.05])) == pytest.approx(2.4142, abs=1e-4)


@given(st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_footprints_are_the_hulls_of_shadows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    centre, size = rng.uniform(-2, 2, (1, 3)), rng.uniform(0.05, 2, (1, 3))
    rotation = Rotation.random(random_state=seed).as_matrix()[None] if seed % 2 else yaw_rotation(seed / 7.0)[None]
    outline = footprints(centre, size, rotation)[0]
    hull = MultiPoint(box_corners(centre[0], size[0], rotation[0])[:, :2]).convex_hull
    assert MultiPoint(outline).convex_hull.symmetric_difference(hull).area < 1e-9
    points = rng.uniform(-3, 3, (20, 2))
    assert outline_distance(points, outline) == pytest.approx([hull.distance(Point(p)) for p in points], abs=1e-9)


@given(st.integers(0, 1000), st.floats(-3.1, 3.1), st.floats(-5, 5))
@settings(max_examples=30, deadline=None)
def test_free_space_turns_with_the_room(seed: int, yaw: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    centre, size = rng.uniform([0, 0, 0], [5, 4, 1], (6, 3)), rng.uniform(0.2, 1, (6, 3))
    axes = np.stack([yaw_rotation(a) for a in rng.uniform(0, 6, 6)])
    turn, away = yaw_rotation(yaw), np.array([shift, -shift, 0.3])
    before = floor_of(centre, size, axes)
    after = floor_of(centre @ turn + away, size, axes @ turn, WALLS @ turn[:2, :2] + away[:2])
    points = rng.uniform([0, 0], [5, 4], (200, 2))
    same = before.is_free(points) == after.is_free(points @ turn[:2, :2] + away[:2])
    # a point on a cell's very edge may fall to either side
    assert same.mean() >= 0.99 and before.free.sum() == pytest.approx(after.free.sum(), abs=4)


def test_plain_values_say_the_same() -> None:
    floor = floor_of([(2.5, 2, 0.5)], [(1, 1, 1)])
    plain = floor.plain()
    assert [[cell == "." for cell in line] for line in plain["free"]] == floor.free.tolist()
    assert plain["cell_m"] == 0.1 and np.allclose(plain["origin"], [0.05, 0.05]) and plain["axes"] == [[1, 0], [0, 1]]
