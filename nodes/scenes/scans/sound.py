"""What is wrong with a recording that cannot be true: caught before it becomes a Scene, with the value.

Not a number, mirrored or crooked axes, another unit than metres, cameras far from what they recorded.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes.scenes.scans.recording import Recording, Shot

    Floats = NDArray[np.float64]

ROOM_MAX_M = 60.0  # no scanned room is longer: centimetres or millimetres were taken for metres
ROOM_MIN_M = 0.1  # nor smaller
FAR_M = 10.0  # a camera stands no farther from the box around what it recorded
DEPTH_MAX_M = 60.0
CROOKED = 1e-3  # products of axes may be off by so much: files round to three digits and more


def check_recording(room: str, recording: Recording) -> None:
    """Raise ValueError unless boxes, surface and outline can be true."""
    import numpy as np

    n = len(recording.labels)
    for name, shape in (("centre", (n, 3)), ("size", (n, 3)), ("rotation", (n, 3, 3))):
        if getattr(recording, name).shape != shape:
            raise ValueError(f"room {room}: {name} has shape {getattr(recording, name).shape}, expected {shape}")
    for i, label in enumerate(recording.labels):
        numbers = np.concatenate([recording.centre[i], recording.size[i], recording.rotation[i].ravel()])
        if not np.isnan(numbers).all():
            _check_box(f"room {room}: box of {label!r} ({i})", recording.size[i], recording.rotation[i], numbers)
    extent = bounds(recording)
    if extent is not None:
        _check_extent(f"room {room}", extent[1] - extent[0])
    surface = recording.surface
    if surface is not None and not (len(surface.owner) == len(surface.vertices) and _owned(surface.owner, n)):
        raise ValueError(f"room {room}: owners of {len(surface.vertices)} vertices: expected one each, of -1..{n - 1}")


def check_shot(room: str, recording: Recording, shot: Shot) -> None:
    """Raise ValueError unless the frame's picture, camera and depth can be true."""
    import numpy as np

    where = f"room {room}: frame {shot.number}"
    _check_picture(where, shot.jpeg)
    if shot.K is not None and not (np.isfinite(shot.K).all() and shot.K[0, 0] > 0 and shot.K[1, 1] > 0):
        raise ValueError(f"{where}: K = {shot.K.tolist()}: expected finite numbers, focal lengths above 0")
    if shot.T_wc is not None:
        _check_pose(where, shot.T_wc, bounds(recording))
    if shot.depth is not None and not (np.isfinite(shot.depth).all() and (shot.depth >= 0).all()):
        raise ValueError(f"{where}: depth holds values below 0 or not finite, expected metres, 0 where unknown")
    if shot.depth is not None and shot.depth.max(initial=0) > 0:
        middle = float(np.median(shot.depth[shot.depth > 0]))
        if middle > DEPTH_MAX_M:
            raise ValueError(f"{where}: median depth {middle:g} m, expected {DEPTH_MAX_M:g} m at most")


def check_axes(where: str, axes: Floats) -> None:
    """Raise ValueError unless the rows of axes (3, 3) are right-handed unit axes."""
    import numpy as np

    off = float(np.abs(axes @ axes.T - np.eye(3)).max()) if np.isfinite(axes).all() else float("nan")
    if not off <= CROOKED:
        raise ValueError(f"{where}: axes {np.round(axes, 4).tolist()} are off by {off:.3g}, expected unit axes")
    if np.linalg.det(axes) < 0:
        raise ValueError(f"{where}: axes {np.round(axes, 4).tolist()} are mirrored (determinant -1), expected +1")


def bounds(recording: Recording) -> tuple[Floats, Floats] | None:
    """Return the lowest and highest corner (3,) of surface and boxes, None if there is neither."""
    import numpy as np

    if recording.surface is not None and len(recording.surface.vertices):
        return recording.surface.vertices.min(0), recording.surface.vertices.max(0)
    reach = np.sqrt((recording.size**2).sum(1, keepdims=True)) / 2
    fitted = ~np.isnan(recording.centre).all(1)
    if not fitted.any():
        return None
    return (recording.centre - reach)[fitted].min(0), (recording.centre + reach)[fitted].max(0)


def _check_box(where: str, size: Floats, rotation: Floats, numbers: Floats) -> None:
    import numpy as np

    if not np.isfinite(numbers).all():
        raise ValueError(f"{where}: holds {numbers[~np.isfinite(numbers)][0]}, expected finite numbers")
    if not (size > 0).all():
        raise ValueError(f"{where}: size {size.tolist()}: expected lengths above 0")
    check_axes(where, rotation)


def _check_extent(where: str, extent: Floats) -> None:
    longest = float(extent.max())
    if not ROOM_MIN_M <= longest <= ROOM_MAX_M:
        unit = "; centimetres or millimetres?" if longest > ROOM_MAX_M else ""
        raise ValueError(f"{where}: {longest:g} m long, expected {ROOM_MIN_M:g} to {ROOM_MAX_M:g} m{unit}")


def _check_pose(where: str, T_wc: Floats, extent: tuple[Floats, Floats] | None) -> None:
    import numpy as np

    if T_wc.shape != (4, 4) or not np.isfinite(T_wc).all() or np.abs(T_wc[3] - [0, 0, 0, 1]).max() > CROOKED:
        raise ValueError(f"{where}: pose {T_wc.tolist()}: expected a finite (4, 4) whose last row is 0, 0, 0, 1")
    check_axes(f"{where}: pose", T_wc[:3, :3].T)
    if extent is None:
        return
    away = np.maximum(np.maximum(extent[0] - T_wc[:3, 3], T_wc[:3, 3] - extent[1]), 0)
    if away.max() > FAR_M:
        raise ValueError(
            f"{where}: camera at {np.round(T_wc[:3, 3], 2).tolist()} m is {away.max():g} m from the room, "
            f"expected {FAR_M:g} m at most; another unit or other axes?"
        )


def _check_picture(where: str, jpeg: bytes) -> None:
    from PIL import Image

    try:
        picture = Image.open(io.BytesIO(jpeg), formats=("JPEG",))
        picture.draft("RGB", (64, 64))  # all of the file is read, but few pixels are made
        picture.load()
    except (OSError, SyntaxError, Image.DecompressionBombError) as e:
        raise ValueError(f"{where}: colours of {len(jpeg)} bytes: {e}; expected a JPEG") from None


def _owned(owner: NDArray[np.int32], n: int) -> bool:
    return not len(owner) or (int(owner.min()) >= -1 and int(owner.max()) < n)
