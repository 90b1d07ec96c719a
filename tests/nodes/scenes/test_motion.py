"""Camera motion against sums done by hand, and against the rule that turning the world changes nothing."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.scenes.camera import look_at
from tests.nodes.scenes.motion import attitude, dominant_motion, find_motion, relative_pose


def posed(heading_deg=0.0, elevation_deg=0.0, roll_deg=0.0, at=(0.0, 0.0, 0.0)):
    """A camera by heading (counter-clockwise from x), elevation and clockwise roll, in that order of meaning."""
    h, e, r = (math.radians(v) for v in (heading_deg, elevation_deg, roll_deg))
    forward = np.array([math.cos(e) * math.cos(h), math.cos(e) * math.sin(h), math.sin(e)])
    right = np.array([math.sin(h), -math.cos(h), 0.0])
    down = np.cross(forward, right)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1] = math.cos(r) * right + math.sin(r) * down, math.cos(r) * down - math.sin(r) * right
    pose[:3, 2], pose[:3, 3] = forward, at
    return pose


def test_a_60_degree_pan_to_the_right_is_a_turn_about_gravity():
    motion = find_motion(posed(100), posed(40))
    assert motion.yaw_deg == pytest.approx(-60)
    assert [motion.pitch_deg, motion.roll_deg] == pytest.approx([0, 0], abs=1e-12)
    assert motion.turn_deg == pytest.approx(60)
    dominant = dominant_motion(motion)
    assert dominant.name == "turn right"
    assert dominant.margin_deg == pytest.approx(52)


def test_a_pan_of_a_camera_that_looks_down_has_the_same_yaw():
    # about gravity by 60, though the camera's own axes turn about something else
    motion = find_motion(posed(0, -50), posed(60, -50))
    assert [motion.yaw_deg, motion.pitch_deg, motion.roll_deg] == pytest.approx([60, 0, 0])


def test_one_metre_straight_ahead():
    motion = find_motion(look_at([1, 1, 1], [1, 5, 1]), look_at([1, 2, 1], [1, 5, 1]))
    assert [motion.right_m, motion.down_m, motion.forward_m] == pytest.approx([0, 0, 1])
    assert [motion.yaw_deg, motion.turn_deg] == pytest.approx([0, 0], abs=1e-9)
    dominant = dominant_motion(motion)
    assert (dominant.name, dominant.margin_m) == ("move forward", pytest.approx(1.0))
    assert dominant.margin_deg == pytest.approx(8.0)


def test_ahead_on_the_floor_and_ahead_of_a_camera_that_looks_down_differ():
    # 60 degrees down, 1 m level: along its axis cos 60 = .5, along its down axis -cos 30 (towards the picture's top)
    motion = find_motion(posed(0, -60), posed(0, -60, at=(1, 0, 0)))
    assert [motion.level_right_m, motion.up_m, motion.level_forward_m] == pytest.approx([0, 0, 1])
    assert [motion.right_m, motion.down_m, motion.forward_m] == pytest.approx([0, -math.sqrt(0.75), 0.5])
    assert dominant_motion(motion).name == "move forward"
    assert dominant_motion(motion, level=False).name == "move up"


@pytest.mark.parametrize(
    ("step", "name"),
    [
        # looking along x: right is -y, up is z
        ((0, -1, 0.2), "move right"),
        ((0, 1, 0.2), "move left"),
        ((0.2, 0, 1), "move up"),
        ((0.2, 0, -1), "move down"),
        ((1, 0.2, 0), "move forward"),
        ((-1, 0.2, 0), "move backward"),
    ],
)
def test_the_longest_step_names_the_move(step, name):
    dominant = dominant_motion(find_motion(posed(), posed(at=step)))
    assert dominant.name == name
    assert dominant.margin_m == pytest.approx(0.8)


def test_the_boundary_is_a_turn():
    assert dominant_motion(find_motion(posed(0), posed(8.0000001))).name == "turn left"
    assert dominant_motion(find_motion(posed(0), posed(7.9, at=(0, 0, 1)))).name == "move up"


def test_headings_wrap_around():
    assert find_motion(posed(170), posed(-170)).yaw_deg == pytest.approx(20)
    assert find_motion(posed(-90), posed(90)).yaw_deg == pytest.approx(180)


def test_the_relative_pose_takes_points_of_the_second_camera_to_the_first():
    a, b = posed(30, 10, 5, (1, 2, 3)), posed(-70, -20, 0, (0, 1, 1))
    assert np.allclose(a @ relative_pose(a, b), b)


@pytest.mark.parametrize(("elevation", "top"), [(-90, 1), (90, -1)])
def test_looking_straight_down_or_up_has_the_heading_of_the_level_camera_it_was(elevation, top):
    # tilted from level, heading along x: looking down its picture's top is ahead, looking up its bottom
    pose = posed(0, elevation)
    assert -pose[:3, 1] @ [1, 0, 0] == pytest.approx(top)
    assert attitude(pose)[0] == pytest.approx(0, abs=1e-9)
    assert find_motion(pose, posed(25, elevation)).yaw_deg == pytest.approx(25)


@pytest.mark.filterwarnings("error")
def test_a_pose_that_is_not_known_has_no_motion():
    lost = np.full((4, 4), np.nan)
    assert find_motion(lost, posed()) is None
    assert find_motion(posed(), lost) is None
    still = find_motion(posed(), posed())
    assert still.distance_m == 0
    assert dominant_motion(still).margin_m == 0


headings, tilts = st.floats(-180, 180), st.floats(-80, 80)
cameras = st.tuples(headings, tilts, tilts, st.tuples(*[st.floats(-5, 5)] * 3))


@settings(max_examples=60, deadline=None)
@given(cameras, cameras, headings)
def test_turning_the_world_about_gravity_changes_no_motion(a, b, turn):
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    spin = np.array([[c, -s, 0, 3], [s, c, 0, -1], [0, 0, 1, 0.5], [0, 0, 0, 1]])
    first, second = posed(*a), posed(*b)
    before, after = find_motion(first, second), find_motion(spin @ first, spin @ second)
    for name, value in vars(before).items():
        difference = getattr(after, name) - value
        assert (difference + 180) % 360 - 180 == pytest.approx(0, abs=1e-6), name


@settings(max_examples=60, deadline=None)
@given(cameras, cameras)
def test_attitudes_are_read_as_they_were_made(a, b):
    motion = find_motion(posed(*a), posed(*b))
    expected = [(b[0] - a[0] + 180) % 360 - 180, b[1] - a[1], b[2] - a[2]]
    found = [motion.yaw_deg, motion.pitch_deg, motion.roll_deg]
    assert [(f - e + 180) % 360 - 180 for f, e in zip(found, expected, strict=True)] == pytest.approx([0] * 3, abs=1e-6)
    assert motion.distance_m == pytest.approx(math.dist(a[3], b[3]), abs=1e-9)
