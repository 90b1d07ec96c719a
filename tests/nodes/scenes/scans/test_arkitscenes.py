"""ARKitScenes: files in its own formats of a room with known boxes, read back; broken ones refused."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from graph.node import External, Located, Named
from nodes.scenes.camera import project
from nodes.scenes.extract import Extract, extract
from nodes.scenes.geometry import box_corners
from nodes.scenes.list import ListRooms, list_rooms
from nodes.scenes.scans.arkit_film import ArkitFilm
from nodes.scenes.scans.arkitscenes import read_capture
from nodes.scenes.scans.trajectory import pose_at, read_trajectory
from nodes.scenes.scans.upright import turn_camera, turn_picture
from nodes.scenes.visibility import visibility
from tests.nodes.scenes.scans.scanned import BOXES, EVERY_S, Scan, scan, write_ply

SOURCE = Named("arkitscenes", "nodes.scenes.scans.arkitscenes:ArkitScenes")
VIDEO = "41069025"
START_S = 6845.706  # a device's clock


def write_capture(root: Path, made: Scan, video=VIDEO, fold="Validation", held=0, late_s=0.0):
    """Write a capture as published; `held`: quarter turns counter-clockwise of the device; `late_s`: of the poses."""
    folder = root / fold / video
    for name in ("lowres_wide", "lowres_wide_intrinsics", "lowres_depth", "confidence"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    world = made.world
    lines = []
    for f in range(len(world.T_wc)):
        stem = f"{video}_{START_S + world.time_s[f]:.3f}"
        K, pose = turn_camera(world.K, world.T_wc[f], world.size_px, world.size_px, (4 - held) % 4)
        turned = [turn_picture(picture, (4 - held) % 4) for picture in (made.rgb[f], made.depth[f])]
        Image.fromarray(turned[0]).save(folder / "lowres_wide" / f"{stem}.png")
        Image.fromarray(np.round(turned[1] * 1000).astype(np.uint16)).save(folder / "lowres_depth" / f"{stem}.png")
        Image.fromarray(np.full(turned[1].shape, 2, np.uint8)).save(folder / "confidence" / f"{stem}.png")
        size = world.size_px
        pincam = f"{size} {size} {K[0, 0]} {K[1, 1]} {K[0, 2]} {K[1, 2]}"
        (folder / "lowres_wide_intrinsics" / f"{stem}.pincam").write_text(pincam)
        # world to camera: the inverse of our camera to world
        T_cw = np.linalg.inv(pose)
        numbers = [*Rotation.from_matrix(T_cw[:3, :3]).as_rotvec(), *T_cw[:3, 3]]
        lines.append(f"{START_S + world.time_s[f] + late_s:.6f} " + " ".join(f"{n:.9f}" for n in numbers))
    (folder / "lowres_wide.traj").write_text("\n".join(lines) + "\n")
    write_ply(folder / f"{video}_3dod_mesh.ply", made.vertices, made.triangles)
    (folder / f"{video}_3dod_annotation.json").write_text(json.dumps(annotation_of(made)))
    return folder


def annotation_of(made: Scan):
    data = []
    for i, label in enumerate(made.world.labels):
        box = {
            "centroid": made.world.centre[i].tolist(),
            "axesLengths": made.world.size[i].tolist(),
            "normalizedAxes": made.world.rotation[i].ravel().tolist(),
        }
        # obb is in other coordinates, which nothing may read
        other = {"centroid": [9, 9, 9], "axesLengths": [1, 1, 1], "normalizedAxes": [1, 0, 0, 0, 1, 0, 0, 0, 1]}
        data.append({"uid": str(i), "label": label, "segments": {"obb": other, "obbAligned": box}, "attributes": {}})
    return {"data": data, "stats": {}, "skipped": False, "comment": ""}


def taken(root: Path, room=VIDEO, **params):
    params = {"frames": 12, **params}
    rooms = list_rooms(params=ListRooms(source=SOURCE, path=External(root)))
    return extract(rooms[room], params=Extract(source=SOURCE, path=Located(root), **params))


@pytest.fixture(scope="module")
def made() -> Scan:
    return scan(frames=12, size_px=64, step_m=0.06)


def test_a_capture_is_read_back(tmp_path, made):
    write_capture(tmp_path, made)
    scene = taken(tmp_path)
    assert scene.labels == [label for label, *_ in BOXES]
    assert scene.counts == {"bed": 1, "table": 1, "chair": 2}
    assert np.allclose(scene.centre, made.world.centre)
    assert np.allclose(scene.size, made.world.size)
    assert np.allclose(scene.rotation, made.world.rotation)
    # the room is 5 x 4 m; the outline is a simplified hull of points 5 cm apart
    assert scene.area_m2 == pytest.approx(20, rel=0.03)
    assert scene.terms == "ARKitScenes: non-commercial research"
    assert np.allclose(scene.frames.time_s, np.arange(12) * EVERY_S, atol=1e-6)
    assert np.allclose(scene.frames.T_wc, made.world.T_wc, atol=1e-6)
    assert np.allclose(scene.frames.depth(3), made.depth[3], atol=6e-4)
    assert scene.frames.jpeg(0)[:2] == b"\xff\xd8"
    assert not scene.frames.invented


def test_known_corners_fall_on_known_pixels(tmp_path, made):
    write_capture(tmp_path, made)
    scene = taken(tmp_path)
    for i in range(len(BOXES)):
        corners = box_corners(scene.centre[i], scene.size[i], scene.rotation[i])
        for f in range(12):
            ours, _ = project(corners, scene.frames.T_wc[f], scene.frames.K[f])
            theirs, _ = project(corners, made.world.T_wc[f], made.world.K)
            assert np.allclose(ours, theirs, atol=1e-3, equal_nan=True)


def test_what_frames_show_is_what_was_drawn(tmp_path, made):
    write_capture(tmp_path, made)
    scene = taken(tmp_path)
    drawn = np.array([np.bincount(ids.ravel(), minlength=5)[1:5] for ids in made.ids])
    # a pixel is of the nearest scanned point, so a rim of 5 cm where an object meets the floor may count or not
    assert np.abs(scene.pixels - drawn).sum() <= 0.15 * drawn.sum()
    assert ((scene.pixels > 0) == (drawn > 0))[drawn > 30].all()
    # of the scanned surface, which lacks the face that an object stands on, a frame shows about twice the share
    share = visibility(
        (made.world.centre, made.world.size, made.world.rotation), made.world.T_wc, made.world.K, made.depth
    )
    assert np.corrcoef(share.ravel(), scene.visibility.ravel())[0, 1] > 0.9
    assert (scene.visibility[share > 0.15] > 0.15).all()
    assert not np.isnan(scene.first_seen_s).any()


@pytest.mark.parametrize("held", [1, 2, 3])
def test_a_device_held_on_its_side_gives_the_same_scene(tmp_path, made, held):
    write_capture(tmp_path / "plain", made)
    write_capture(tmp_path / "held", made, held=held)
    plain, turned = taken(tmp_path / "plain"), taken(tmp_path / "held")
    assert np.allclose(turned.frames.T_wc, plain.frames.T_wc, atol=1e-6)
    assert np.allclose(turned.frames.K, plain.frames.K)
    assert (turned.frames.depth(2) == plain.frames.depth(2)).all()
    assert (turned.frames.rgb(2) == plain.frames.rgb(2)).all()
    assert np.allclose(turned.visibility, plain.visibility)


def test_turning_the_world_turns_the_scene_and_nothing_else(tmp_path, made):
    turn = 0.7
    write_capture(tmp_path / "plain", made)
    write_capture(tmp_path / "spun", scan(turn=turn, size_px=64, step_m=0.06))
    plain, spun = taken(tmp_path / "plain"), taken(tmp_path / "spun")
    c, s = math.cos(turn), math.sin(turn)
    about_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    assert np.allclose(spun.centre, plain.centre @ about_z.T, atol=1e-6)
    assert np.allclose(spun.rotation, plain.rotation @ about_z.T, atol=1e-6)
    assert np.allclose(spun.size, plain.size)
    assert spun.area_m2 == pytest.approx(plain.area_m2, rel=0.02)
    assert np.allclose(spun.frames.T_wc[:, :3, :3], about_z @ plain.frames.T_wc[:, :3, :3], atol=1e-5)
    # rays that graze an edge may fall either way
    assert np.abs(spun.visibility - plain.visibility).max() < 0.05
    assert [(e.subject, e.object, e.name) for e in spun.relations] == [
        (e.subject, e.object, e.name) for e in plain.relations
    ]


def test_poses_are_between_two_or_near_one_or_lost(tmp_path):
    path = tmp_path / "lowres_wide.traj"
    # at 1.0 at the origin, at 1.1 a metre along x and turned by .2 about z: world to camera R x + t, t = -R p
    half = Rotation.from_rotvec([0, 0, -0.2])
    t = -half.apply([1, 0, 0])
    path.write_text(f"1.0 0 0 0 0 0 0\n1.1 0 0 -0.2 {t[0]} {t[1]} {t[2]}\n2.0 0 0 0 0 0 0\n")
    times, T_wc = read_trajectory(path)
    assert np.allclose(T_wc[1, :3, 3], [1, 0, 0])
    assert np.allclose(Rotation.from_matrix(T_wc[1, :3, :3]).as_rotvec(), [0, 0, 0.2])
    middle = pose_at(1.025, times, T_wc)
    assert np.allclose(middle[:3, 3], [0.25, 0, 0])
    assert np.allclose(Rotation.from_matrix(middle[:3, :3]).as_rotvec(), [0, 0, 0.05])
    # .9 s without a pose: near its ends the nearest, beyond 50 ms none
    assert np.allclose(pose_at(1.149, times, T_wc), T_wc[1])
    assert pose_at(1.151, times, T_wc) is None
    assert pose_at(2.051, times, T_wc) is None


def test_frames_far_from_every_pose_are_not_taken(tmp_path, made):
    folder = write_capture(tmp_path, made)
    lines = (folder / "lowres_wide.traj").read_text().splitlines()
    (folder / "lowres_wide.traj").write_text("\n".join(lines[:3] + lines[9:]))
    # poses of frames 3 .. 8 are gone, .1 s apart: those six are lost
    assert taken(tmp_path).frames._arrays["number"].tolist() == [0, 1, 2, 9, 10, 11]
    (folder / "lowres_wide.traj").unlink()
    scene = taken(tmp_path)
    assert not scene.frames.has("T_wc")
    assert not scene.visibility.any()
    assert "poses" in scene.lost


def test_low_confidence_is_no_depth(tmp_path, made):
    folder = write_capture(tmp_path, made)
    path = sorted((folder / "confidence").iterdir())[0]
    sure = np.full(made.depth[0].shape, 2, np.uint8)
    sure[:10] = 0
    sure[10:20] = 1
    Image.fromarray(sure).save(path)
    depth = taken(tmp_path).frames.depth(0)
    assert not depth[:10].any()
    assert depth[10:].all()


def test_captures_of_one_visit_are_one_place(tmp_path, made):
    for video in ("41069021", "41069025", "41069042", "41069050"):
        write_capture(tmp_path, made, video=video)
    (tmp_path / "metadata.csv").write_text(
        "video_id,visit_id,sky_direction,fold\n41069021,421069.0,Up,Validation\n41069025,421069,Left,Validation\n"
        "41069042,NA,Up,Validation\n"
    )
    rooms = list_rooms(params=ListRooms(source=SOURCE, path=External(tmp_path)))
    assert {room.id: room.place for room in rooms.values()} == {
        "41069021": "visit421069",
        "41069025": "visit421069",
        "41069042": "41069042",
        "41069050": "41069050",
    }
    assert rooms["41069021"].split == rooms["41069025"].split
    assert rooms["41069050"].data["official"] == "Validation"


def test_a_listing_names_content_or_release(tmp_path, made):
    folder = write_capture(tmp_path, made)
    by_content, by_release = (
        list_rooms(params=ListRooms(source=SOURCE, path=External(tmp_path, release=release)))[VIDEO]
        for release in ("", "v1")
    )
    assert by_release.data["release"] == "v1" and "content" not in by_release.data
    params = Extract(source=SOURCE, path=Located(tmp_path), frames=1)
    extract(by_content, params=params)
    path = sorted((folder / "lowres_wide").iterdir())[5]
    Image.fromarray(made.rgb[0]).save(path)
    with pytest.raises(ValueError, match="changed since room 41069025 was listed"):
        extract(by_content, params=params)
    extract(by_release, params=params)


def test_a_listing_cannot_lead_out_of_its_folder(tmp_path, made):
    write_capture(tmp_path, made)
    room = list_rooms(params=ListRooms(source=SOURCE, path=External(tmp_path)))[VIDEO]
    for folder in ("../secret", "/etc"):
        room.data["folder"] = folder
        with pytest.raises(ValueError, match="expected one within"):
            extract(room, params=Extract(source=SOURCE, path=Located(tmp_path)))
    with pytest.raises(ValueError, match=r"params\.path is absent"):
        extract(room, params=Extract(source=SOURCE))


def test_the_3dod_layout_is_read_too(tmp_path, made):
    folder = write_capture(tmp_path / "3dod", made)
    inner = folder / f"{VIDEO}_frames"
    inner.mkdir()
    for name in ("lowres_wide", "lowres_wide_intrinsics", "lowres_depth", "confidence", "lowres_wide.traj"):
        (folder / name).rename(inner / name)
    assert len(taken(tmp_path).frames) == 12


def spoil(path: Path, text):
    path.write_bytes(text) if isinstance(text, bytes) else path.write_text(text)


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("lowres_wide.traj", "1.0 0 0 0 0 0\n", r"lowres_wide\.traj: line 1: .*expected time, rotation"),
        ("lowres_wide.traj", "1.0 0 0 0 0 0 0\n\n1.1 x 0 0 0 0 0\n", r"lowres_wide\.traj: line 3: .*seven numbers"),
        ("lowres_wide.traj", "1.0 0 0 0 0 0 0\n1.0 0 0 0 0 0 0\n", r"traj: line 2: time 1\.0 after 1\.0"),
        ("lowres_wide.traj", "1.0 0 0 0 nan 0 0\n", r"traj: line 1"),
        ("lowres_wide.traj", "1.0 0 0 0 1500 200 0\n", r"traj: line 1: translation \[1500\.0.*expected metres"),
        ("41069025_3dod_annotation.json", '{"data": [', r"annotation\.json: .*"),
        ("41069025_3dod_annotation.json", '{"data": [{"label": "x"}]}', r"annotation\.json: .*segments.*\$\.data\[0\]"),
        ("41069025_3dod_mesh.ply", b"ply\nformat ascii 1.0\nelement vertex 5\n", r"mesh\.ply: 38 bytes: "),
        ("lowres_wide_intrinsics", "256 192 200 200 128 96", r"pincam: 256 x 192 px, its picture has 64 x 64"),
        ("lowres_wide_intrinsics", "64 64 200 200 128", r"pincam: .*expected width height fx fy cx cy"),
        ("lowres_wide", b"\x89PNG\r\n\x1a\nbroken", r"\.png: 14 bytes: "),
        ("lowres_depth", b"\x89PNG\r\n\x1a\nbroken", r"lowres_depth/41069025_\d+\.\d+\.png: "),
    ],
)
def test_a_broken_file_is_named(tmp_path, made, name, content, message):
    folder = write_capture(tmp_path, made)
    path = folder / name
    spoil(sorted(path.iterdir())[0] if path.is_dir() else path, content)
    with pytest.raises(ValueError, match=message):
        taken(tmp_path)


def test_one_broken_capture_fails_alone(tmp_path, made):
    write_capture(tmp_path, made)
    broken = write_capture(tmp_path, made, video="41069042")
    (broken / "41069042_3dod_annotation.json").unlink()
    with pytest.raises(ValueError, match=r"41069042_3dod_annotation\.json: No such file"):
        taken(tmp_path, room="41069042")
    assert len(taken(tmp_path).labels) == 4


def test_metres_for_millimetres_are_caught(tmp_path, made):
    folder = write_capture(tmp_path, made)
    for f, path in enumerate(sorted((folder / "lowres_depth").iterdir())):
        Image.fromarray(np.round(made.depth[f]).astype(np.uint16)).save(path)
    with pytest.raises(ValueError, match=r"lowres_depth/.*png: median depth \d, expected 100 to 20000, millimetres"):
        taken(tmp_path)


@pytest.mark.parametrize(
    "field, change, message",
    [
        ("axesLengths", lambda v: [100 * x for x in v], r"box of 'bed' \(0\) at .*200.0.*another unit"),
        (
            "centroid",
            lambda v: [v[0], v[1], v[2] + 9],
            r"box of 'bed' \(0\) at .*reaches more than 3 m out of the mesh",
        ),
        ("axesLengths", lambda v: [0.0, *v[1:]], r"size \[0\.0, 1\.2, 0\.5\]: expected lengths above 0"),
        ("normalizedAxes", lambda v: [-x for x in v], r"mirrored \(determinant -1\)"),
        ("normalizedAxes", lambda v: [1.1 * x for x in v], r"expected unit axes"),
    ],
)
def test_boxes_that_cannot_be_are_caught(tmp_path, made, field, change, message):
    folder = write_capture(tmp_path, made)
    path = folder / f"{VIDEO}_3dod_annotation.json"
    document = json.loads(path.read_text())
    box = document["data"][0]["segments"]["obbAligned"]
    box[field] = change(box[field])
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=message):
        taken(tmp_path, frames=1)


def test_a_capture_without_pictures_is_boxes_alone(tmp_path, made):
    folder = write_capture(tmp_path, made)
    for name in ("lowres_wide", "lowres_depth"):
        (folder / name).rename(folder / f"no_{name}")
    scene = taken(tmp_path)
    assert not scene.has_frames
    assert len(scene.labels) == 4
    assert {"frames", "depth"} <= set(scene.lost)
    assert str(tmp_path) not in str(scene.lost)


def test_poses_that_are_not_inverted_do_not_fit_the_depth(tmp_path, made):
    # the mistake that the format invites: had they been camera to world, no depth would meet the mesh
    folder = write_capture(tmp_path, made)
    film = ArkitFilm(folder)
    shot = next(iter(film.shots([4])))
    rows = np.argwhere(shot.depth > 0)[::97]
    z = shot.depth[rows[:, 0], rows[:, 1]]
    k = shot.K
    local = np.stack([(rows[:, 1] + 0.5 - k[0, 2]) / k[0, 0] * z, (rows[:, 0] + 0.5 - k[1, 2]) / k[1, 1] * z, z], 1)
    from scipy.spatial import cKDTree

    tree = cKDTree(read_capture(VIDEO, folder).surface.vertices)
    right, wrong = shot.T_wc, np.linalg.inv(shot.T_wc)
    far = [tree.query(local @ pose[:3, :3].T + pose[:3, 3])[0] for pose in (right, wrong)]
    # vertices are up to 5 cm apart; the picture also shows the ceiling, which was not scanned
    assert np.median(far[0]) < 0.03
    assert np.median(far[1]) > 0.3
