"""Frames of a ScanNet++ scene: the iPhone's video, or the DSLR's pictures made pinhole.

World of both: the mesh's, metres, z up. iPhone: `aligned_pose` is camera to world, x right, y down, z forward, and
`intrinsic` belongs to the picture as it is shown. DSLR: nerfstudio's matrices are camera to world with y up and z back,
and were written in a world of nerfstudio's own, (x, y, z) -> (y, x, -z); both are undone. Without depth of its own a
frame has that of the mesh, drawn from its pose: then nothing that moved or shines is seen, but who hides whom is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from nodes.scenes.camera import scale_K
from nodes.scenes.scans.arkit_film import read_picture
from nodes.scenes.scans.json_file import read_json
from nodes.scenes.scans.phone_depth import PhoneDepth
from nodes.scenes.scans.recording import Shot
from nodes.scenes.scans.upright import turn_camera, turn_picture, upright_turn
from nodes.scenes.scans.video import encode_jpeg, open_video

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes.scenes.mesh import MeshIndex

    Floats = NDArray[np.float64]

DRAWN_PX = 256  # the longer side of depth that is drawn from the mesh: the phone's own size
ASTRAY = 0.01  # of the poses may lie beyond the video: files are off by a frame or two, a cut one by many
FRAME = re.compile(r"frame_(\d+)")
UNDISTORTED = ("resized_undistorted_images", "undistorted_images")

Row3 = Annotated[list[float], Meta(min_length=3, max_length=3)]
Row4 = Annotated[list[float], Meta(min_length=4, max_length=4)]
Matrix3 = Annotated[list[Row3], Meta(min_length=3, max_length=3)]
Matrix4 = Annotated[list[Row4], Meta(min_length=4, max_length=4)]


class PhoneFrame(Struct, frozen=True):
    """What is known of a video frame; the raw `pose` is in the phone's own world."""

    intrinsic: Matrix3
    aligned_pose: Matrix4 | None = None


class Picture(Struct, frozen=True):
    """A picture of transforms.json."""

    file_path: str
    transform_matrix: Matrix4
    is_bad: bool = False


class Transforms(Struct, frozen=True):
    """dslr/nerfstudio/transforms*.json."""

    fl_x: float
    fl_y: float
    cx: float
    cy: float
    w: int
    h: int
    camera_model: str
    frames: list[Picture]
    test_frames: list[Picture] = []


class PhoneFilm:
    """The frames of iphone/rgb.mkv, or .mp4; its poses by number."""

    def __init__(self, folder: Path, video: Path, drawn: MeshDepth | None = None) -> None:
        """Read the packets and the poses, no picture. Raises ValueError: broken, or the video ends before its poses."""
        import numpy as np

        self.video, self.drawn = open_video(video), drawn
        path = folder / "pose_intrinsic_imu.json"
        self.known = {_number(path, key): frame for key, frame in read_json(path, dict[str, PhoneFrame]).items()}
        n = len(self.video)
        astray = [number for number in self.known if number >= n]
        if len(astray) > max(2, ASTRAY * len(self.known)):
            raise ValueError(
                f"{video}: {video.stat().st_size} bytes: ends after {n} frames, {path.name} goes on to {max(astray)}"
            )
        posed = [k for k, frame in self.known.items() if frame.aligned_pose is not None and k < n]
        self.has_pose = np.zeros(n, bool)
        self.has_pose[posed] = True
        poses = [self.known[k].aligned_pose for k in sorted(posed)]
        self.turn = upright_turn(np.array(poses, float)) if poses else 0
        self.depth = PhoneDepth(folder / "depth.bin") if (folder / "depth.bin").exists() else None

    def shots(self, places: Sequence[int]) -> Iterator[Shot]:
        """Yield the frames at these places, one in memory."""
        import numpy as np

        depths = self.depth.frames(places) if self.depth is not None else None
        for number, rgb in self.video.frames(places):
            height, width = rgb.shape[:2]
            frame = self.known.get(number)
            K, pose = None, None
            if frame is not None:
                K = np.array(frame.intrinsic, float)
                _check_inside(f"{self.video.path}: frame {number}", K, width, height)
                pose = None if frame.aligned_pose is None else np.array(frame.aligned_pose, float)
                K, pose = turn_camera(K, pose, width, height, self.turn)
            picture = turn_picture(rgb, self.turn)
            if depths is not None:
                depth = turn_picture(next(depths), self.turn)
            else:
                depth = _drawn(self.drawn, K, pose, picture.shape)
            yield Shot(number, self.video.time_s(number), encode_jpeg(picture), K, pose, depth)


class DslrFilm:
    """The undistorted pictures of the DSLR, by name; they have no times: a second apart."""

    def __init__(self, folder: Path, drawn: MeshDepth | None = None) -> None:
        """Read the poses. Raises ValueError: broken, or a camera that is no pinhole."""
        import numpy as np

        path = folder / "nerfstudio" / "transforms_undistorted.json"
        known = read_json(path, Transforms)
        if known.camera_model != "PINHOLE":
            raise ValueError(f"{path}: camera_model = {known.camera_model!r}, expected 'PINHOLE'")
        self.size, self.drawn = (known.w, known.h), drawn
        self.folder = next((folder / name for name in UNDISTORTED if (folder / name).is_dir()), folder / UNDISTORTED[0])
        pictures = [p for p in (*known.frames, *known.test_frames) if not p.is_bad]
        self.pictures = sorted((Path(p.file_path).name, p) for p in pictures)
        self.T_wc = np.array([from_nerfstudio(np.array(p.transform_matrix, float)) for _, p in self.pictures])
        self.K = np.array([[known.fl_x, 0, known.cx], [0, known.fl_y, known.cy], [0, 0, 1]], float)
        self.has_pose = np.ones(len(self.pictures), bool)
        self.turn = upright_turn(self.T_wc) if len(self.T_wc) else 0

    def shots(self, places: Sequence[int]) -> Iterator[Shot]:
        """Yield the pictures at these places, one in memory."""
        for place in places:
            path = self.folder / self.pictures[place][0]
            try:
                rgb, coded = read_picture(path)
            except OSError as e:
                raise ValueError(f"{path}: {e.strerror or e}") from None
            height, width = rgb.shape[:2]
            if (width, height) != self.size:
                raise ValueError(f"{path}: {width} x {height} px, expected {self.size[0]} x {self.size[1]}")
            K, pose = turn_camera(self.K, self.T_wc[place], width, height, self.turn)
            picture = turn_picture(rgb, self.turn)
            jpeg = encode_jpeg(picture) if self.turn or not coded else coded
            yield Shot(place, float(place), jpeg, K, pose, _drawn(self.drawn, K, pose, picture.shape))


class MeshDepth:
    """Depth drawn from the scanned mesh; made ready when the first is asked for."""

    def __init__(self, vertices: Floats, triangles: NDArray[np.int32]) -> None:
        self._mesh = (vertices, triangles)
        self._index: MeshIndex | None = None

    def draw(self, T_wc: Floats, K: Floats, height: int, width: int) -> NDArray[np.float32]:
        """Return depth in metres, 0 where there is no surface, of a picture this size, its longer side DRAWN_PX."""
        import numpy as np

        from nodes.scenes.mesh import Mesh, draw_mesh, index_mesh

        if self._index is None:
            vertices, triangles = self._mesh
            self._index = index_mesh(Mesh(vertices, triangles, np.full(len(triangles), -1, np.int32)))
        share = min(1.0, DRAWN_PX / max(height, width))
        shape = (round(height * share), round(width * share))
        return draw_mesh(self._index, T_wc, scale_K(K, (height, width), shape), shape)[0]


def from_nerfstudio(matrix: Floats) -> Floats:
    """Return T_wc (4, 4) in the mesh's world of a transform_matrix of transforms.json."""
    pose = matrix.copy()
    pose[2] *= -1
    pose[[0, 1]] = pose[[1, 0]]
    pose[:3, 1:3] *= -1
    return pose


def _drawn(drawn: MeshDepth | None, K: Floats | None, pose: Floats | None, shape: Sequence[int]) -> Any:
    return None if drawn is None or K is None or pose is None else drawn.draw(pose, K, shape[0], shape[1])


def _number(path: Path, key: str) -> int:
    match = FRAME.fullmatch(key)
    if match is None:
        raise ValueError(f"{path}: {key!r}, expected frame_<number>")
    return int(match[1])


def _check_inside(where: str, K: Floats, width: int, height: int) -> None:
    if not (0 < K[0, 2] < width and 0 < K[1, 2] < height):
        raise ValueError(
            f"{where}: principal point {K[:2, 2].tolist()} is outside of its {width} x {height} px: of another size?"
        )
