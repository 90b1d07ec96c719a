"""Boxes against sums done by hand, and against the rule that turning the world changes nothing."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.scenes.geometry import (
    box_corners,
    box_distance,
    box_distances,
    point_box_distance,
    points_in_box,
    surface_points,
    vsi_distance,
    vsi_points,
    yaw_rotation,
)

UPRIGHT = np.eye(3)
ONE = [1.0, 1.0, 1.0]


def test_rows_of_rotation_are_the_axes():
    # a box 4 m long turned by 90 degrees lies along y: corners at x = +-1, y = +-2
    corners = box_corners([0, 0, 0], [4, 2, 2], yaw_rotation(math.pi / 2))
    assert np.allclose(np.abs(corners), [1, 2, 1])


def test_corner_bits_tell_the_side():
    # index 5 = 0b101: + on x, - on y, + on z
    assert np.allclose(box_corners([10, 0, 0], [2, 4, 6], UPRIGHT)[5], [11, -2, 3])


def test_points_on_the_surface_are_inside():
    inside = points_in_box([[0.5, 0, 0], [0.51, 0, 0], [0, 0, 0]], [0, 0, 0], ONE, UPRIGHT)
    assert inside.tolist() == [True, False, True]


def test_point_distance_to_face_and_corner():
    # face: 2 - .5 = 1.5; corner: (1.5, 2.5) - (.5, .5) = (1, 2), z 2.5 - .5 = 2: sqrt(1 + 4 + 4) = 3
    assert point_box_distance([[2, 0, 0], [1.5, 2.5, 2.5]], [0, 0, 0], ONE, UPRIGHT).tolist() == [1.5, 3.0]


@pytest.mark.parametrize(
    ("centre", "size", "yaw", "expected"),
    [
        ([3, 0, 0], ONE, 0.0, 2.0),  # faces: 3 - .5 - .5
        ([3, 4, 0], ONE, 0.0, math.sqrt(13)),  # edges: (3 - 1, 4 - 1)
        ([3, 4, 13], ONE, 0.0, math.sqrt(4 + 9 + 144)),  # corners: (2, 3, 12)
        ([3, 0, 0], ONE, math.pi / 4, 2.5 - math.sqrt(0.5)),  # an edge to a face: half diagonal is sqrt(.5)
        ([1, 0, 0], ONE, 0.0, 0.0),  # touching
        ([0.2, 0.1, 0], ONE, 0.3, 0.0),  # overlapping
    ],
)
def test_box_distance_by_hand(centre, size, yaw, expected):
    assert box_distance([0, 0, 0], ONE, UPRIGHT, centre, size, yaw_rotation(yaw)) == pytest.approx(expected, abs=1e-12)


def test_crossing_bars_overlap_without_a_corner_inside():
    assert box_distance([0, 0, 0], [4, 0.2, 0.2], UPRIGHT, [0, 0, 0], [0.2, 4, 0.2], UPRIGHT) == 0.0


def test_skew_edges_meet_at_their_common_perpendicular():
    # two bars turned by 45 degrees about their own length, so an edge points at the other; lengths along x and y.
    # half diagonal of .2 x .2 is .1 sqrt 2 each: 1 - .2 sqrt 2
    c = math.sqrt(0.5)
    along_x = np.array([[1, 0, 0], [0, c, c], [0, -c, c]])
    along_y = np.array([[0, 1, 0], [-c, 0, c], [c, 0, c]])
    distance = box_distance([0, 0, 0], [4, 0.2, 0.2], along_x, [0, 0, 1], [4, 0.2, 0.2], along_y)
    assert distance == pytest.approx(1 - 0.2 * math.sqrt(2), abs=1e-12)


def test_surface_points_lie_on_faces_by_area():
    # 2 x 1 x 1 m: area 2 (2 + 1 + 2) = 10; the two 1 x 1 faces hold 2/10 of it
    points = surface_points([2, 1, 1], 1000)
    on_small = np.isclose(np.abs(points[:, 0]), 1.0)
    assert on_small.mean() == pytest.approx(0.2, abs=0.01)
    assert np.isclose(np.abs(points) / [1, 0.5, 0.5], 1.0).any(1).all()


def test_vsi_grid_drops_the_core():
    # L = .2: 4 points an axis at +-.1, +-.0333; dropped where all |p| <= .05 (the 2 x 2 x 2 core): 64 - 8
    assert len(vsi_points([0, 0, 0], [0.2, 0.2, 0.2], UPRIGHT)) == 56


def test_vsi_grid_of_a_sliver_halves_its_step():
    assert len(vsi_points([0, 0, 0], [0.01, 0.01, 0.01], UPRIGHT)) >= 1


def test_vsi_distance_is_never_below_the_exact_one():
    other = yaw_rotation(0.4)
    exact = box_distance([0, 0, 0], ONE, UPRIGHT, [2, 1, 0], ONE, other)
    assert exact - 1e-9 <= vsi_distance([0, 0, 0], ONE, UPRIGHT, [2, 1, 0], ONE, other) <= exact + 0.06


lengths = st.floats(0.02, 2.0)
places = st.floats(-3.0, 3.0)
angles = st.floats(-math.pi, math.pi)
boxes = st.tuples(st.tuples(places, places, places), st.tuples(lengths, lengths, lengths), angles, angles)


def turned(yaw: float, tilt: float) -> np.ndarray:
    c, s = math.cos(tilt), math.sin(tilt)
    return yaw_rotation(yaw) @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]])


@settings(max_examples=80, deadline=None)
@given(boxes, boxes, angles, angles)
def test_moving_the_world_changes_no_distance(a, b, yaw, tilt):
    ra, rb, world = turned(*a[2:]), turned(*b[2:]), turned(yaw, tilt)
    before = box_distance(a[0], a[1], ra, b[0], b[1], rb)
    # p -> world @ p + t turns an axis row r into world @ r
    move = [world @ np.array(x[0]) + [5, -2, 1] for x in (a, b)]
    after = box_distance(move[0], a[1], ra @ world.T, move[1], b[1], rb @ world.T)
    assert after == pytest.approx(before, abs=1e-8)


@settings(max_examples=80, deadline=None)
@given(boxes, boxes)
def test_distance_is_symmetric_and_bounded_by_surface_points(a, b):
    ra, rb = turned(*a[2:]), turned(*b[2:])
    distance = box_distance(a[0], a[1], ra, b[0], b[1], rb)
    assert distance == pytest.approx(box_distance(b[0], b[1], rb, a[0], a[1], ra), abs=1e-9)
    assert distance <= point_box_distance(box_corners(b[0], b[1], rb), a[0], a[1], ra).min() + 1e-9


@settings(max_examples=30, deadline=None)
@given(boxes, boxes)
def test_distance_agrees_with_a_general_solver(a, b):
    from scipy.optimize import lsq_linear

    ra, rb = turned(*a[2:]), turned(*b[2:])
    half = np.array([*a[1], *b[1]]) / 2
    offset = np.array(b[0]) - np.array(a[0])
    columns = np.concatenate([ra.T, -rb.T], axis=1)
    solved = lsq_linear(columns, offset, (-half, half), tol=1e-14, method="bvls", max_iter=500).x
    assert box_distance(a[0], a[1], ra, b[0], b[1], rb) == pytest.approx(
        float(np.linalg.norm(columns @ solved - offset)), abs=1e-6
    )


def many_boxes(n: int, seed: int, low: float = 0.02) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from scipy.spatial.transform import Rotation

    rng = np.random.Generator(np.random.PCG64(seed))
    size = np.exp(rng.uniform(np.log(low), np.log(4.0), (n, 3)))
    return rng.uniform(-3, 3, (n, 3)), size, Rotation.random(n, random_state=seed).as_matrix()


def all_pairs(n: int) -> np.ndarray:
    return np.stack(np.triu_indices(n, 1), axis=1)


def fcl_distances(boxes: tuple[np.ndarray, np.ndarray, np.ndarray], pairs: np.ndarray) -> np.ndarray:
    import fcl

    solids = [fcl.CollisionObject(fcl.Box(*s.tolist()), fcl.Transform(r.T, c)) for c, s, r in zip(*boxes, strict=True)]
    return np.array([max(0.0, fcl.distance(solids[a], solids[b])) for a, b in pairs])


@pytest.mark.parametrize("low", [0.002, 0.05])
def test_an_independent_solver_finds_the_same_distances(low):
    # the solver is iterative: on slivers it stops early now and then, and is then too far; ours never is
    boxes, pairs = many_boxes(110, 5, low), all_pairs(110)
    ours, theirs = box_distances(*boxes, pairs), fcl_distances(boxes, pairs)
    assert (ours <= theirs + 1e-9).all()
    assert (np.abs(ours - theirs) > 1e-9).sum() <= 4
    assert np.array_equal(ours == 0, theirs == 0)


def test_the_solver_agrees_on_upright_boxes_whose_edges_are_parallel():
    centre, size, _ = many_boxes(60, 6, 0.2)
    boxes = centre, size, np.stack([yaw_rotation(math.pi / 4 * (n % 3)) for n in range(60)])
    ours, theirs = (distances(boxes, all_pairs(60)) for distances in (lambda b, p: box_distances(*b, p), fcl_distances))
    assert np.allclose(ours, theirs, rtol=0, atol=1e-9)


def test_stacked_boxes_whose_faces_cross_like_a_star_are_apart_by_their_gap():
    # squares turned by 45 degrees, one above the other: no corner lies over the other's face; 2 - .5 - .5
    turned_box = yaw_rotation(math.pi / 4)
    assert box_distance([0, 0, 0], ONE, UPRIGHT, [0, 0, 2], ONE, turned_box) == pytest.approx(1.0, abs=1e-12)


def test_one_pair_and_many_have_the_same_numbers():
    boxes, pairs = many_boxes(30, 7), all_pairs(30)
    alone = [box_distance(*(part[k] for k in pair for part in boxes)) for pair in pairs]
    assert np.array_equal(box_distances(*boxes, pairs), alone)


@pytest.mark.parametrize("size", [[0, 0, 0], [2, 0, 0], [2, 2, 0]])
def test_boxes_without_volume_have_distances(size):
    # to a face at x = -.5 from a point, a line or a plane that ends at x = -5 + size / 2
    expected = 5 - 0.5 - size[0] / 2
    assert box_distance([-5, 0, 0], size, UPRIGHT, [0, 0, 0], ONE, UPRIGHT) == pytest.approx(expected, abs=1e-12)
    assert box_distance([0.1, 0, 0], size, UPRIGHT, [0, 0, 0], ONE, UPRIGHT) == 0.0


@pytest.mark.filterwarnings("error")
def test_boxes_that_are_not_finite_have_no_distance():
    centre, size, rotation = many_boxes(4, 8)
    centre[1, 0], size[2, 1], rotation[3, 0, 0] = np.nan, np.inf, np.nan
    distances = box_distances(centre, size, rotation, [[0, 1], [0, 2], [3, 0], [0, 0]])
    assert np.isnan(distances).tolist() == [True, True, True, False]
    assert box_distances(centre, size, rotation, np.zeros((0, 2), int)).shape == (0,)


def test_mirrored_axes_are_the_same_box():
    centre, size, rotation = many_boxes(20, 9)
    mirrored = rotation * np.array([1, -1, 1])[None, :, None]
    before, after = (box_distances(centre, size, r, all_pairs(20)) for r in (rotation, mirrored))
    assert np.allclose(before, after, rtol=0, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(boxes, boxes, st.floats(0.01, 100.0))
def test_scaled_boxes_have_scaled_distances(a, b, scale):
    ra, rb = turned(*a[2:]), turned(*b[2:])
    before = box_distance(a[0], a[1], ra, b[0], b[1], rb)
    grown = [np.array(x[k]) * scale for x in (a, b) for k in (0, 1)]
    after = box_distance(grown[0], grown[1], ra, grown[2], grown[3], rb)
    # what is closer than a nanometre touches, at every scale
    assert after == pytest.approx(before * scale, abs=1e-9 * max(1.0, scale) * 2)
