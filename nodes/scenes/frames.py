"""Frames: pictures of one scene with depth, instance ids and cameras; each is read when it is asked for.

Conventions of cameras in camera.py. An artifact of its own, so that a question pool can name frames by their
digest without holding them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from store.artifact import Artifact, Reader, Writer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Arrays:
    """Named arrays that lie in memory or are read from a store once they are asked for."""

    def __init__(self, source: Mapping[str, np.ndarray] | Reader) -> None:
        self._reader = source if isinstance(source, Reader) else None
        self._known: dict[str, np.ndarray] = {} if isinstance(source, Reader) else dict(source)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._known:
            if self._reader is None:
                raise KeyError(name)
            self._known[name] = self._reader.array(name)
        return self._known[name]

    def row(self, name: str, i: int) -> np.ndarray:
        """Return one row of the first dimension without reading the others."""
        if name in self._known or self._reader is None:
            return self[name][i]
        return self._reader.rows(name, i, i + 1)[0]


class Frames(Artifact):
    """F pictures of one scene with depth, instance ids and cameras."""

    type: ClassVar[str] = "frames/1"
    plain: ClassVar[str] = "nodes.plain:write_pictures"
    DIMS: ClassVar[dict[str, tuple[str, ...]]] = {
        "rgb": ("frame", "row", "column", "channel"),
        "depth": ("frame", "row", "column"),
        "instance": ("frame", "row", "column"),
        "K": ("frame", "k_row", "k_column"),
        "T_wc": ("frame", "world", "camera"),
        "time_s": ("frame",),
    }

    def __init__(self, arrays: Mapping[str, np.ndarray] | Reader, invented: bool = False) -> None:
        """Take rgb (F, H, W, 3) u8, depth (F, H, W) f32, instance (F, H, W) u16, K (F, 3, 3), T_wc (F, 4, 4),
        time_s (F,).

        `invented` says that the cameras are ours and no recording's.
        """
        self._arrays = Arrays(arrays)
        self.invented = invented

    def __len__(self) -> int:
        return len(self._arrays["time_s"])

    def rgb(self, i: int) -> NDArray[np.uint8]:
        """Return picture i (H, W, 3), 0..255."""
        return self._arrays.row("rgb", i)

    def depth(self, i: int) -> NDArray[np.float32]:
        """Return depth i (H, W) in metres along the camera's z; 0 where nothing is hit."""
        return self._arrays.row("depth", i)

    def instance(self, i: int) -> NDArray[np.uint16]:
        """Return instance ids i (H, W): 0 background, n + 1 the scene's object n."""
        return self._arrays.row("instance", i)

    @property
    def K(self) -> Floats:
        """Camera matrices (F, 3, 3) in pixels."""
        return self._arrays["K"]

    @property
    def T_wc(self) -> Floats:
        """Camera-to-world poses (F, 4, 4)."""
        return self._arrays["T_wc"]

    @property
    def time_s(self) -> Floats:
        """When each frame was taken (F,), seconds from the first."""
        return self._arrays["time_s"]

    def write(self, w: Writer) -> None:
        w.attrs["invented"] = self.invented
        for name, dims in self.DIMS.items():
            w.array(name, self._arrays[name], dims)

    @classmethod
    def open(cls, r: Reader) -> Self:
        return cls(r, invented=r.attrs["invented"])

    def summary(self) -> dict[str, Any]:
        height, width = self.rgb(0).shape[:2]
        return {"frames": len(self), "height_px": height, "width_px": width, "invented": self.invented}
