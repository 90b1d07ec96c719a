"""Annotated rooms: the real files where they are, and broken ones."""

import copy
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from graph.node import External, Named
from nodes.scenes.extract import Extract, extract
from nodes.scenes.geometry import box_corners, vsi_points
from nodes.scenes.list import ListRooms, list_rooms

FOLDER = Path(os.environ.get("DATAFLOW_VSIBENCH", Path(__file__).parents[3].parent / "shared" / "data" / "vsibench"))
needs_data = pytest.mark.skipif(
    not (FOLDER / "scannet_meta_info_val.json").exists(),
    reason=f"no VSI-Bench metadata in {FOLDER}; set DATAFLOW_VSIBENCH",
)

ROOM = {
    "dataset": "scannet",
    "video_path": "/nowhere.mp4",
    "room_size": 20.0,
    "room_center": [0, 0, 0],
    "object_counts": {"chair": 2, "bed": 1},
    "object_bbox": {
        "chair": [
            {
                "centroid": [1, 1, 0],
                "axesLengths": [0.5, 0.5, 1],
                "normalizedAxes": [1, 0, 0, 0, 1, 0, 0, 0, 1],
            }
        ],
        "bed": [{"centroid": [-1, 0, 0], "axesLengths": [2, 1, 1], "normalizedAxes": [0, 1, 0, -1, 0, 0, 0, 0, 1]}],
    },
}


VSIBENCH = Named("vsibench", "nodes.scenes.vsibench:VsiBench")


def listing(path: Path, **params):
    return list_rooms(params=ListRooms(source=VSIBENCH, path=External(path), **params))


def written(tmp_path: Path, change=lambda room: None) -> Path:
    room = copy.deepcopy(ROOM)
    change(room)
    path = tmp_path / "rooms.json"
    path.write_text(json.dumps({"scene0001_00": ROOM, "scene0002_01": room}))
    return path


def test_a_room_carries_its_own_part_only(tmp_path):
    rooms = listing(written(tmp_path))
    room = rooms["scene0002_01"]
    assert room.place == "scene0002"
    assert "video_path" not in room.data["entry"]
    assert "research" in room.terms


def test_counts_and_boxes_are_both_carried(tmp_path):
    scene = extract(listing(written(tmp_path))["scene0001_00"], params=Extract(source=VSIBENCH, frames=4))
    assert scene.labels == ["bed", "chair"]
    assert scene.counts == {"chair": 2, "bed": 1}
    assert scene.area_m2 == 20.0
    assert not scene.area_assumed
    assert scene.polygon_assumed
    assert scene.frames.invented
    # rows are axes: the first axis of the bed is world y, so it is 2 m long along y
    assert scene.rotation[0, 0].tolist() == [0, 1, 0]


def test_a_box_that_is_listed_twice_is_one_object(tmp_path):
    path = written(tmp_path, lambda room: room["object_bbox"]["bed"].append(room["object_bbox"]["bed"][0]))
    scene = extract(listing(path)["scene0002_01"], params=Extract(source=VSIBENCH, frames=0))
    assert scene.labels == ["bed", "chair"]


def test_a_mirrored_axis_is_turned_back(tmp_path):
    def mirror(room):
        axes = room["object_bbox"]["bed"][0]["normalizedAxes"]
        room["object_bbox"]["bed"][0]["normalizedAxes"] = [-v for v in axes[:3]] + axes[3:]

    plain, mirrored = (listing(written(tmp_path, change))["scene0002_01"] for change in (lambda room: None, mirror))
    one, other = (extract(room, params=Extract(source=VSIBENCH, frames=2)) for room in (plain, mirrored))
    assert np.linalg.det(other.rotation).min() > 0.99
    corners = [
        {tuple(c) for c in box_corners(s.centre[0], s.size[0], s.rotation[0]).round(9) + 0.0} for s in (one, other)
    ]
    assert corners[0] == corners[1]


def test_walls_hold_the_boxes_and_the_given_area(tmp_path):
    scene = extract(listing(written(tmp_path))["scene0001_00"], params=Extract(source=VSIBENCH, frames=1))
    x, y = scene.polygon[:, 0], scene.polygon[:, 1]
    # shoelace; boxes span x -1.5..1.25, y -1..1.25: 2.85 x 2.35 with margins is 6.7 m2, so it is widened to 20
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    assert area == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.pop("room_size"), "room_size"),
        (lambda r: r.update(room_size=float("nan")), "room_size = nan"),
        (lambda r: r.update(dataset="replica"), "dataset = 'replica'"),
        (lambda r: r["object_bbox"].clear(), "object_bbox"),
        (lambda r: r["object_bbox"]["bed"][0].update(centroid=[0, 0]), r"object_bbox.*centroid"),
        (
            lambda r: r["object_bbox"]["bed"][0].update(axesLengths=[1, 0, 1]),
            r"object_bbox.bed\[0\].axesLengths",
        ),
        (lambda r: r["object_bbox"]["bed"][0].update(centroid=[0, float("inf"), 0]), r"bed\[0\].centroid"),
        (lambda r: r["object_bbox"]["bed"][0].update(axesLengths=[1e9, 1, 1]), "at most 100 m"),
        (lambda r: r["object_counts"].update(bed=-1), "counts of 0 or more"),
        (lambda r: r["object_bbox"]["bed"][0].update(centroid=[250, 0, 0]), "boxes 249 m apart.*centimetres"),
        (lambda r: r["object_bbox"]["bed"][0].update(normalizedAxes=[1] * 9), r"bed\[0\].normalizedAxes"),
        (lambda r: r["object_bbox"]["bed"][0].pop("axesLengths"), "axesLengths"),
    ],
)
def test_a_broken_room_fails_alone_by_room_and_field(tmp_path, change, message):
    rooms = listing(written(tmp_path, change))
    with pytest.raises(ValueError, match=message) as caught:
        extract(rooms["scene0002_01"], params=Extract(source=VSIBENCH, frames=0))
    assert str(caught.value).startswith("room 'scene0002_01': ")
    assert extract(rooms["scene0001_00"], params=Extract(source=VSIBENCH, frames=0)).labels == ["bed", "chair"]


def test_an_annotated_room_without_pictures_has_what_is_annotated(tmp_path):
    scene = extract(listing(written(tmp_path))["scene0001_00"], params=Extract(source=VSIBENCH, frames=0))
    assert (scene.has_frames, scene.visibility.shape, scene.area_m2) == (False, (0, 2), 20.0)


def test_a_missing_file_is_one_line_with_its_path(tmp_path):
    with pytest.raises(ValueError, match=re.escape(str(tmp_path / "gone.json"))) as caught:
        listing(tmp_path / "gone.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", "", '"rooms"', "[" * 200_000])
def test_a_file_that_is_no_listing_is_named(tmp_path, text):
    path = tmp_path / "rooms.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(str(path))):
        listing(path)


def test_asking_for_more_rooms_than_there_are_fails(tmp_path):
    with pytest.raises(ValueError, match="2 rooms of split 'all' from 0 on, expected 3"):
        listing(written(tmp_path), count=3)


@needs_data
@pytest.mark.parametrize(("name", "n", "boxes"), [("scannet", 88, 1224), ("arkitscenes", 150, 854)])
def test_all_real_rooms_load(name, n, boxes):
    rooms = listing(FOLDER / f"{name}_meta_info_val.json")
    assert len(rooms) == n
    entries = [room.data["entry"] for room in rooms.values()]
    assert sum(len(b) for e in entries for b in e["object_bbox"].values()) == boxes


@needs_data
def test_a_real_room_shows_most_of_its_objects():
    rooms = listing(FOLDER / "scannet_meta_info_val.json", count=6)
    for room in rooms.values():
        scene = extract(room, params=Extract(source=VSIBENCH, frames=32))
        assert np.isnan(scene.first_seen_s).mean() < 0.4


@needs_data
def test_vsi_distance_gives_every_official_answer():
    from scipy.spatial import cKDTree

    metadata = json.loads((FOLDER / "scannet_meta_info_val.json").read_text())
    questions = json.loads((FOLDER / "official_qa_scannet.json").read_text())
    questions = [q for q in questions if q["question_type"] == "object_abs_distance"]
    trees: dict[tuple[str, str], list[cKDTree]] = {}

    def trees_of(scene: str, category: str) -> list[cKDTree]:
        category = {"coat rack": "coat hanger"}.get(category, category)
        if (scene, category) not in trees:
            trees[scene, category] = [
                cKDTree(vsi_points(b["centroid"], b["axesLengths"], np.reshape(b["normalizedAxes"], (3, 3))))
                for b in metadata[scene]["object_bbox"][category]
            ]
        return trees[scene, category]

    agree = 0
    for q in questions:
        a, b = re.search(r"between the (.+) and the (.+) \(in", q["question"]).groups()
        pairs = [(s, t) for s in trees_of(q["scene"], a) for t in trees_of(q["scene"], b)]
        agree += round(min(s.query(t.data)[0].min() for s, t in pairs), 1) == float(q["ground_truth"])
    assert (agree, len(questions)) == (347, 347)
