"""Generated rooms: functions of (version, style, number), apart by place, stored and read back whole."""

import json
from pathlib import Path

import numpy as np
import pytest

from graph.params import Mistakes, read_params
from nodes.scenes.colours import COLOURS
from nodes.scenes.extract import Extract, extract
from nodes.scenes.list import ListRooms, list_rooms, split_of
from nodes.scenes.procedural import WEIGHTS, Layout
from nodes.scenes.scene import Room, Scene
from store.collection import Collection
from store.digest import digest
from store.open import open_store


def rooms(**params):
    return list_rooms(params=ListRooms(**params))


def layout_digest(style: str, number: int) -> str:
    layout = Layout(style, number)
    return digest(json.dumps([layout.room, layout.boxes]).encode())


def test_a_room_is_drawn_from_version_style_and_number_alone():
    # a change here changes every room: raise procedural.VERSION with it
    assert layout_digest("old", 0) == "c6f716eead7927ef9b7387b825ce0a81178b5fc7d3b6f1caa56c4a0812975d1d"
    assert layout_digest("new", 123) == "e5e58b14a6772037d8c1ceb2355f0b66347af8a6955de955658db8e34bd4d876"


def test_other_rooms_and_more_frames_leave_a_room_alone():
    alone = extract(rooms(style="new", first=5, count=1)["procedural-v1-new-00005"], params=Extract(frames=2))
    among = extract(rooms(style="new", count=9)["procedural-v1-new-00005"], params=Extract(frames=3))
    assert alone.labels == among.labels
    assert np.array_equal(alone.centre, among.centre)


def test_the_same_room_twice_gives_the_same_pixels():
    room = rooms(style="new", count=1)["procedural-v1-new-00000"]
    one, two = (extract(room, params=Extract(frames=3)) for _ in range(2))
    assert all(np.array_equal(one.frames.rgb(i), two.frames.rgb(i)) for i in range(3))


def test_rooms_have_one_to_four_boxes_of_unlike_colours_that_do_not_touch():
    from nodes.scenes.geometry import box_distance, yaw_rotation

    seen = set()
    for number in range(150):
        boxes = Layout("old", number).boxes
        seen.add(len(boxes))
        assert len({colour for colour, *_ in boxes}) == len(boxes)
        parts = [(c, s, yaw_rotation(yaw)) for _, c, s, yaw in boxes]
        assert all(box_distance(*parts[i], *parts[j]) > 0.1 for i in range(len(parts)) for j in range(i))
    assert seen == {1, 2, 3, 4}


def test_no_camera_stands_in_a_box_or_outside_the_room():
    from nodes.scenes.geometry import point_box_distance
    from nodes.scenes.procedural import build_world

    for number in range(60):
        world = build_world("new", number, 24, 64, 1.0)
        eyes = world.T_wc[:, :3, 3]
        for box in zip(world.centre, world.size, world.rotation, strict=True):
            assert point_box_distance(eyes, *box).min() > 0.2
        assert (np.abs(eyes - world.room_centre) < world.room_size / 2).all()


def test_styles_share_no_place_and_differ_in_pixels():
    old, new = (rooms(style=style, count=5) for style in ("old", "new"))
    assert not {r.place for r in old.values()} & {r.place for r in new.values()}
    means = []
    for listing in (old, new):
        scene = extract(next(iter(listing.values())), params=Extract(frames=4))
        means.append(np.mean([scene.frames.rgb(i) for i in range(4)]))
    assert abs(means[0] - means[1]) > 20


def test_splits_are_apart_by_place_and_cover_all():
    parts = {split: set(rooms(count=40, split=split)) for split in ("train", "dev", "test")}
    assert not parts["train"] & parts["test"]
    assert not parts["train"] & parts["dev"]
    assert all(split_of(room) == split for split, ids in parts.items() for room in ids)
    assert {len(ids) for ids in parts.values()} == {40}


def test_one_room_more_keeps_the_others():
    fewer, more = rooms(count=10, split="test"), rooms(count=11, split="test")
    assert set(fewer) < set(more)


def test_split_shares_are_70_10_20():
    # 4,000 places: standard error of .7 is .0072
    splits = [split_of(f"place {n}") for n in range(4000)]
    assert [splits.count(s) / 4000 for s in ("train", "dev", "test")] == pytest.approx([0.7, 0.1, 0.2], abs=0.025)


def test_boxes_are_large_enough_to_ask_about():
    shares = []
    for room in rooms(style="new", count=8).values():
        shares.append(extract(room, params=Extract(frames=12)).pixels.ravel() / 64**2)
    assert np.median(np.concatenate(shares)) > 0.02
    assert (np.concatenate(shares) > 0.01).mean() > 0.8


def test_scene_reads_back_what_was_written(tmp_path):
    store = open_store(str(tmp_path))
    room = rooms(count=1)["procedural-v1-old-00000"]
    scene = extract(room, params=Extract(frames=3))
    read = store.open(store.put(scene), Scene)
    assert read.labels == scene.labels
    assert read.summary() == scene.summary()
    assert np.array_equal(read.frames.rgb(2), scene.frames.rgb(2))
    assert np.array_equal(read.visibility, scene.visibility)
    assert list(read.relations) == list(scene.relations)
    assert read.graph().nodes[0]["label"] == scene.labels[0]
    assert read.frames.digest
    assert store.put(extract(room, params=Extract(frames=3))) == store.put(scene)


def test_a_listing_reads_back_what_was_written(tmp_path):
    store = open_store(str(tmp_path))
    listing = rooms(style="new", count=2)
    read = store.open(store.put(listing), Collection[Room])
    assert [r.summary() | r.data for r in read.values()] == [r.summary() | r.data for r in listing.values()]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"style": "nwe", "count": 1}, "did you mean 'new'"),
        ({"source": "procedual", "count": 1}, "did you mean 'procedural'"),
        ({"source": "procedural"}, "count is absent"),
        ({"source": "vsibench"}, "path is absent"),
        ({"count": 0}, "int >= 1"),
        ({"count": 1, "split": "tran"}, "tran"),
    ],
)
def test_wrong_params_are_named(params, message):
    mistakes = Mistakes("rooms.toml")
    assert read_params(ListRooms, params, mistakes, "nodes.rooms.params", Path()) is None
    assert message in "\n".join(mistakes.lines)


def test_a_room_of_an_unknown_source_is_named():
    with pytest.raises(ValueError, match=r"room x: of source 'replica', params.source = 'procedural'"):
        extract(Room("x", "replica", "x", "train", "none", {}), params=Extract())


def test_colours_are_five():
    assert sorted(COLOURS) == ["blue", "green", "purple", "red", "yellow"]


def test_rooms_hold_as_many_boxes_as_the_weights_say():
    counts = [len(Layout("old", number).boxes) for number in range(1000)]
    for boxes, weight in enumerate(WEIGHTS, start=1):
        # 1000 rooms: the standard error of a share is at most sqrt(.35 * .65 / 1000) = .015; a full floor drops a few
        assert abs(counts.count(boxes) / 1000 - weight) < 0.06
