"""ScanNet's frames, from files written in the true format."""

import tracemalloc

import numpy as np
import pytest

from nodes.scenes.scans.sens import SensFilm
from tests.nodes.scenes.scans.scannet_files import LOST, depth_bytes, jpeg_of, sens_bytes

K = np.array([[60.0, 0, 40], [0, 60, 30], [0, 0, 1]])  # colours of 60 x 80
K_DEPTH = np.array([[30.0, 0, 20], [0, 30, 15], [0, 0, 1]])  # depth of 30 x 40: the same view


def pose_at(x):
    pose = np.eye(4)
    pose[0, 3] = x
    return pose


def frames_of(n=5, lost=()):
    depth = np.full((30, 40), 2.5)
    depth[0, 0] = 0
    picture = np.zeros((60, 80, 3), np.uint8)
    return [
        (LOST if k in lost else pose_at(k), 500_000 + k * 100_000, jpeg_of(picture + k), depth_bytes(depth + k))
        for k in range(n)
    ]


def written(tmp_path, frames, **change):
    path = tmp_path / "scene0000_00.sens"
    sizes = {"K": K, "K_depth": K_DEPTH, "colour_size": (60, 80), "depth_size": (30, 40)}
    path.write_bytes(sens_bytes(frames, **{**sizes, **change}))
    return path


def test_a_frame_comes_as_it_was_recorded(tmp_path):
    frames = frames_of(lost=[1])
    film = SensFilm(written(tmp_path, frames), np.eye(4))
    assert film.header.sensor == "StructureSensor"
    assert film.has_pose.tolist() == [True, False, True, True, True]
    first, lost, last = film.shots([0, 1, 4])
    assert last.jpeg == frames[4][2]
    assert last.number == 4
    assert last.time_s == pytest.approx(0.4)  # from the first frame's .5 s
    assert last.T_wc.tolist() == pose_at(4).tolist()
    # the file's 39.5 counts from the middle of the first pixel
    assert np.allclose(last.K, K)
    assert first.depth[5, 5] == pytest.approx(2.5)
    assert first.depth.dtype == np.float32
    assert lost.T_wc is None


def test_the_alignment_turns_poses(tmp_path):
    quarter = np.array([[0.0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]])
    (shot,) = SensFilm(written(tmp_path, frames_of()), quarter).shots([2])
    # (2, 0, 0) turned by 90 degrees is (0, 2, 0), then shifted by (1, 2, 3)
    assert shot.T_wc[:3, 3].tolist() == [1, 4, 3]
    assert shot.T_wc[:3, 0].tolist() == [0, 1, 0]


def test_depth_is_moved_to_where_the_colours_see_it(tmp_path):
    # the depth camera's middle is 2 px to the right: what it has in column 12, colours see in column 10
    depth = np.tile(np.arange(1.0, 41.0), (30, 1)) / 10
    frame = (np.eye(4), 0, jpeg_of(np.zeros((60, 80, 3), np.uint8)), depth_bytes(depth))
    moved = K_DEPTH + np.array([[0, 0, 2], [0, 0, 0], [0, 0, 0]])
    (shot,) = SensFilm(written(tmp_path, [frame], K_depth=moved), np.eye(4)).shots([0])
    assert shot.depth[7, 10] == pytest.approx(depth[7, 12])
    assert shot.depth[7, 39] == 0  # beyond its edge nothing is known


@pytest.mark.parametrize("codes", [(0, 0), (1, 0), (2, 0)])
def test_other_compressions(tmp_path, codes):
    import io

    from PIL import Image

    picture = np.full((60, 80, 3), 90, np.uint8)
    png = io.BytesIO()
    Image.fromarray(picture).save(png, "PNG")
    colour = {0: picture.tobytes(), 1: png.getvalue(), 2: jpeg_of(picture)}[codes[0]]
    frame = (np.eye(4), 0, colour, np.full((30, 40), 1500, "<u2").tobytes())
    (shot,) = SensFilm(written(tmp_path, [frame], codes=codes), np.eye(4)).shots([0])
    decoded = np.asarray(Image.open(io.BytesIO(shot.jpeg)))
    assert decoded.shape == (60, 80, 3)
    assert abs(int(decoded.mean()) - 90) <= 1
    assert shot.depth[3, 3] == 1.5


def test_times_that_do_not_ascend_are_read_off_the_numbers(tmp_path):
    frames = [(pose, 0, colour, depth) for pose, _, colour, depth in frames_of(4)]
    film = SensFilm(written(tmp_path, frames), np.eye(4))
    assert film.time_s == pytest.approx([0, 1 / 30, 2 / 30, 3 / 30])


def test_a_file_cut_short_says_where(tmp_path):
    path = written(tmp_path, frames_of())
    whole = path.read_bytes()
    for end in (5, 40, 200, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match=rf"scene0000_00.sens: byte {end}: ends within"):
            SensFilm(path, np.eye(4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 3}, "version 3"),
        ({"codes": (2, 2)}, "depth of 2"),
        ({"unit": 0.0}, "0.0 depth units"),
        ({"n": 1 << 60}, "ends within frame 5"),
        ({"K": np.diag([-1.0, 1, 1])}, "focal lengths of colours -1.0"),
        ({"colour_size": (60, 0)}, "pictures of"),
    ],
)
def test_broken_headers(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        SensFilm(written(tmp_path, frames_of(), **change), np.eye(4))


def test_broken_depth_names_its_frame(tmp_path):
    frames = frames_of()
    for bad, message in ((b"no zlib", "depth: Error"), (depth_bytes(np.ones((9, 9))), "depth of 162 bytes")):
        frames[3] = (*frames[3][:3], bad)
        film = SensFilm(written(tmp_path, frames), np.eye(4))
        with pytest.raises(ValueError, match=rf"frame 3 at byte \d+: {message}"):
            list(film.shots([3]))


def test_a_long_recording_takes_the_memory_of_a_short_one(tmp_path):
    peaks = []
    for n in (20, 400):
        path = written(tmp_path, frames_of(1) * n)
        tracemalloc.start()
        for shot in SensFilm(path, np.eye(4)).shots([0, n // 2, n - 1]):
            assert shot.depth is not None
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # a frame's numbers, not its pictures: 20 of them as Python objects are about a kilobyte
    assert peaks[1] - peaks[0] < 380 * 2000
