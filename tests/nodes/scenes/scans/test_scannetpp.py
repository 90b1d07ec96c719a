"""ScanNet++: files in its own formats of a room with known boxes, read back; broken ones refused."""

import json
import zlib
from fractions import Fraction
from pathlib import Path

import av
import lz4.block
import numpy as np
import pytest
from PIL import Image

from graph.node import External, Located, Named
from nodes.scenes.camera import project, scale_K
from nodes.scenes.extract import Extract, extract
from nodes.scenes.geometry import box_corners, yaw_rotation
from nodes.scenes.list import ListRooms, list_rooms
from nodes.scenes.scans.phone_depth import DEPTH_SHAPE, PhoneDepth
from nodes.scenes.scans.scannetpp import read_room
from nodes.scenes.scans.scannetpp_film import DslrFilm, from_nerfstudio
from tests.nodes.scenes.scans.scanned import BOXES, Scan, scan, write_ply

SOURCE = Named("scannetpp", "nodes.scenes.scans.scannetpp:ScanNetPP")
ROOM = "09c1414f1b"
FPS = 10


def write_room(root: Path, made: Scan, phone=True, dslr=False, depth="lz4", room=ROOM):
    """Write a room as published: scans, and frames of the phone, the DSLR or both."""
    folder = root / "data" / room
    scans = folder / "scans"
    scans.mkdir(parents=True)
    write_ply(scans / "mesh_aligned_0.05.ply", made.vertices, made.triangles)
    segments, groups = segments_of(made)
    (scans / "segments.json").write_text(json.dumps({"segIndices": segments.tolist(), "sceneId": room}))
    (scans / "segments_anno.json").write_text(json.dumps({"sceneId": room, "segGroups": groups}))
    if phone:
        write_phone(folder / "iphone", made, depth)
    if dslr:
        write_dslr(folder / "dslr", made)
    return folder


def segments_of(made: Scan):
    """Segments of three vertices, none of two objects; groups with boxes of permuted axes, as the data set's are."""
    starts = np.flatnonzero(np.diff(made.owner, prepend=-2))
    segments = 7 * (np.arange(len(made.owner)) // 3) + 10_000 * (
        np.searchsorted(starts, np.arange(len(made.owner)), "right")
    )
    n_floor = int((made.vertices[:, 2] > 1e-6).argmax())  # the floor's vertices come first
    groups = [
        {"id": 1, "objectId": 1, "label": "floor", "segments": np.unique(segments[:n_floor]).tolist()},
        {"id": 9, "objectId": 9, "label": "REMOVE", "segments": np.unique(segments[n_floor : n_floor + 30]).tolist()},
    ]
    for i, label in enumerate(made.world.labels):
        order = [[2, 0, 1], [1, 2, 0], [0, 1, 2], [2, 0, 1]][i]
        axes, lengths = made.world.rotation[i][order], made.world.size[i][order]
        half = np.abs(axes.T) @ (lengths / 2)
        obb = {
            "centroid": made.world.centre[i].tolist(),
            "axesLengths": lengths.tolist(),
            "normalizedAxes": axes.ravel().tolist(),
            "dominantNormal": axes[2].tolist(),
            "min": (made.world.centre[i] - half).tolist(),
            "max": (made.world.centre[i] + half).tolist(),
        }
        own = np.unique(segments[made.owner == i]).tolist()
        groups.append({"id": i + 2, "objectId": i + 2, "label": f" {label.title()} ", "segments": own, "obb": obb})
    return segments, groups


def write_phone(folder: Path, made: Scan, depth="lz4"):
    """Write the video without loss; depth at the phone's own size, of the same square field of view."""
    folder.mkdir()
    world, size = made.world, made.world.size_px
    with av.open(str(folder / "rgb.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = size, size, "yuv444p"
        for f in range(len(made.rgb)):
            frame = av.VideoFrame.from_ndarray(made.rgb[f], format="rgb24")
            frame.pts, frame.time_base = f, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    raw = np.eye(4) + 50  # in the phone's own world, which nothing may read
    poses = {
        f"frame_{f:06d}": {
            "timestamp": 100 + f / FPS,
            "pose": raw.tolist(),
            "intrinsic": world.K.tolist(),
            "aligned_pose": world.T_wc[f].tolist(),
            "imu": {"acceleration": [0, 0, 9.8]},
        }
        for f in range(len(made.rgb))
    }
    (folder / "pose_intrinsic_imu.json").write_text(json.dumps(poses))
    if depth:
        (folder / "depth.bin").write_bytes(depth_bin(stretched(made), depth))


def stretched(made: Scan):
    """Depth of 192 x 256 by the nearest pixel."""
    size = made.world.size_px
    rows, columns = (((np.arange(n) + 0.5) * size / n).astype(int) for n in DEPTH_SHAPE)
    return made.depth[:, rows][:, :, columns]


def depth_bin(depth, how):
    def deflated(data):
        coder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return coder.compress(data) + coder.flush()

    metres, mm = depth.astype("<f4"), np.round(depth * 1000).astype("<u2")
    if how == "one":
        return deflated(metres.tobytes())
    parts = (
        [lz4.block.compress(d.tobytes(), store_size=False) for d in mm]
        if how == "lz4"
        else [deflated(d.tobytes()) for d in metres]
    )
    return b"".join(len(part).to_bytes(4, "little") + part for part in parts)


def write_dslr(folder: Path, made: Scan):
    world = made.world
    (folder / "nerfstudio").mkdir(parents=True)
    (folder / "resized_undistorted_images").mkdir()
    frames = []
    for f in range(len(made.rgb)):
        name = f"DSC{f + 2000:05d}.JPG"
        Image.fromarray(made.rgb[f]).save(folder / "resized_undistorted_images" / name, format="JPEG", quality=90)
        # OpenGL axes of the camera, then nerfstudio's own world: x and y change places, z is negative
        matrix = (
            np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1.0]])
            @ world.T_wc[f]
            @ np.diag([1, -1, -1, 1])
        )
        frames.append({"file_path": name, "transform_matrix": matrix.tolist(), "mask_path": "", "is_bad": f == 3})
    K = world.K
    facts = {"fl_x": K[0, 0], "fl_y": K[1, 1], "cx": K[0, 2], "cy": K[1, 2], "w": world.size_px, "h": world.size_px}
    facts |= {"k1": 0.0, "camera_model": "PINHOLE", "frames": frames[1:][::-1], "test_frames": frames[:1]}
    (folder / "nerfstudio" / "transforms_undistorted.json").write_text(json.dumps(facts))


def taken(root: Path, room=ROOM, **params):
    rooms = list_rooms(params=ListRooms(source=SOURCE, path=External(root)))
    return extract(rooms[room], params=Extract(source=SOURCE, path=Located(root), **{"frames": 12, **params}))


@pytest.fixture(scope="module")
def made() -> Scan:
    return scan(frames=12, size_px=64, step_m=0.06)


@pytest.fixture(scope="module")
def plain(tmp_path_factory, made):
    root = tmp_path_factory.mktemp("plain")
    write_room(root, made)
    return root


def test_a_room_is_read_back(plain, made):
    scene = taken(plain)
    assert scene.labels == [label for label, *_ in BOXES]
    # around vertices that lack the face on the floor, but reach down to it
    assert np.allclose(scene.centre, made.world.centre, atol=1e-3)
    assert np.allclose(np.sort(scene.size, 1), np.sort(made.world.size, 1), atol=1e-3)
    assert np.allclose(scene.rotation[:, 2], [0, 0, 1])
    assert scene.area_m2 == pytest.approx(20, rel=0.01)
    assert scene.terms == "ScanNet++: non-commercial research"
    assert scene.frames.time_s.tolist() == pytest.approx([f / FPS for f in range(12)])
    assert np.allclose(scene.frames.T_wc, made.world.T_wc)
    # lossless but for the colour space, then JPEG at quality 95, which halves the noise's colours
    assert np.abs(scene.frames.rgb(5).astype(int) - made.rgb[5]).mean() < 5


def test_the_annotations_own_boxes_have_rows_for_axes(plain, made):
    scene = taken(plain, boxes="vsi", frames=0)
    groups = json.loads((plain / "data" / ROOM / "scans" / "segments_anno.json").read_text())["segGroups"][2:]
    wrong = 0
    for i, group in enumerate(groups):
        corners = box_corners(scene.centre[i], scene.size[i], scene.rotation[i])
        assert np.allclose([corners.min(0), corners.max(0)], [group["obb"]["min"], group["obb"]["max"]])
        corners = box_corners(scene.centre[i], scene.size[i], scene.rotation[i].T)
        wrong += not np.allclose(corners.max(0), group["obb"]["max"], atol=0.01)
    # read by columns, the three boxes of permuted axes would not fit; one merely turned about z cannot tell
    assert wrong == 3


def test_known_corners_fall_on_known_pixels(tmp_path, made):
    write_room(tmp_path, made, dslr=True)
    for phone in (True, False):
        if not phone:
            (tmp_path / "data" / ROOM / "iphone" / "rgb.mkv").unlink()
        scene = taken(tmp_path)
        # picture 3 of the DSLR is marked as bad
        names = range(12) if phone else [f for f in range(12) if f != 3]
        assert len(scene.visibility) == len(names)
        file = tmp_path / "data" / ROOM / "dslr" / "resized_undistorted_images" / "DSC02000.JPG"
        assert (scene.frames.jpeg(0) == file.read_bytes()) is not phone
        for place, f in enumerate(names):
            for i in range(len(BOXES)):
                corners = box_corners(made.world.centre[i], made.world.size[i], made.world.rotation[i])
                ours, _ = project(corners, scene.frames.T_wc[place], scene.frames.K[place])
                theirs, _ = project(corners, made.world.T_wc[f], made.world.K)
                assert np.allclose(ours, theirs, atol=1e-6, equal_nan=True)


def test_nerfstudio_matrices_are_turned_back_by_hand():
    # a camera at (1, 2, 3) of the mesh's world looking along its +y, right +x, down -z. In OpenGL's axes: right +x,
    # up +z, back -y. In nerfstudio's world (x, y, z) -> (y, x, -z): at (2, 1, -3), right +y, up -z, back -x
    matrix = np.array([[0, 0, -1, 2], [1, 0, 0, 1], [0, -1, 0, -3], [0, 0, 0, 1.0]])
    expected = [[1, 0, 0, 1], [0, 0, 1, 2], [0, -1, 0, 3], [0, 0, 0, 1]]
    assert from_nerfstudio(matrix).tolist() == expected


def test_depth_comes_from_the_phone_or_the_mesh(tmp_path, plain, made):
    measured = taken(plain)
    write_room(tmp_path, made, depth=None)
    drawn = taken(tmp_path)
    assert "measured depth" in drawn.lost and "depth" not in drawn.lost and not measured.lost
    assert measured.frames.depth(4).shape == DEPTH_SHAPE
    assert np.allclose(measured.frames.depth(4), stretched(made)[4], atol=6e-4)
    # the mesh's has the pictures' own 64 px; the ceiling was not scanned
    depth = drawn.frames.depth(4)
    assert depth.shape == (64, 64)
    assert np.median(np.abs(depth - made.depth[4])[depth > 0]) < 1e-3
    assert (np.abs(depth - made.depth[4])[depth > 0] < 0.02).mean() > 0.98
    for scene in (measured, drawn):
        shown = np.array([np.bincount(ids.ravel(), minlength=5)[1:5] for ids in made.ids]) / 64**2
        ours = scene.pixels / (DEPTH_SHAPE[0] * DEPTH_SHAPE[1] if scene is measured else 64**2)
        assert np.abs(ours - shown).sum() <= 0.15 * shown.sum()
    assert np.abs(measured.visibility - drawn.visibility).max() < 0.12


@pytest.mark.parametrize("how", ["lz4", "zlib", "one"])
def test_depth_is_packed_in_three_ways(tmp_path, made, how):
    depth = stretched(made)
    path = tmp_path / "depth.bin"
    path.write_bytes(depth_bin(depth, how))
    for numbers in ([0, 1, 2], [5], [11]):
        for number, read in zip(numbers, PhoneDepth(path).frames(numbers), strict=True):
            assert np.allclose(read, depth[number], atol=6e-4)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) - 100])
    with pytest.raises(ValueError, match=r"depth\.bin: byte \d+: (cut off after 11 pictures|ends within picture 11)"):
        list(PhoneDepth(path).frames([11]))


def test_turning_the_world_turns_the_scene_and_nothing_else(tmp_path, plain):
    turn = 0.7
    write_room(tmp_path, scan(turn=turn, frames=12, size_px=64, step_m=0.06))
    one, other = taken(plain), taken(tmp_path)
    about_z = yaw_rotation(turn).T
    assert np.allclose(other.centre, one.centre @ about_z.T, atol=1e-4)
    # the footprint's rectangle is the same, whichever side is named first
    for i in range(len(BOXES)):
        corners = [box_corners(s.centre[i], s.size[i], s.rotation[i]) for s in (one, other)]
        turned = corners[0] @ about_z.T
        assert np.linalg.norm(turned[:, None] - corners[1], axis=2).min(1).max() < 2e-3
    assert other.area_m2 == pytest.approx(one.area_m2, rel=0.01)
    assert np.allclose(other.frames.T_wc[:, :3, :3], about_z @ one.frames.T_wc[:, :3, :3])
    assert np.abs(other.visibility - one.visibility).max() < 0.05


def test_a_segment_of_two_objects_counts_for_both(tmp_path, made):
    folder = write_room(tmp_path, made, phone=False)
    path = folder / "scans" / "segments_anno.json"
    document = json.loads(path.read_text())
    bed = document["segGroups"][2]
    # a pillow: the first 40 segments of the bed, three vertices each
    segments, _ = segments_of(made)
    document["segGroups"].insert(2, {"label": "pillow", "segments": bed["segments"][:40], "objectId": 77})
    path.write_text(json.dumps(document))
    recording = read_room(folder)
    assert list(recording.labels)[:2] == ["pillow", "bed"]
    assert np.allclose(recording.size[1], made.world.size[0], atol=1e-3)
    assert (recording.surface.owner == 0).sum() == np.isin(segments, bed["segments"][:40]).sum() > 110
    assert np.isnan(read_room(folder, "vsi").centre[0]).all()


def test_official_splits_are_told_and_ours_go_by_place(tmp_path, made):
    write_room(tmp_path, made, phone=False)
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "nvs_sem_train.txt").write_text(f"{ROOM}\n0a5c013435\n")
    room = list_rooms(params=ListRooms(source=SOURCE, path=External(tmp_path, release="v2")))[ROOM]
    assert room.data == {"folder": f"data/{ROOM}", "official": "nvs_sem_train", "release": "v2"}
    assert room.place == ROOM and room.split in ("train", "dev", "test")


def test_what_a_room_lacks_is_said(tmp_path, made):
    write_room(tmp_path, made, phone=False)
    scene = taken(tmp_path)
    assert not scene.has_frames
    assert "neither iphone/rgb.mkv" in scene.lost["poses"]
    assert str(tmp_path) not in str(scene.lost)
    assert len(scene.labels) == 4


def test_one_broken_room_fails_alone(tmp_path, made):
    write_room(tmp_path, made)
    broken = write_room(tmp_path, made, phone=False, room="0a5c013435")
    (broken / "scans" / "segments_anno.json").write_text('{"segGroups": [{"label": "x", "segments": [1,')
    with pytest.raises(ValueError, match=r"0a5c013435/scans/segments_anno\.json: line 1, byte 45: .*truncated"):
        taken(tmp_path, room="0a5c013435")
    assert len(taken(tmp_path, frames=2).labels) == 4


def cut(path: Path, share: float):
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])


@pytest.mark.parametrize(
    "name, change, message",
    [
        ("scans/mesh_aligned_0.05.ply", lambda p: cut(p, 0.2), r"0\.05\.ply: \d+ bytes: element 'vertex': row \d+"),
        ("scans/segments.json", lambda p: p.write_text('{"segIndices": [1, 2]}'), r"2 segIndices, the mesh has \d+"),
        (
            "scans/segments_anno.json",
            lambda p: p.write_text('{"segGroups": [{"label": "x", "segments": [1]}]}'),
            "another mesh",
        ),
        (
            "iphone/rgb.mkv",
            lambda p: cut(p, 0.4),
            r"rgb\.mkv: (byte \d+|\d+ bytes: ends after \d+ frames, .* goes on to 11)",
        ),
        (
            "iphone/pose_intrinsic_imu.json",
            lambda p: cut(p, 0.5),
            r"pose_intrinsic_imu\.json: line \d+, byte \d+: .*truncated",
        ),
        ("iphone/depth.bin", lambda p: cut(p, 0.6), r"depth\.bin: byte \d+: cut off after \d picture"),
    ],
)
def test_a_broken_file_is_named(tmp_path, made, name, change, message):
    change(write_room(tmp_path, made) / name)
    with pytest.raises(ValueError, match=message):
        taken(tmp_path)


def test_units_and_axes_that_cannot_be_are_caught(tmp_path, made):
    folder = write_room(tmp_path, made)
    path = folder / "iphone" / "depth.bin"
    whole = path.read_bytes()
    path.write_bytes(depth_bin(stretched(made) / 1000, "lz4"))
    with pytest.raises(ValueError, match=r"depth\.bin: picture 0: median 0\.00\d* m, expected 0\.1 to 20"):
        taken(tmp_path)
    path.write_bytes(whole)
    write_ply(folder / "scans" / "mesh_aligned_0.05.ply", made.vertices * 100, made.triangles)
    with pytest.raises(ValueError, match=r"500\.?\d* m long.*centimetres"):
        taken(tmp_path)
    write_ply(folder / "scans" / "mesh_aligned_0.05.ply", made.vertices, made.triangles)
    path = folder / "iphone" / "pose_intrinsic_imu.json"
    poses = json.loads(path.read_text())
    for frame in poses.values():
        frame["intrinsic"] = scale_K(made.world.K, (64, 64), (1440, 1920)).tolist()
    path.write_text(json.dumps(poses))
    with pytest.raises(
        ValueError, match=r"rgb\.mkv: frame 0: principal point \[960\.0, 720\.0\] is outside of its 64 x 64"
    ):
        taken(tmp_path)


def test_a_fisheye_is_refused(tmp_path, made):
    folder = write_room(tmp_path, made, phone=False, dslr=True) / "dslr"
    path = folder / "nerfstudio" / "transforms_undistorted.json"
    path.write_text(path.read_text().replace("PINHOLE", "OPENCV_FISHEYE"))
    with pytest.raises(ValueError, match="camera_model = 'OPENCV_FISHEYE', expected 'PINHOLE'"):
        DslrFilm(folder)
