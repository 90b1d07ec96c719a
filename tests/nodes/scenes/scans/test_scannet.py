"""ScanNet's scans: a procedural room written in the true formats and read back; broken scans fail alone."""

import json
import re
import shutil

import numpy as np
import pytest

from graph.externals import digest_external
from graph.node import External, Located, Named
from nodes.scenes.drawn import scene_of_world
from nodes.scenes.extract import Extract, extract
from nodes.scenes.geometry import polygon_area, yaw_rotation
from nodes.scenes.list import ListRooms, list_rooms, split_of
from nodes.scenes.procedural import build_world
from nodes.scenes.render import render
from nodes.scenes.scene import Room
from tests.nodes.scenes.scans.scannet_files import scan_of, write_ply, write_scan

SCANNET = Named("scannet", "nodes.scenes.scans.scannet:ScanNet")
PX = 128
FRAMES = 12


@pytest.fixture(scope="module")
def drawn():
    world = build_world("old", 3, FRAMES, PX, 0.5)
    return world, *render(world)


@pytest.fixture(scope="module")
def raw_alignment():
    out = np.eye(4)
    out[:3, :3], out[:3, 3] = yaw_rotation(0.7).T, [3, -2, 0.4]
    return out


@pytest.fixture(scope="module")
def kept_folder(tmp_path_factory, drawn, raw_alignment):
    folder = tmp_path_factory.mktemp("scannet")
    world, rgb, depth, _ = drawn
    scan_of(folder / "scans" / "scene0000_00", world, rgb, depth)
    scan_of(folder / "scans" / "scene0000_01", world, rgb, depth, raw_alignment, lost=[3])
    return folder


@pytest.fixture
def folder(tmp_path, kept_folder):
    shutil.copytree(kept_folder, tmp_path / "data")
    return tmp_path / "data"


def listed(folder, release="", **params):
    path = digest_external(External(folder, release=release))
    return list_rooms(params=ListRooms(source=SCANNET, path=path, **params))


def extracted(folder, name="scene0000_00", rooms=None, **params):
    room = (rooms or listed(folder))[name]
    return extract(room, params=Extract(source=SCANNET, path=Located(folder), **{"frames": FRAMES, **params}))


def test_a_listing_names_rooms_by_content(folder):
    (folder / "scannetv2_val.txt").write_text("scene0000_01\n")
    rooms = listed(folder)
    assert list(rooms) == ["scene0000_00", "scene0000_01"]
    room = rooms["scene0000_01"]
    assert (room.place, room.split, room.source) == ("scene0000", split_of("scene0000"), "scannet")
    assert room.terms == "ScanNet: non-commercial research"
    assert room.data["official"] == "val" and "official" not in rooms["scene0000_00"].data
    assert room.data["folder"] == "scans/scene0000_01" and len(room.data["content"]) == 64


def test_the_official_split_may_be_asked_for(folder):
    (folder / "scannetv2_val.txt").write_text("scene0000_01\n")
    assert list(listed(folder, official="val")) == ["scene0000_01"]
    with pytest.raises(ValueError, match=r"0 rooms of split 'all' \(officially train\) from 0 on, expected 1 or more"):
        listed(folder, official="train")


def test_a_folder_without_a_file_is_no_scan(folder):
    (folder / "scans" / "scene0009_00").mkdir()
    rooms = listed(folder)
    with pytest.raises(ValueError, match=r"scene0009_00: no file of a scan, expected scene0009_00\.sens"):
        extracted(folder, "scene0009_00", rooms=rooms)


def test_a_release_stands_for_content(folder):
    rooms = listed(folder, release="v2")
    assert rooms["scene0000_00"].data == {"folder": "scans/scene0000_00", "release": "v2"}
    assert extracted(folder, rooms=rooms).labels == extracted(folder).labels


def test_a_written_room_reads_back_as_it_was_drawn(folder, drawn):
    world = drawn[0]
    area = float(world.room_size[0] * world.room_size[1])
    room = Room("x", "procedural", "x", "train", "generated", {"style": "old"})
    expected = scene_of_world(room, world, {label: 1 for label in world.labels}, area, invented=False)
    scene = extracted(folder)
    assert scene.labels == world.labels and scene.counts == expected.counts
    assert scene.lost == {}
    # vertices are f4: half a micrometre at 8 m; the fitted box's axes may be named in another order
    assert np.abs(scene.centre - world.centre).max() < 1e-5
    assert np.abs(np.sort(scene.size, 1) - np.sort(world.size, 1)).max() < 1e-5
    assert scene.area_m2 == pytest.approx(area, rel=0.01)
    assert polygon_area(scene.polygon) == pytest.approx(scene.area_m2)
    # 3,000 points a box against 150: a row of those is a dozen, 8 %
    assert np.abs(scene.visibility - expected.visibility).max() < 0.08
    # pixels where box meets floor may fall to either
    assert np.abs(scene.pixels - expected.pixels).max() < 0.01 * PX * PX
    assert scene.first_seen_s == pytest.approx(expected.first_seen_s, nan_ok=True)
    assert {(e.subject, e.object, e.name) for e in scene.relations} == {
        (e.subject, e.object, e.name) for e in expected.relations
    }


def test_the_alignment_turns_vertices_and_poses_alike(folder):
    plain, turned = extracted(folder, frames=5), extracted(folder, "scene0000_01", frames=5)
    # six digits of the alignment in the file: a few micrometres at 5 m
    assert np.abs(plain.centre - turned.centre).max() < 1e-4
    assert np.abs(plain.size - turned.size).max() < 1e-4
    assert np.abs(plain.rotation - turned.rotation).max() < 1e-3
    assert turned.area_m2 == pytest.approx(plain.area_m2, rel=0.01)
    assert turned.labels == plain.labels
    # frame 3 has no pose there; of 0, 1, 2, 4, .. 11 the first and last are the same
    for one in (0, 4):
        assert np.abs(plain.frames.T_wc[one] - turned.frames.T_wc[one]).max() < 1e-4
        assert np.abs(plain.visibility[one] - turned.visibility[one]).max() < 0.02
    assert 3 not in turned.frames._arrays["number"]


def test_the_files_pictures_are_kept(folder, drawn):
    from tests.nodes.scenes.scans.scannet_files import jpeg_of

    scene = extracted(folder, frames=3)
    assert scene.frames._arrays["number"].tolist() == [0, 5, 11]
    assert scene.frames.jpeg(1) == jpeg_of(drawn[1][5])
    assert scene.frames.rgb(1).shape == (PX, PX, 3)


def test_the_tilted_rule_can_be_asked_for(folder, drawn):
    scene = extracted(folder, boxes="vsi")
    # a box's own faces are flush: its volume is the drawn one's
    assert scene.size.prod(1) == pytest.approx(drawn[0].size.prod(1), rel=1e-4)


def change_json(path, change):
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))


def cut(path, share=0.5):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def ply(scan):
    return scan / f"{scan.name}_vh_clean_2.ply"


def groups(scan):
    return scan / f"{scan.name}.aggregation.json"


def segs(scan):
    return scan / f"{scan.name}_vh_clean_2.0.010000.segs.json"


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda s: cut(s / f"{s.name}.sens"), r"scene0000_00.sens: byte \d+: ends within frame \d+ of 12"),
        (lambda s: (s / f"{s.name}.sens").write_bytes(b""), r"scene0000_00.sens: byte 0: ends within header"),
        (lambda s: cut(ply(s)), r"_vh_clean_2.ply: \d+ bytes: element 'vertex': row \d+: early end-of-file"),
        (lambda s: ply(s).write_text("no ply\n"), r"_vh_clean_2.ply: 7 bytes: line 1: "),
        (lambda s: cut(groups(s)), r"aggregation.json: line 1, byte \d+: "),
        (lambda s: groups(s).write_text('{"segGroups":\n [}\n'), r"aggregation.json: line 2, byte 16: "),
        (
            lambda s: groups(s).write_text('{"segGroups": [{"segments": [1]}]}'),
            r"missing required field `label` .*segGroups",
        ),
        (
            lambda s: change_json(segs(s), lambda t: t["segIndices"].pop()),
            r"segs.json: \d+ segment indices, expected \d+",
        ),
        (
            lambda s: change_json(groups(s), lambda t: [g.update(segments=[10**6]) for g in t["segGroups"]]),
            r"aggregation.json: none of its segments",
        ),
        (lambda s: write_ply(ply(s), np.full((9, 3), np.nan)), r"ply: vertex 0: \[nan, nan, nan\]"),
        (
            lambda s: (s / f"{s.name}.txt").write_text("a = 1\naxisAlignment = 1 2 3\n"),
            r"line 2: axisAlignment of 3 words",
        ),
        (
            lambda s: (s / f"{s.name}.txt").write_text("axisAlignment = " + "1 " * 16),
            r"line 1: axisAlignment = .*: expected a rotation",
        ),
    ],
)
def test_a_broken_scan_fails_alone_with_its_place(folder, harm, message):
    harm(folder / "scans" / "scene0000_00")
    rooms = listed(folder)
    with pytest.raises(ValueError, match=message) as caught:
        extracted(folder, rooms=rooms)
    assert str(folder) in str(caught.value)
    assert extracted(folder, "scene0000_01", rooms=rooms).labels


def test_centimetres_are_caught(folder, drawn):
    scan = folder / "scans" / "scene0002_00"
    vertices = np.random.default_rng(0).random((50, 3)) * [500, 400, 250]
    write_scan(scan, vertices, np.ones(50, int), [("chair", [1])])
    with pytest.raises(ValueError, match=r"room scene0002_00: 4\d\d.* m long, expected .* centimetres"):
        extracted(folder, "scene0002_00")


@pytest.mark.parametrize(
    ("gone", "lost"),
    [
        ("{}.sens", {"poses": "no .sens file", "depth": "no .sens file"}),
        ("{}_vh_clean_2.ply", {"labels": "no mesh"}),
        ("{}.aggregation.json", {"labels": "no aggregation", "outline": "no floor among the labels"}),
        ("{}.txt", {"alignment": "no .txt file"}),
    ],
)
def test_what_a_scan_lacks_is_told(folder, gone, lost):
    (folder / "scans" / "scene0000_00" / gone.format("scene0000_00")).unlink()
    scene = extracted(folder)
    assert scene.lost == lost
    assert scene.has_frames == ("poses" not in lost)
    assert bool(scene.labels) == ("labels" not in lost)
    assert (scene.area_m2 is None) == ("labels" in lost)


def test_the_other_name_of_an_aggregation(folder):
    scan = folder / "scans" / "scene0000_00"
    groups(scan).rename(scan / "scene0000_00_vh_clean.aggregation.json")
    assert extracted(folder).labels


def test_labels_are_plain_and_structure_is_no_object(tmp_path):
    rng = np.random.default_rng(2)
    named = ["Office  Chair", "wall", "floor", "ceiling", "remove", "trash bin", "trash bin"]
    vertices = np.concatenate([rng.random((30, 3)) + k for k in range(len(named))])
    segments = np.repeat(np.arange(len(named)), 30)
    write_scan(tmp_path / "scene0003_00", vertices, segments, [(n, [k]) for k, n in enumerate(named)])
    scene = extracted(tmp_path, "scene0003_00", frames=4)
    assert scene.labels == ["office chair", "trash bin", "trash bin"]
    assert scene.counts == {"office chair": 1, "trash bin": 2}
    assert scene.polygon.shape[1] == 2 and len(scene.polygon) > 2


def test_a_file_changed_after_the_listing_is_refused(folder):
    rooms = listed(folder)
    path = groups(folder / "scans" / "scene0000_00")
    path.write_text(path.read_text() + " ")
    with pytest.raises(ValueError, match=r"its files changed since room scene0000_00 was listed"):
        extracted(folder, rooms=rooms)


def test_folders_that_are_none(tmp_path):
    with pytest.raises(ValueError, match="no scan in it"):
        list_rooms(params=ListRooms(source=SCANNET, path=External(tmp_path)))
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path / 'nowhere'}: no folder")):
        list_rooms(params=ListRooms(source=SCANNET, path=External(tmp_path / "nowhere")))


def test_a_file_that_cannot_be_read_fails_its_scan_and_not_the_listing(folder):
    path = folder / "scans" / "scene0000_00" / "scene0000_00.sens"
    path.unlink()
    path.symlink_to("/proc/self/mem")  # there, but every read fails
    rooms = list_rooms(params=ListRooms(source=SCANNET, path=External(folder)))
    assert list(rooms) == ["scene0000_00", "scene0000_01"]
    with pytest.raises(ValueError, match=r"scene0000_00.sens: Input/output error"):
        extracted(folder, rooms=rooms)
    assert extracted(folder, "scene0000_01", rooms=rooms).labels
