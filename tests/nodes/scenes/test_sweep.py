"""Novel views: paths against sums done by hand, and scenes of every kind seen from anywhere."""

import math

import numpy as np
import pytest

from nodes.scenes.camera import into_camera, intrinsics, look_at, project
from nodes.scenes.colours import label_colour
from nodes.scenes.drawn import extent, render_scene
from nodes.scenes.extract import Extract, extract
from nodes.scenes.frames import Frames
from nodes.scenes.geometry import box_corners, yaw_rotation
from nodes.scenes.list import ListRooms, list_rooms
from nodes.scenes.relations import find_relations
from nodes.scenes.scene import Scene
from nodes.scenes.sweep import Sweep, oblique_path, orbit_path, sweep, walk_path
from nodes.scenes.walls import outline_mesh, tidy_outline
from store.open import open_store

SQUARE = np.array([[-2, -2], [2, -2], [2, 2], [-2, 2]], float)
# an L: 4 x 4 without the upper right quarter
CORNER = np.array([[0, 0], [4, 0], [4, 2], [2, 2], [2, 4], [0, 4]], float)
K = intrinsics(64, 90.0)


def scene_of(boxes, polygon=SQUARE):
    """A scene without frames: boxes (label, centre, size, yaw) over an outline."""
    n = len(boxes)
    arrays = {
        "centre": np.array([b[1] for b in boxes], float).reshape(n, 3),
        "size": np.array([b[2] for b in boxes], float).reshape(n, 3),
        "rotation": np.array([yaw_rotation(b[3]) for b in boxes]).reshape(n, 3, 3),
        "polygon": np.asarray(polygon, float),
        "visibility": np.zeros((0, n), np.float32),
        "pixels": np.zeros((0, n), np.int64),
        "first_seen_s": np.full(n, np.nan),
    }
    room = {name: "x" for name in ("id", "source", "place", "split", "terms")}
    labels = [b[0] for b in boxes]
    return Scene(room, arrays, labels=labels, area_m2=None, area_assumed=True, polygon_assumed=True, counts={})


CUBE = ("red box", [0, 1, 0.5], [1, 1, 1], 0.0)


def test_walls_and_boxes_have_their_depth():
    # from (0, -1.5, .5) along y: the cube's face at y = .5, 2 m on; beside it the wall at y = 2, 3.5 m on. Half a metre
    # at 2 m is 8 px: columns 24..39. Row 60 looks down by 28.5 / 32: the floor is .5 / (28.5 / 32) on
    rgb, depth, instance = render_scene(scene_of([CUBE]), look_at([0, -1.5, 0.5], [0, 1, 0.5])[None], K, 64, "old")
    assert depth[0, 32, 32] == pytest.approx(2.0)
    assert depth[0, 30, 20] == pytest.approx(3.5)
    assert depth[0, 60, 32] == pytest.approx(16 / 28.5)
    # the ceiling is 2.4 m above the floor: at row 2 it is 1.9 / (29.5 / 32) on
    assert depth[0, 2, 32] == pytest.approx(1.9 * 32 / 29.5)
    assert (instance[0] == 1).sum() == 256
    red = rgb[0, 32, 32].astype(float)
    assert red[0] > 3 * red[1]


def test_a_box_of_walls_and_its_outline_look_the_same():
    from nodes.scenes.procedural import build_world
    from nodes.scenes.render import render

    world = build_world("old", 3, 4, 64, 1.0)
    room = list_rooms(params=ListRooms(first=3, count=1))["procedural-v1-old-00003"]
    scene = extract(room, params=Extract(frames=1))
    (rgb, depth, instance), (expected_rgb, expected, ids) = (
        render_scene(scene, world.T_wc, world.K, 64, "old"),
        render(world),
    )
    # a Scene knows no ceiling: it is drawn as high as is usual
    below = np.stack([_heights(d, pose, world.K) for d, pose in zip(expected, world.T_wc, strict=True)]) < 2.39
    assert (instance != ids).sum() <= 4
    assert np.allclose(depth[below], expected[below], atol=1e-4)
    # the noise has a standard deviation of 2 levels in each
    assert np.abs(rgb[below].astype(float) - expected_rgb[below]).mean() < 4


def _heights(depth, pose, K):
    row, column = np.indices(depth.shape)
    points = np.stack([(column + 0.5 - K[0, 2]) / K[0, 0], (row + 0.5 - K[1, 2]) / K[1, 1], np.ones(depth.shape)], -1)
    return (points * depth[..., None]) @ pose[2, :3] + pose[2, 3]


def test_a_room_is_open_to_a_camera_above_it():
    _, depth, instance = render_scene(scene_of([CUBE]), look_at([0, -6, 6], [0, 0, 0.5])[None], K, 64, "new")
    assert (instance == 1).any()
    # above the far wall nothing is hit
    assert (depth[0, 0] == 0).all()
    # the middle ray reaches (0, 0, .5) and goes on to the floor at z = 0: 6 / 5.5 of the way there
    way = math.sqrt(36 + 5.5**2)
    assert depth[0, 32, 32] == pytest.approx(way * 6 / 5.5, rel=0.03)


def test_walls_around_a_corner_hide_what_stands_behind_it():
    # in an L, from its lower right end what stands in the upper left one is hidden by the walls of the inner corner
    hidden, shown = ("a", [1.5, 3.5, 0.5], [0.5, 0.5, 1], 0.0), ("b", [1, 1, 0.5], [0.5, 0.5, 1], 0.0)
    pose = look_at([3.8, 1.0, 1.2], [1.5, 3.5, 0.5])[None]
    _, _, instance = render_scene(scene_of([hidden, shown], CORNER), pose, K, 64, "old")
    assert not (instance == 1).any()
    assert (render_scene(scene_of([hidden], SQUARE * 3), pose, K, 64, "old")[2] == 1).any()


def test_pictures_need_not_be_square_and_cameras_may_differ():
    poses = np.stack([look_at([0, -1.5, 0.5], [0, 1, 0.5])] * 2)
    wide = np.array([[32.0, 0, 48], [0, 32, 16], [0, 0, 1]])
    rgb, depth, _ = render_scene(scene_of([CUBE]), poses, np.stack([wide, wide * [[2], [2], [1]]]), (32, 96), "old")
    assert rgb.shape == (2, 32, 96, 3)
    assert depth[0, 16, 48] == pytest.approx(2.0)


def test_an_outline_is_counter_clockwise_and_encloses_something():
    assert tidy_outline(SQUARE[::-1]).shape == (4, 2)
    x, y = tidy_outline(SQUARE[::-1]).T
    assert (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() > 0
    assert len(tidy_outline(SQUARE[[0, 2, 1, 3]])) == 4  # crosses itself: its hull
    for nothing in (np.zeros((0, 2)), SQUARE[:2], SQUARE * 0, SQUARE * np.nan, SQUARE * [1, 0]):
        assert tidy_outline(nothing) is None


def test_walls_floor_and_ceiling_of_an_l_have_its_area():
    mesh = outline_mesh(CORNER, 0.0, 2.5)
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a) / 2
    area = np.sqrt((normal**2).sum(1))
    # 16 - 4; around it 16 m of walls
    assert area[mesh.owner == 6].sum() == pytest.approx(12)
    assert area[mesh.owner == 7].sum() == pytest.approx(12)
    assert area[mesh.owner < 6].sum() == pytest.approx(16 * 2.5)
    assert (normal[mesh.owner == 6, 2] > 0).all()
    assert (normal[mesh.owner == 7, 2] < 0).all()
    assert np.allclose(normal[mesh.owner < 6].sum(0), 0)


def test_an_oblique_sweep_sees_all_of_a_room_from_above():
    poses = oblique_path(CORNER, (0.0, 2.5), 12, 60.0, 50.0, 360.0)
    corners = np.concatenate([np.column_stack([CORNER, np.full(6, z)]) for z in (0.0, 2.5)])
    for pose in poses:
        uv, _ = project(corners, pose, intrinsics(100, 60.0))
        assert ((uv >= 0) & (uv <= 100)).all()
        # 50 degrees down: its forward axis falls by sin 50
        assert pose[2, 2] == pytest.approx(-math.sin(math.radians(50)))
    assert len(np.unique(np.round(poses, 6), axis=0)) == 12


def test_an_orbit_stays_inside():
    import shapely

    room = shapely.Polygon(CORNER)
    assert all(room.contains(shapely.Point(pose[:2, 3])) for pose in orbit_path(CORNER, 0.0, 20, 360.0))


def test_a_walk_goes_evenly_along_its_points():
    # 2 m along x, then 2 m along y; five views a metre apart, each looking to where the way is a metre on
    poses = walk_path(np.array([[0, 0], [2, 0], [2, 2]], float), 0.2, 5)
    assert np.allclose(poses[:, :3, 3], [[0, 0, 1.7], [1, 0, 1.7], [2, 0, 1.7], [2, 1, 1.7], [2, 2, 1.7]])
    assert np.allclose(poses[:, :2, 2], [[1, 0], [1, 0], [0, 1], [0, 1], [0, 1]])


@pytest.mark.parametrize("path", ["oblique", "orbit", "walk"])
def test_a_sweep_is_frames_like_others(path, tmp_path):
    points = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.0), (0.0, 0.0)) if path == "walk" else ()
    frames = sweep(scene_of([CUBE]), params=Sweep(path=path, frames=5, size_px=32, points=points))
    store = open_store(str(tmp_path))
    read = store.open(store.put(frames), Frames)
    assert len(read) == 5
    assert read.invented
    assert read.rgb(4).shape == (32, 32, 3)
    assert read.depth(0).max() > 0
    assert read.K.shape == (5, 3, 3)
    again = sweep(scene_of([CUBE]), params=Sweep(path=path, frames=5, size_px=32, points=points))
    assert store.put(again) == store.put(frames)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"path": "walk"}, "two or more"),
        ({"path": "walk", "points": ((0.0, 0.0), (0.0, 0.0))}, "two or more"),
        ({"path": "walk", "points": ((0.0, 0.0), (math.nan, 0.0))}, "finite"),
        ({"points": ((0.0, 0.0), (1.0, 0.0))}, "did you mean 'walk'"),
        ({"style": "odl"}, "did you mean 'old'"),
    ],
)
def test_wrong_sweeps_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        Sweep(**params)


def test_labels_that_name_a_colour_have_it():
    assert label_colour("red box") == (0.86, 0.13, 0.12)
    assert label_colour("chair") == label_colour("chair") != label_colour("table")


BROKEN = [
    [],
    [("dot", [0, 0, 0.5], [0, 0, 0], 0.0)],
    [("sheet", [0, 0, 0.5], [1, 1, 0], 0.3)],
    [("lost", [np.nan, 0, 0.5], [1, 1, 1], 0.0), CUBE],
    [("endless", [0, 0, 0.5], [np.inf, 1, 1], 0.0), CUBE],
    [("turned to nowhere", [0, 0, 0.5], [1, 1, 1], np.nan), CUBE],
    [("around us", [0, 0, 0.5], [30, 30, 30], 0.1), CUBE],
]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("boxes", BROKEN, ids=lambda b: b[0][0] if b else "empty")
@pytest.mark.parametrize("polygon", [SQUARE, np.zeros((0, 2)), SQUARE * np.nan], ids=["walls", "none", "nan"])
def test_broken_boxes_and_lost_cameras_are_no_crash(boxes, polygon):
    scene = scene_of(boxes, polygon)
    lost, far = np.full((4, 4), np.nan), look_at([1e6, 0, 0], [0, 0, 0])
    inside, away = look_at([0, 1, 0.5], [1, 1, 0.5]), look_at([90, 0, 1], [99, 0, 1])
    on_a_wall = look_at([-2, 0, 0], [0, 0, 0])
    poses = np.stack([lost, far, inside, away, on_a_wall])
    _, depth, instance = render_scene(scene, poses, K, 32, "new")
    assert np.isfinite(depth).all()
    assert not depth[0].any()
    assert not instance[0].any()
    assert not depth[3].any()
    edges = find_relations(scene.centre, scene.size, scene.rotation)
    assert all(math.isfinite(edge.distance_m) for edge in edges)
    for path in ("oblique", "orbit"):
        assert len(sweep(scene, params=Sweep(path=path, frames=2, size_px=16))) == 2


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("eye", [[0, 0, 9], [0.5, 0.5, 0.5], [7, 7, 1], [2.0, 0, 1], [0, 0, -3]])
def test_a_drawn_room_is_seen_from_anywhere(eye):
    from dataclasses import replace

    from nodes.scenes.procedural import build_world
    from nodes.scenes.render import render
    from nodes.scenes.visibility import visibility

    world = replace(
        build_world("old", 2, 1, 32, 1.0), T_wc=np.stack([look_at(eye, [0.1, 0, 1.2]), np.full((4, 4), np.nan)])
    )
    _, depth, instance = render(world)
    assert np.isfinite(depth).all()
    assert not depth[1].any()
    share = visibility((world.centre, world.size, world.rotation), world.T_wc, world.K, depth)
    assert (share[1] == 0).all()
    # whatever is drawn of a box lies in it or on it
    for i in range(len(world.labels)):
        row, column = np.nonzero(instance[0] == i + 1)
        local = into_camera(box_corners(world.centre[i], world.size[i], world.rotation[i]), world.T_wc[0])
        assert (depth[0][row, column] >= local[:, 2].min() - 1e-4).all()
        assert (depth[0][row, column] <= local[:, 2].max() + 1e-4).all()


def test_what_is_not_known_of_a_scene_is_assumed():
    low, high, outline = extent(scene_of([CUBE], np.zeros((0, 2))))
    # the cube and 5 cm around it
    assert (low, high) == (0.0, 2.4)
    assert outline.tolist() == [[-0.55, 0.45], [0.55, 0.45], [0.55, 1.55], [-0.55, 1.55]]


@pytest.mark.filterwarnings("error")
def test_an_empty_room_is_looked_at_too():
    from nodes.scenes.views import invent_views

    walls = (np.array([0, 0, 1.2]), np.array([4, 4, 2.4]), np.eye(3))
    nothing = (np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3, 3)))
    poses = invent_views("empty", nothing, walls, 3)
    assert (np.abs(poses[:, :2, 3]) < 2).all()
    assert invent_views("empty", nothing, walls, 0).shape == (0, 4, 4)
