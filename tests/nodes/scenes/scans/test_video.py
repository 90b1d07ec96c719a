"""Videos as phones write them: numbers, times, turns, and broken files."""

from fractions import Fraction

import av
import numpy as np
import pytest

from nodes.scenes.scans.upright import turn_camera, turn_picture, upright_turn
from nodes.scenes.scans.video import encode_jpeg, open_video

WIDTH, HEIGHT = 64, 48


def picture(number: int) -> np.ndarray:
    """A grey level that says the number (3 levels apart), and a white patch at the top left."""
    image = np.full((HEIGHT, WIDTH, 3), 20 + 3 * number, np.uint8)
    image[:16, :16] = 255
    return image


def number_of(image: np.ndarray) -> int:
    return round((float(image[HEIGHT // 2 :, WIDTH // 2 :].mean()) - 20) / 3)


def film(path, n=60, codec="h264", turn=0, times=None, gop=12, **options):
    """Write n frames; times in 1/600 s if they are not even; turn in degrees clockwise."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30, options={"crf": "5", **options} if codec == "h264" else {})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = gop
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 600)
        if turn:
            stream.set_display_rotation(-turn)
        for k in range(n):
            frame = av.VideoFrame.from_ndarray(picture(k), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[k], Fraction(1, 600)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


@pytest.mark.parametrize("name, codec", [("a.mp4", "h264"), ("a.mkv", "h264"), ("a.mov", "h264"), ("a.mkv", "ffv1")])
def test_frames_come_by_number(tmp_path, name, codec):
    video = open_video(film(tmp_path / name, codec=codec))
    assert len(video) == 60
    # 30 a second: frame 45 at 1.5 s
    assert video.time_s(45) == pytest.approx(1.5, abs=1e-3)
    for numbers in ([0], [59], [3, 4, 5, 40, 41], list(range(60))):
        assert [(n, number_of(image)) for n, image in video.frames(numbers)] == [(n, n) for n in numbers]


def test_a_phone_keeps_no_even_rate(tmp_path):
    # 20, 20, 30, 20, 20, 30 ... units of 1/600 s: frame 4 at 90, which is .15 s
    times = [int(t) for t in np.cumsum([0] + [20, 20, 30] * 19 + [20, 20])][:59]
    video = open_video(film(tmp_path / "a.mp4", n=59, times=times))
    assert len(video) == 59
    assert video.time_s(4) == pytest.approx(90 / 600)
    assert video.nearest(0.151) == 4
    assert video.nearest(1e9) == 58
    assert [number_of(image) for _, image in video.frames([4, 58])] == [4, 58]


def test_a_file_that_asks_to_be_turned_is_turned(tmp_path):
    # recorded with the patch at the top left; a quarter turn clockwise takes it to the top right
    for turn, corner in ((90, (0, -1)), (180, (-1, -1)), (270, (-1, 0))):
        video = open_video(film(tmp_path / f"{turn}.mp4", n=3, turn=turn))
        _, image = next(video.frames([1]))
        assert image.shape == ((WIDTH, HEIGHT, 3) if turn != 180 else (HEIGHT, WIDTH, 3))
        assert image[corner].mean() > 240
        others = {(0, 0), (0, -1), (-1, 0), (-1, -1)} - {corner}
        assert max(image[c].mean() for c in others) < 60


def test_reading_on_decodes_each_frame_once(tmp_path, monkeypatch):
    import nodes.scenes.scans.video as module

    decoded = []
    plain = module._decode

    def counted(*args):
        for frame in plain(*args):
            decoded.append(frame.pts)
            yield frame

    monkeypatch.setattr(module, "_decode", counted)
    video = open_video(film(tmp_path / "a.mp4", bf="0", sc_threshold="0"))  # no frame needs a later one
    assert (video.keys // 512).tolist() == [0, 12, 24, 36, 48]
    list(video.frames([15, 17, 19, 21]))
    assert decoded == [512 * n for n in range(12, 22)]
    decoded.clear()
    list(video.frames([16, 53]))
    assert decoded == [512 * n for n in [*range(12, 17), *range(48, 54)]]


def test_a_cut_file_says_where(tmp_path):
    whole = film(tmp_path / "whole.mkv", codec="ffv1").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cut\.mkv: no frame 59, it holds \d+ \(.* s\)|cut\.mkv: byte \d+: "):
        list(open_video(tmp_path / "cut.mkv").frames([59]))
    (tmp_path / "cut.mp4").write_bytes(film(tmp_path / "whole.mp4").read_bytes()[:900])
    with pytest.raises(ValueError, match=r"cut\.mp4: .*expected a video"):
        open_video(tmp_path / "cut.mp4")


def test_damage_in_the_middle_says_the_byte(tmp_path):
    raw = bytearray(film(tmp_path / "a.mkv", codec="ffv1").read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 40] = bytes(range(200, 240))
    (tmp_path / "b.mkv").write_bytes(raw)
    with pytest.raises(ValueError, match=r"b\.mkv: (byte \d+|frame \d+ at)"):
        list(open_video(tmp_path / "b.mkv").frames(range(60)))


@pytest.mark.parametrize("content", [b"", b"no video at all", b"\x00" * 4000])
def test_what_is_no_video_is_refused(tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.mp4: .*expected a video"):
        open_video(tmp_path / "a.mp4")
    with pytest.raises(ValueError, match=r"gone\.mp4: .*expected a video"):
        open_video(tmp_path / "gone.mp4")


def test_a_picture_is_encoded_at_quality_95():
    import io

    from PIL import Image

    coded = Image.open(io.BytesIO(encode_jpeg(picture(0))))
    assert coded.format == "JPEG"
    # the standard table's first entry is 16; at quality 95 it is scaled by (200 - 2 * 95) / 100: 1.6, rounded to 2
    assert coded.quantization[0][0] == 2


def test_a_turned_camera_sees_the_same_points():
    # width 64, height 48; the point (1, .5, 2): u = 50 * .5 + 30 = 55, v = 40 * .25 + 20 = 30
    K = np.array([[50.0, 0, 30], [0, 40, 20], [0, 0, 1]])
    point = np.array([1, 0.5, 2, 1.0])
    image = np.zeros((HEIGHT, WIDTH), np.uint8)
    image[30, 55] = 1
    # clockwise: (H - v, u), then again; the pixel's centre is half a pixel on
    for turn, uv in ((0, (55, 30)), (1, (18, 55)), (2, (9, 18)), (3, (30, 9))):
        k, pose = turn_camera(K, np.eye(4), WIDTH, HEIGHT, turn)
        local = np.linalg.inv(pose) @ point
        assert (k[:2, :2] @ local[:2] / local[2] + k[:2, 2]).tolist() == pytest.approx(uv)
        row, column = np.argwhere(turn_picture(image, turn))[0]
        corners = turn_camera(K, None, WIDTH, HEIGHT, turn)[0]
        # the pixel that covers [55, 56) x [30, 31) still begins or ends at the point's image
        assert column <= uv[0] <= column + 1 and row <= uv[1] <= row + 1
        assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
        assert (corners == k).all()


def test_most_of_the_poses_say_which_side_is_up():
    from nodes.scenes.camera import look_at

    level = look_at([0, 0, 1], [0, 5, 1])
    down = np.diag([1.0, -1, -1, 1])
    for turn in range(4):
        # a device turned so that the picture needs `turn` quarter turns clockwise
        _, held = turn_camera(np.eye(3), level, 1, 1, (4 - turn) % 4)
        assert upright_turn(np.stack([held, held, down, level])) == turn
