"""Frames in memory and in a store, recorded files kept as they are, and which frames are shown."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nodes.scenes.frames import Frames
from nodes.scenes.sample import by_coverage, by_time, sample_frames
from store.open import open_store


def jpeg_of(shade: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((8, 12, 3), shade, np.uint8)).save(file, "JPEG")
    return file.getvalue()


def test_recorded_pictures_keep_their_bytes(tmp_path: Path) -> None:
    files = [jpeg_of(shade) for shade in (10, 100, 200)]
    arrays = {
        "jpeg": np.frombuffer(b"".join(files), np.uint8),
        "jpeg_end": np.cumsum([len(file) for file in files]),
        "time_s": np.arange(3.0),
    }
    store = open_store(str(tmp_path))
    for frames in (Frames(arrays), store.open(store.put(Frames(arrays)), Frames)):
        assert [frames.jpeg(i) for i in range(3)] == files
        assert [int(frames.rgb(i).mean().round()) for i in range(3)] == [10, 100, 200]
        assert not frames.has("depth") and not frames.has("T_wc")
        assert frames.summary() == {"frames": 3, "height_px": 8, "width_px": 12, "known": [], "invented": False}


def test_pictures_of_others_say_whose_they_are(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    for terms, said in (("ScanNet: non-commercial research", "ScanNet: non-commercial research"), ("generated", "")):
        drawn = Frames({"rgb": np.zeros((1, 2, 2, 3), np.uint8), "time_s": np.zeros(1)}, terms=terms)
        name = store.put(drawn)
        assert store.reader(name).attrs.get("terms", "") == store.open(name, Frames).terms == said


def test_rows_are_the_same_in_any_order_of_reading(tmp_path: Path) -> None:
    # 40 pictures of 256 x 256 float32: 10 MB, so several chunks
    depth = np.random.default_rng(1).random((40, 256, 256), np.float32)
    drawn = Frames({"rgb": np.zeros((40, 2, 2, 3), np.uint8), "depth": depth, "time_s": np.arange(40.0)})
    store = open_store(str(tmp_path))
    frames = store.open(store.put(drawn), Frames)
    for i in (0, 39, 1, 17, 16, 15, 39):
        assert (frames.depth(i) == depth[i]).all()


def test_time_takes_the_first_frame_of_each_slot() -> None:
    time_s = np.array([0.0, 0.3, 0.6, 1.1, 1.2, 2.9])
    # a frame a second: slots 0 (0, .3, .6), 1 (1.1, 1.2), 2 (2.9)
    assert by_time(time_s, 1.0, 9) == (0, 3, 5)
    assert by_time(time_s, 2.0, 9) == (0, 2, 3, 5)
    assert by_time(time_s, 1.0, 2) == (0, 5)
    assert by_time(time_s + 7, 1.0, 1) == (3,)


def test_coverage_takes_what_shows_most_that_is_new() -> None:
    # frame 2 sees two objects; then frames 0 and 3 see one new each, 3 more of it; object 4 is seen by none
    seen = np.array(
        [
            [0.2, 0.0, 0.0, 0.0, 0.0],
            [0.0, 0.3, 0.0, 0.0, 0.0],
            [0.0, 0.2, 0.2, 0.0, 0.05],
            [0.0, 0.0, 0.0, 0.4, 0.0],
            [0.0, 0.0, 0.0, 0.0, 0.0],
        ]
    )
    assert by_coverage(seen, 1) == (2,)
    assert by_coverage(seen, 2) == (2, 3)
    assert by_coverage(seen, 3) == (0, 2, 3)
    # nothing more is new: filled evenly from what is left, of 1 and 4 the later as the middle of two
    assert by_coverage(seen, 4) == (0, 2, 3, 4)
    assert by_coverage(seen, 9) == (0, 1, 2, 3, 4)
    assert by_coverage(np.zeros((3, 0)), 2) == (0, 2)
    late = np.zeros((100, 4))
    late[range(90, 94), range(4)] = 0.5
    assert by_coverage(late, 8) == (0, 31, 63, 90, 91, 92, 93, 99)  # of the 96 that are left 0, 31, 63, 95


def test_a_time_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match="frame 1 has no time"):
        by_time(np.array([0.0, np.nan]), 1.0, 2)


@pytest.mark.parametrize(("frames", "shown"), [(24, 4), (24, 1), (3, 8), (1, 1)])
def test_uniform_is_what_nothing_more_is_known_of(frames: int, shown: int) -> None:
    chosen = sample_frames(frames, shown)
    assert len(chosen) == min(frames, shown) and sorted(set(chosen)) == list(chosen)
    gaps = np.diff(chosen)
    assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1
