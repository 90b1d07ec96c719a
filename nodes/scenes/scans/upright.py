"""Recorded pictures turned by quarter turns, with their cameras: a device held on its side recorded all of it so.

A turn is a number of quarter turns clockwise, 0..3. Conventions of cameras in camera.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SIDES = ("up", "left", "down", "right")  # where the sky is in a picture that needs 0, 1, 2, 3 quarter turns


def upright_turn(T_wc: Floats) -> int:
    """Return the turn after which most of the pictures (F, 4, 4) have the sky above; the least of those as many.

    A picture that looks straight up or down has no sky side and no say.
    """
    import numpy as np

    up = T_wc[:, 2, :2]  # world z along the camera's right and down
    told = np.hypot(up[:, 0], up[:, 1]) > 0.1
    # sky above: -y; to the left: -x; below: +y; to the right: +x
    along = np.stack([-up[:, 1], -up[:, 0], up[:, 1], up[:, 0]], axis=1)
    votes = np.bincount(along[told].argmax(1), minlength=4)
    return int(votes.argmax())


def turn_picture(picture: NDArray, turn: int) -> NDArray:
    """Return a picture (H, W, ...) turned clockwise; (W, H, ...) for an odd turn."""
    import numpy as np

    return np.ascontiguousarray(np.rot90(picture, -turn)) if turn % 4 else picture


def turn_camera(K: Floats, T_wc: Floats | None, width: int, height: int, turn: int) -> tuple[Floats, Floats | None]:
    """Return K (3, 3) and T_wc (4, 4) of a picture of width x height px after its turn.

    A quarter turn clockwise takes the pixel (u, v) to (H - v, u), so the new right is the old up, the new down the
    old right.
    """
    import numpy as np

    k, pose = K.copy(), None if T_wc is None else T_wc.copy()
    for _ in range(turn % 4):
        k = np.array([[k[1, 1], 0.0, height - k[1, 2]], [0.0, k[0, 0], k[0, 2]], [0.0, 0.0, 1.0]])
        if pose is not None:
            pose[:, 0], pose[:, 1] = -pose[:, 1], pose[:, 0].copy()
        width, height = height, width
    return k, pose
