"""Frames of an ARKitScenes capture: pictures, depth, confidence, intrinsics and trajectory, each in files of its own.

File names carry the time in seconds; poses are between those of trajectory.py. `.pincam`: width height fx fy cx cy.
Depth: 16-bit PNG in millimetres, 0 unknown. Devices were held on any side: pictures, depth and cameras are turned so
that the sky is above, as most poses say; the metadata's own word is taken only where there is no pose, since it is
wrong for some captures.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nodes.scenes.scans.recording import Shot
from nodes.scenes.scans.trajectory import POSE_S, around, is_near, pose_at, read_trajectory
from nodes.scenes.scans.upright import SIDES, turn_camera, turn_picture, upright_turn
from nodes.scenes.scans.video import encode_jpeg

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PICTURES = ("vga_wide", "lowres_wide")  # the larger first
DEPTH_S = 0.02  # depth comes 60 times a second: this is the picture's own moment or a neighbour's
CONFIDENCE_MIN = 1  # of 0 low, 1, 2 high
# what a depth sensor of a phone can see of a room: .1 to 20 m
DEPTH_MM = (100, 20_000)


class ArkitFilm:
    """The frames of one capture, in the order of time: those with depth of their moment, all if there is no depth."""

    def __init__(self, folder: Path, sky: str = "") -> None:
        """Read names and trajectory, no picture. Raises ValueError: a name or line is broken, no picture is there."""
        import numpy as np

        self.folder = next((folder / name for name in PICTURES if (folder / name).is_dir()), folder / PICTURES[-1])
        pictures = _timed(self.folder, (".png", ".jpg"))
        cameras = _timed(self.folder.with_name(f"{self.folder.name}_intrinsics"), (".pincam",))
        depths, confidences = (_timed(folder / name, (".png",)) for name in ("lowres_depth", "confidence"))
        self.trajectory = times, T_wc = read_trajectory(folder / "lowres_wide.traj")
        self.start_s = pictures[0][0] if pictures else 0.0
        self.turn = upright_turn(T_wc) if len(T_wc) else _turn_of(sky)
        self.frames: list[tuple[float, Path, Path | None, Path | None]] = []
        camera_of, depth_of = _Nearest(cameras, POSE_S), _Nearest(depths, DEPTH_S)
        sure = {path.name: path for _, path in confidences}
        self.confidence: dict[Path, Path] = {path: sure[path.name] for _, path in depths if path.name in sure}
        for time_s, path in pictures:
            depth = depth_of(time_s)
            if depth is not None or not depths:
                self.frames.append((time_s, path, camera_of(time_s), depth))
        shown = np.array([time_s for time_s, *_ in self.frames])
        with_camera = np.array([camera is not None for _, _, camera, _ in self.frames], bool)
        self.has_pose = with_camera & is_near(shown, times)
        self.lost: dict[str, str] = {} if depths else {"depth": "lowres_depth: no picture"}
        if not pictures:
            self.lost["frames"] = f"{self.folder.name}: no picture"

    def shots(self, places: Sequence[int]) -> Iterator[Shot]:
        """Yield the frames at these places, one in memory."""
        for place in places:
            time_s, path, camera, depth_path = self.frames[place]
            rgb, coded = read_picture(path)
            height, width = rgb.shape[:2]
            K, pose = None, pose_at(time_s, *self.trajectory)
            if camera is not None:
                K = read_pincam(camera, width, height)
                K, pose = turn_camera(K, pose, width, height, self.turn)
            depth = None
            if depth_path is not None:
                depth = turn_picture(read_depth(depth_path, self.confidence.get(depth_path)), self.turn)
            if self.turn or not coded:
                coded = encode_jpeg(turn_picture(rgb, self.turn))
            yield Shot(place, time_s - self.start_s, coded, K, pose, depth)


class _Nearest:
    """The file nearest to a time, if within some seconds."""

    def __init__(self, files: list[tuple[float, Path]], within_s: float) -> None:
        import numpy as np

        self.files, self.within_s = files, within_s
        self.times = np.array([time for time, _ in files])

    def __call__(self, time_s: float) -> Path | None:
        import numpy as np

        if not self.files:
            return None
        i = int(np.abs(self.times[around(self.times, time_s)] - time_s).argmin()) + around(self.times, time_s).start
        # file names are rounded to a millisecond
        return self.files[i][1] if abs(self.times[i] - time_s) <= self.within_s + 1e-6 else None


def _timed(folder: Path, suffixes: tuple[str, ...]) -> list[tuple[float, Path]]:
    """Return (time in seconds, path) of a folder's files, by time; none if there is no such folder."""
    if not folder.is_dir():
        return []
    files = []
    for entry in os.scandir(folder):
        stem, suffix = os.path.splitext(entry.name)
        if suffix.lower() in suffixes and not entry.name.startswith("."):
            try:
                time_s = float(stem.rsplit("_", 1)[1])
                if not math.isfinite(time_s):
                    raise ValueError
                files.append((time_s, folder / entry.name))
            except (IndexError, ValueError):
                raise ValueError(f"{entry.path}: expected a name that ends in _<seconds>{suffix}") from None
    return sorted(files)


def read_pincam(path: Path, width: int, height: int) -> Floats:
    """Return K (3, 3) px of a .pincam file, for a picture of this size, which must be the file's own."""
    import numpy as np

    text = path.read_text(errors="replace")
    try:
        w, h, fx, fy, cx, cy = (float(word) for word in text.split())
    except ValueError:
        raise ValueError(f"{path}: {text[:60]!r}, expected width height fx fy cx cy") from None
    if (w, h) != (width, height):
        raise ValueError(f"{path}: {w:g} x {h:g} px, its picture has {width} x {height}")
    if not (fx > 0 and fy > 0 and np.isfinite([fx, fy]).all() and 0 < cx < w and 0 < cy < h):
        raise ValueError(f"{path}: {text[:60]!r}, expected focal lengths above 0 and a principal point in the picture")
    return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])


def read_picture(path: Path) -> tuple[NDArray[np.uint8], bytes]:
    """Return a picture (H, W, 3) and its file if that is a JPEG, else nothing. Raises ValueError: broken."""
    import io

    import numpy as np
    from PIL import Image

    raw = path.read_bytes()
    try:
        with Image.open(io.BytesIO(raw), formats=("PNG", "JPEG")) as image:
            kind, picture = image.format, np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as e:
        raise ValueError(f"{path}: {len(raw)} bytes: {e}") from None
    return picture, raw if kind == "JPEG" else b""


def read_depth(path: Path, confidence: Path | None = None) -> NDArray[np.float32]:
    """Return depth (h, w) in metres; 0 where it is unknown or the sensor's confidence is low.

    Raises ValueError: no 16-bit picture, or one whose values are no millimetres of a room.
    """
    import numpy as np

    raw = _grey(path, ("I;16", "I"))
    known = raw[raw > 0]
    if len(known) and not DEPTH_MM[0] <= (middle := float(np.median(known))) <= DEPTH_MM[1]:
        low, high = DEPTH_MM
        raise ValueError(f"{path}: median depth {middle:g}, expected {low} to {high}, millimetres of a room")
    depth = (raw / 1000).astype(np.float32)
    if confidence is not None:
        sure = _grey(confidence, ("L", "P"))
        if sure.shape != depth.shape:
            raise ValueError(f"{confidence}: {sure.shape} px, its depth has {depth.shape}")
        depth[sure < CONFIDENCE_MIN] = 0
    return depth


def _grey(path: Path, modes: tuple[str, ...]) -> np.ndarray:
    import numpy as np
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.mode not in modes:
                raise ValueError(f"mode {image.mode}, expected {modes[0]}")
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as e:
        raise ValueError(f"{path}: {e}") from None


def _turn_of(sky: str) -> int:
    """Return the turn for the metadata's `sky_direction`: where the sky is in the recorded picture."""
    return SIDES.index(sky.lower()) if sky.lower() in SIDES else 0
