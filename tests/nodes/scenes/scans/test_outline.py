"""Outlines of rooms of known area."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.scenes.geometry import polygon_area, yaw_rotation
from nodes.scenes.scans.outline import room_outline


def grid(width, depth, step=0.05):
    x, y = np.meshgrid(np.arange(0, width + 1e-9, step), np.arange(0, depth + 1e-9, step))
    return np.stack([x.ravel(), y.ravel()], axis=1)


def l_shaped(step=0.05):
    # 6 x 5 with a 3 x 2.5 corner cut out: 30 - 7.5 = 22.5 m2
    points = grid(6, 5, step)
    return points[~((points[:, 0] > 3) & (points[:, 1] > 2.5))]


def test_a_rectangle_has_four_corners_counter_clockwise():
    ring = room_outline(grid(4, 3))
    assert len(ring) == 4
    x, y = ring.T
    assert (x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2 == pytest.approx(12)


def test_an_l_shaped_room_is_not_filled():
    assert polygon_area(room_outline(l_shaped())) == pytest.approx(22.5, rel=0.02)


@settings(max_examples=10, deadline=None)
@given(st.floats(-math.pi, math.pi), st.floats(-30, 30))
def test_turning_the_room_keeps_its_area(yaw, shift):
    turned = l_shaped() @ yaw_rotation(yaw)[:2, :2] + shift
    assert polygon_area(room_outline(turned)) == pytest.approx(22.5, rel=0.025)


def test_holes_and_floor_hidden_along_a_wall_belong_to_the_room():
    points = grid(5, 4)
    x, y = points.T
    table = (x > 2) & (x < 3.5) & (y > 1.5) & (y < 2.5)
    bookcase = (x < 2) & (x > 0.5) & (y < 0.4)
    assert polygon_area(room_outline(points[~table & ~bookcase])) == pytest.approx(20, rel=0.05)


def test_sparse_and_noisy_rooms():
    rng = np.random.default_rng(5)
    sparse = rng.random((400, 2)) * [5, 4]
    # points 22 cm apart leave about a quarter of that, 6 cm, of each side: 18 m of walls, 1 of 20 m2
    assert polygon_area(room_outline(sparse)) == pytest.approx(19, rel=0.05)
    noisy = l_shaped() + rng.normal(0, 0.02, l_shaped().shape)
    assert polygon_area(room_outline(noisy)) == pytest.approx(22.5, rel=0.05)


def test_points_without_area_are_told():
    with pytest.raises(ValueError, match="3 points of floor and walls span no area"):
        room_outline(np.array([[0.0, 0], [1, 1], [2, 2]]))
    with pytest.raises(ValueError, match="2 points of floor and walls span no area"):
        room_outline(np.zeros((2, 3)))
