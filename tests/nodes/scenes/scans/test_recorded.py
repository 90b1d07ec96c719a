"""Recordings as scenes: what is kept where something is missing, and what cannot be true."""

import dataclasses

import numpy as np
import pytest

from graph.node import Named
from nodes.scenes.camera import look_at, scale_K, unproject
from nodes.scenes.extract import Extract
from nodes.scenes.geometry import yaw_rotation
from nodes.scenes.procedural import build_world
from nodes.scenes.render import render
from nodes.scenes.scans.recorded import scene_of_recording
from nodes.scenes.scans.recording import Recording, Shot, Surface
from nodes.scenes.scene import Room
from tests.nodes.scenes.scans.scannet_files import jpeg_of, surfaces_of

ROOM = Room("scene0001_00", "scannet", "scene0001", "train", "none", {})
SCANNET = Named("scannet", "nodes.scenes.scans.scannet:ScanNet")


class Reel:
    """A film in memory."""

    def __init__(self, shots):
        self.frames = shots

    @property
    def has_pose(self):
        return np.array([shot.T_wc is not None for shot in self.frames], bool)

    def shots(self, places):
        return (self.frames[place] for place in places)


@pytest.fixture(scope="module")
def drawn():
    world = build_world("old", 3, 8, 96, 0.5)
    return world, *render(world)


def recording_of(drawn, surface=True, shot=lambda shot: shot, **change):
    world, rgb, depth, _ = drawn
    shots = [
        shot(Shot(10 * f, float(world.time_s[f]), jpeg_of(rgb[f]), world.K, world.T_wc[f], depth[f]))
        for f in range(len(rgb))
    ]
    vertices, segments, _ = surfaces_of(world)
    owner = np.where(segments < 500, segments - 10, -1).astype(np.int32)
    given = {"labels": world.labels, "centre": world.centre, "size": world.size, "rotation": world.rotation}
    given |= {"film": Reel(shots), "surface": Surface(vertices, owner) if surface else None}
    return Recording(**{**given, **change})


def scene_of(recording, frames=8):
    return scene_of_recording(ROOM, recording, Extract(source=SCANNET, frames=frames))


@pytest.mark.parametrize("surface", [True, False])
def test_ids_are_those_that_were_drawn(drawn, surface):
    scene = scene_of(recording_of(drawn, surface))
    _, _, _, instance = drawn
    for f in range(8):
        # where a box stands on the floor, points of both are within centimetres
        assert (scene.frames.instance(f) == instance[f]).mean() > 0.98
    assert scene.frames.jpeg(3) == jpeg_of(drawn[1][3])
    assert scene.frames.depth(3).tolist() == drawn[2][3].tolist()
    assert scene.frames.K.shape == (8, 3, 3)
    assert scene.lost == {}


def test_frames_are_taken_evenly_among_those_with_a_pose(drawn):
    def shot(shot):
        return dataclasses.replace(shot, T_wc=None) if shot.number in (0, 30) else shot

    scene = scene_of(recording_of(drawn, shot=shot), frames=3)
    # left are 10, 20, 40, 50, 60, 70: the first, number 5 * 1 // 2 = 2, and the last
    assert scene.frames._arrays["number"].tolist() == [10, 40, 70]
    assert scene.frames.time_s.tolist() == [0.5, 2.0, 3.5]


def test_without_poses_pictures_and_boxes_are_left(drawn):
    scene = scene_of(recording_of(drawn, shot=lambda shot: dataclasses.replace(shot, T_wc=None)))
    assert scene.lost == {"poses": "none of 8 frames has one"}
    assert scene.summary()["lost"] == scene.lost
    assert len(scene.frames) == 8
    assert not scene.frames.has("T_wc") and not scene.frames.has("instance")
    assert scene.frames.has("depth")
    assert np.isnan(scene.first_seen_s).all() and not scene.visibility.any()
    assert len(scene.labels) == len(drawn[0].labels)


def test_without_depth_poses_are_left(drawn):
    scene = scene_of(recording_of(drawn, shot=lambda shot: dataclasses.replace(shot, depth=None)))
    assert scene.lost == {"depth": "8 of 8 frames have none"}
    assert scene.frames.has("T_wc") and not scene.frames.has("depth") and not scene.frames.has("instance")


def test_a_frame_without_depth_shows_nothing_and_costs_the_others_nothing(drawn):
    scene = scene_of(
        recording_of(drawn, shot=lambda shot: dataclasses.replace(shot, depth=None) if shot.number == 20 else shot)
    )
    whole = scene_of(recording_of(drawn))
    assert scene.lost == {"depth": "1 of 8 frames have none"}
    assert not scene.frames.depth(2).any() and not scene.visibility[2].any() and not scene.pixels[2].any()
    assert scene.visibility[3].tolist() == whole.visibility[3].tolist()


def test_without_labels_pictures_and_cameras_are_left(drawn):
    nothing = {"labels": [], "centre": np.zeros((0, 3)), "size": np.zeros((0, 3)), "rotation": np.zeros((0, 3, 3))}
    scene = scene_of(recording_of(drawn, surface=False, lost={"labels": "no mesh"}, **nothing))
    assert scene.labels == [] and scene.counts == {}
    assert scene.visibility.shape == (8, 0)
    assert scene.frames.has("T_wc") and scene.frames.has("depth")
    assert not scene.frames.instance(0).any()


def test_no_frames_asked_for_is_a_scene_without_frames(drawn):
    scene = scene_of(recording_of(drawn), frames=0)
    assert not scene.has_frames and scene.visibility.shape == (0, len(scene.labels))


def test_an_object_without_a_box_is_left_out_with_the_reason(drawn):
    world = drawn[0]
    n = len(world.labels)
    recording = recording_of(drawn)
    holes = {
        name: np.concatenate([np.full_like(v[:1], np.nan), v])
        for name, v in (("centre", world.centre), ("size", world.size), ("rotation", world.rotation))
    }
    surface = Surface(
        recording.surface.vertices, np.where(recording.surface.owner >= 0, recording.surface.owner + 1, -1)
    )
    scene = scene_of(dataclasses.replace(recording, labels=["cup", *world.labels], surface=surface, **holes))
    assert scene.labels == world.labels
    assert scene.counts["cup"] == 1
    assert scene.lost == {"boxes": "too few points for a box of 'cup' (0)"}
    same = scene_of(recording)
    assert all((scene.frames.instance(f) == same.frames.instance(f)).all() for f in range(8))
    assert scene.visibility.tolist() == same.visibility.tolist()
    assert scene.visibility.shape == (8, n)


def test_turning_a_recording_changes_nothing_that_is_seen(drawn):
    world = drawn[0]
    recording = recording_of(drawn)
    turn, shift = yaw_rotation(1.1).T, np.array([4.0, -7, 0.5])
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = turn, shift
    moved = dataclasses.replace(
        recording,
        centre=world.centre @ turn.T + shift,
        rotation=world.rotation @ turn.T,
        surface=Surface(recording.surface.vertices @ turn.T + shift, recording.surface.owner),
        film=Reel([dataclasses.replace(shot, T_wc=T @ shot.T_wc) for shot in recording.film.frames]),
    )
    a, b = scene_of(recording), scene_of(moved)
    assert np.abs(a.visibility - b.visibility).max() < 0.02
    assert a.first_seen_s == pytest.approx(b.first_seen_s, nan_ok=True)
    assert np.abs(a.pixels - b.pixels).max() <= 3


def mirror(matrix):
    return matrix @ np.diag([1.0, 1.0, -1.0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: {"rotation": mirror(w.rotation)}, r"box of .* \(0\): axes .* are mirrored"),
        (lambda w: {"rotation": w.rotation * 1.2}, r"are off by 0.44"),  # 1.2 * 1.2 - 1
        (lambda w: {"size": w.size * [1, 0, 1]}, r"size .* expected lengths above 0"),
        (lambda w: {"size": np.where(np.arange(3) == 1, np.nan, w.size)}, r"holds nan, expected finite"),
        (lambda w: {"centre": np.where(np.arange(3) == 1, np.inf, w.centre)}, r"holds inf"),
        (lambda w: {"centre": w.centre[:, :2]}, r"centre has shape"),
        (lambda w: {"centre": w.centre * 100, "size": w.size * 100}, r"m long, .* centimetres or millimetres\?"),
    ],
)
def test_boxes_that_cannot_be_true(drawn, change, message):
    with pytest.raises(ValueError, match=message):
        scene_of(recording_of(drawn, surface=False, **change(drawn[0])))


def turned(T, axes):
    out = T.copy()
    out[:3, :3] = axes
    return out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {"T_wc": turned(s.T_wc, mirror(s.T_wc[:3, :3]))}, "frame 0: pose: axes .* mirrored"),
        (lambda s: {"T_wc": turned(s.T_wc, s.T_wc[:3, :3] * 1.01)}, "frame 0: pose: axes .* off by 0.0201"),
        (lambda s: {"T_wc": np.full((4, 4), np.nan)}, "frame 0: pose .* expected a finite"),
        (
            lambda s: {"T_wc": look_at([0, 0, 160], [0, 5, 140])},
            r"camera at \[0.0, 0.0, 160.0\] m is 157.* from the room",
        ),
        (lambda s: {"depth": s.depth * 1000}, r"median depth .* expected 60 m"),
        (lambda s: {"depth": -s.depth}, "below 0"),
        (lambda s: {"jpeg": b"\xff\xd8broken"}, "frame 0: colours of 8 bytes"),
        (lambda s: {"jpeg": s.jpeg[: len(s.jpeg) // 2]}, "frame 0: colours of .* truncated"),
        (lambda s: {"K": s.K * np.nan}, "expected finite numbers, focal lengths"),
    ],
)
def test_frames_that_cannot_be_true(drawn, change, message):
    with pytest.raises(ValueError, match=message):
        scene_of(recording_of(drawn, shot=lambda shot: dataclasses.replace(shot, **change(shot))))


def test_depth_leads_back_to_the_world_by_hand():
    # 4 x 2 px, f = 2: the pixel in row 1, column 3 looks (3.5 - 2) / 2 = .75 right and (1.5 - 1) / 2 = .25 down a metre
    K = np.array([[2.0, 0, 2], [0, 2, 1], [0, 0, 1]])
    depth = np.full((2, 4), 4, np.float32)
    points = unproject(depth, look_at([0, 0, 1], [0, 5, 1]), K)
    assert points[1, 3] == pytest.approx([3, 4, 0])
    # the same view with half the pixels each way: half of f and of the middle
    assert scale_K(K, (2, 4), (1, 2)).tolist() == [[1, 0, 1], [0, 1, 0.5], [0, 0, 1]]
