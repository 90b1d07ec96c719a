"""Triangle meshes against sums done by hand, a brute-force ray caster, and the renderer of boxes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodes.scenes.camera import NEAR_M, intrinsics, look_at
from nodes.scenes.geometry import box_corners
from nodes.scenes.mesh import Mesh, cast_mesh, draw_mesh, face_owners, index_mesh
from nodes.scenes.render import render
from tests.nodes.scenes.test_render import world_of

LEVEL = look_at([0, 0, 0], [0, 1, 0])
K64 = intrinsics(64, 90.0)
BOX_FACES = [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6]]
BOX_FACES += [[0, 6, 4], [1, 5, 7], [1, 7, 3]]


def mesh_of(vertices, faces, colour=None):
    return Mesh(np.array(vertices, float), np.array(faces, np.int32), np.arange(len(faces), dtype=np.int32), colour)


def soup(n: int, seed: int, size: float) -> Mesh:
    rng = np.random.Generator(np.random.PCG64(seed))
    middle = rng.uniform(-3, 3, (n, 1, 3))
    return mesh_of((middle + rng.normal(0, size, (n, 3, 3))).reshape(-1, 3), np.arange(3 * n).reshape(n, 3))


def brute_force(mesh: Mesh, pose, K, shape):
    """Möller-Trumbore in the world, every ray against every triangle: depth (H, W), face (H, W)."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    depth, face = np.zeros(shape), np.full(shape, -1)
    for row in range(shape[0]):
        for column in range(shape[1]):
            ray = pose[:3, :3] @ [(column + 0.5 - K[0, 2]) / K[0, 0], (row + 0.5 - K[1, 2]) / K[1, 1], 1.0]
            p = np.cross(ray, c - a)
            det = ((b - a) * p).sum(1)
            with np.errstate(all="ignore"):
                t = pose[:3, 3] - a
                u = (t * p).sum(1) / det
                q = np.cross(t, b - a)
                v, z = (q @ ray) / det, ((c - a) * q).sum(1) / det
                z = np.where((u >= 0) & (v >= 0) & (u + v <= 1) & (z >= NEAR_M), z, np.inf)
            if np.isfinite(z).any():
                depth[row, column], face[row, column] = z.min(), z.argmin()
    return depth, face


def test_a_triangle_by_hand():
    # at y = 2 seen from 0 along y: x = 2 (u - 32) / 32, z = -2 (v - 32) / 32. The corners (-1, 1), (1, 1), (-1, -1) are
    # pixels (16, 16), (48, 16), (16, 48): half of 32 x 32, and the centres on the diagonal: 32 * 33 / 2
    mesh = mesh_of([[-1, 2, 1], [1, 2, 1], [-1, 2, -1]], [[0, 1, 2]], np.eye(3))
    depth, owner, colour = draw_mesh(index_mesh(mesh), LEVEL, K64, (64, 64))
    assert (owner == 0).sum() == 528
    assert depth[owner == 0] == pytest.approx(2.0)
    assert (depth[owner < 0] == 0).all()
    # pixel (16, 16) has its centre half a pixel right of and below the first corner: weights 1 - 2/64, 1/64, 1/64
    assert colour[16, 16] == pytest.approx([62 / 64, 1 / 64, 1 / 64])


def test_weights_are_those_of_space_not_of_the_picture():
    # an edge from depth 1 to depth 3 at x = -1 and 3: straight ahead (x = 0) is a quarter of the way, at depth 1.5
    mesh = mesh_of([[-1, 1, 1], [3, 3, 1], [-1, 1, -1], [3, 3, -1]], [[0, 1, 2], [2, 1, 3]])
    depth, _, _ = cast_mesh(index_mesh(mesh), LEVEL, intrinsics(65, 90.0), (65, 65))
    assert depth[32, 32] == pytest.approx(1.5, abs=1e-12)


@pytest.mark.parametrize(("n", "size"), [(40, 1.0), (400, 0.1), (40, 4.0)])
def test_a_brute_force_caster_sees_the_same(n, size):
    mesh, shape = soup(n, n, size), (20, 28)
    K = np.array([[17.0, 0, 13.3], [0, 21.0, 10.9], [0, 0, 1]])
    pose = look_at([0.3, -0.2, 0.1], [1, 2, -0.7])
    depth, face, _ = cast_mesh(index_mesh(mesh), pose, K, shape)
    expected, hit = brute_force(mesh, pose, K, shape)
    assert np.array_equal(face, hit)
    assert np.allclose(depth, expected, rtol=1e-9, atol=0)
    assert (hit >= 0).any()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(-math.pi, math.pi), st.floats(-1.2, 1.2))
def test_a_mesh_of_a_box_looks_like_the_box(seed, yaw, tilt):
    rng = np.random.Generator(np.random.PCG64(seed))
    box = (rng.uniform([-1, 0, 0.5], [1, 3, 1]), rng.uniform(0.3, 0.9, 3), yaw)
    world = world_of([box], [0, -3, 1.5], [0, 1, 1 + tilt])
    corners = box_corners(world.centre[0], world.size[0], world.rotation[0])
    depth, owner, _ = draw_mesh(index_mesh(mesh_of(corners, BOX_FACES)), world.T_wc[0], world.K, (64, 64))
    _, expected, instance = render(world)
    both = (owner >= 0) & (instance[0] == 1)
    # a pixel whose ray grazes an edge may fall either way
    assert ((owner >= 0) != (instance[0] == 1)).sum() <= 2
    assert np.allclose(depth[both], expected[0][both], rtol=0, atol=1e-4)


def test_a_closed_surface_around_the_camera_has_no_cracks():
    rng = np.random.Generator(np.random.PCG64(3))
    angle, height = np.meshgrid(np.linspace(0, 2 * math.pi, 40)[:-1], np.linspace(-1, 1, 30))
    round_points = np.stack([np.cos(angle), np.sin(angle), height], axis=-1).reshape(-1, 3)
    vertices = round_points * rng.uniform(0.8, 1.2, (len(round_points), 1))
    rows, columns = np.meshgrid(np.arange(29), np.arange(39), indexing="ij")
    right = (columns + 1) % 39
    corners = [(rows * 39 + columns), (rows * 39 + right), ((rows + 1) * 39 + columns), ((rows + 1) * 39 + right)]
    a, b, c, d = (corner.ravel() for corner in corners)
    mesh = mesh_of(vertices, np.concatenate([np.stack([a, b, c], 1), np.stack([c, b, d], 1)]))
    for turn in range(7):
        depth, _, _ = cast_mesh(
            index_mesh(mesh), look_at([0, 0, 0], [math.cos(turn), math.sin(turn), 0]), K64, (64, 64)
        )
        # 90 degrees see heights within the depth, at most 1.2 cos 45 sideways: all of it is the wall
        assert (depth[20:44] > 0).all()


def test_a_floor_that_reaches_behind_the_camera_is_seen_ahead_of_it():
    mesh = mesh_of([[-50, -50, -1], [50, -50, -1], [0, 80, -1]], [[0, 1, 2]])
    depth, owner, _ = draw_mesh(index_mesh(mesh), LEVEL, K64, (64, 64))
    # row 60 looks down by (60.5 - 32) / 32 a metre
    assert depth[60, 32] == pytest.approx(32 / 28.5)
    assert (owner[40:] == 0).all()
    assert (owner[:32] == -1).all()


def test_of_faces_equally_far_the_lower_number_is_seen():
    corners = [[-1, 2, -1], [1, 2, -1], [0, 2, 1]]
    _, face, _ = cast_mesh(index_mesh(mesh_of(corners, [[2, 1, 0], [0, 1, 2], [1, 2, 0]])), LEVEL, K64, (64, 64))
    assert set(np.unique(face)) == {-1, 0}


def test_a_face_belongs_to_whom_two_of_its_corners_belong():
    owner = np.array([0, 0, 1, 2, -1], np.int32)
    faces = np.array([[0, 1, 2], [2, 0, 1], [2, 3, 0], [4, 2, 4], [0, 2, 2]], np.int32)
    assert face_owners(owner, faces).tolist() == [0, 0, -1, -1, 1]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "mesh",
    [
        mesh_of(np.zeros((0, 3)), np.zeros((0, 3))),
        mesh_of([[0, 2, 0]], [[0, 0, 0]]),
        mesh_of([[0, 1, 0], [0, 2, 0], [0, 3, 0]], [[0, 1, 2]]),
        mesh_of([[np.nan, 1, 0], [0, np.inf, 0], [0, 3, 0]], [[0, 1, 2], [0, 1, 7], [-1, 1, 2]]),
    ],
)
def test_meshes_without_a_sound_face_show_nothing(mesh):
    depth, owner, _ = draw_mesh(index_mesh(mesh), LEVEL, K64, (8, 8))
    assert (owner == -1).all()
    assert (depth == 0).all()


@pytest.mark.filterwarnings("error")
def test_a_broken_face_leaves_the_others_and_their_numbers_alone():
    mesh = mesh_of([[-9, 2, -9], [9, 2, -9], [0, 2, 9], [np.nan, 0, 0]], [[0, 1, 3], [0, 1, 9], [0, 1, 2]])
    assert cast_mesh(index_mesh(mesh), LEVEL, K64, (64, 64))[1][32, 32] == 2
    lost = LEVEL.copy()
    lost[0, 3] = np.nan
    assert not draw_mesh(index_mesh(mesh), lost, K64, (64, 64))[0].any()


@pytest.mark.filterwarnings("error")
def test_a_corner_in_the_camera_itself_is_no_crash():
    mesh = mesh_of([[0, 0, 0], [1, 2, 1], [-1, 2, 1], [0, 0, 1e-30]], [[0, 1, 2], [3, 0, 1]])
    depth, _, _ = draw_mesh(index_mesh(mesh), LEVEL, K64, (64, 64))
    assert np.isfinite(depth).all()


@pytest.mark.parametrize(("n", "size"), [(400, 0.1), (40, 4.0)])
def test_embree_sees_the_same_to_the_last_digit_where_it_sees_the_same_face(n, size):
    pytest.importorskip("embreex")
    from nodes.scenes.embree import EmbreeCaster

    mesh, pose = soup(n, n, size), look_at([0.3, -0.2, 0.1], [1, 2, -0.7])
    index = index_mesh(Mesh(mesh.vertices + np.array([1000.0, 0, 0]), mesh.faces, mesh.owner))
    pose[0, 3] += 1000.0
    (depth, face, weights), other = (cast(index, pose, K64, (64, 64)) for cast in (cast_mesh, EmbreeCaster(index)))
    same = face == other[1]
    assert same.mean() > 0.995
    assert (face >= 0).mean() > 0.05
    assert np.allclose(depth[same], other[0][same], rtol=1e-9, atol=0)
    assert np.allclose(weights[same], other[2][same], rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("error")
def test_embree_knows_empty_meshes_and_lost_poses():
    pytest.importorskip("embreex")
    from nodes.scenes.embree import EmbreeCaster

    for mesh, pose in ((mesh_of(np.zeros((0, 3)), np.zeros((0, 3))), LEVEL), (soup(3, 3, 1.0), LEVEL * np.nan)):
        index = index_mesh(mesh)
        assert not draw_mesh(index, pose, K64, (8, 8), EmbreeCaster(index))[0].any()
    with pytest.raises(ValueError, match="one-sided"):
        EmbreeCaster(index_mesh(Mesh(mesh.vertices, mesh.faces, mesh.owner, one_sided=True)))


def test_one_sided_faces_are_seen_from_where_their_corners_run_counter_clockwise():
    # from the origin along y, x to the right and z up: (-1, -1), (1, -1), (0, 1) run counter-clockwise
    corners = [[-1, 2, -1], [1, 2, -1], [0, 2, 1]]
    for face, seen in (([0, 1, 2], True), ([2, 1, 0], False)):
        mesh = Mesh(np.array(corners, float), np.array([face], np.int32), np.zeros(1, np.int32), one_sided=True)
        assert cast_mesh(index_mesh(mesh), LEVEL, K64, (64, 64))[0].any() == seen
