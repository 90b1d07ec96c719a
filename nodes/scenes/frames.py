"""Frames: pictures of one scene, with what is known of each: depth, instance ids, cameras; read when asked for.

Conventions of cameras in camera.py. An artifact of its own, so that a question pool can name frames by their
digest without holding them. Recorded pictures keep the bytes they came in (JPEG, `jpeg` and `jpeg_end`) and are decoded
when one is asked for; drawn ones are arrays (`rgb`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from store.artifact import Artifact, Reader, Writer
from store.terms import FREE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Arrays:
    """Named arrays that lie in memory or are read from a store once they are asked for."""

    def __init__(self, source: Mapping[str, np.ndarray] | Reader) -> None:
        self._reader = source if isinstance(source, Reader) else None
        self._known: dict[str, np.ndarray] = {} if isinstance(source, Reader) else dict(source)
        self._chunks: dict[str, tuple[int, np.ndarray]] = {}  # name -> first row and rows of the chunk last read

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._known:
            if self._reader is None:
                raise KeyError(name)
            self._known[name] = self._reader.array(name)
        return self._known[name]

    def __contains__(self, name: str) -> bool:
        if name in self._known:
            return True
        return self._reader is not None and self._reader.has(f"{name}/zarr.json")

    def row(self, name: str, i: int) -> np.ndarray:
        """Return one row of the first dimension without reading the others."""
        if name in self._known or self._reader is None:
            return self[name][i]
        return self._reader.rows(name, i, i + 1)[0]

    def row_of_many(self, name: str, i: int) -> np.ndarray:
        """Return one row as `row` does, and keep the rows that had to be read with it for the next one."""
        if name in self._known or self._reader is None:
            return self[name][i]
        start, rows = self._chunks.get(name, (0, ()))
        if not 0 <= i - start < len(rows):
            start, stop = self._reader.chunk_rows(name, i)
            rows = self._reader.rows(name, start, stop)
            self._chunks[name] = start, rows
        return rows[i - start]

    def slice(self, name: str, start: int, end: int) -> np.ndarray:
        """Return rows [start, end) of the first dimension without reading the others."""
        if name in self._known or self._reader is None:
            return self[name][start:end]
        return self._reader.rows(name, start, end)


class Frames(Artifact):
    """F pictures of one scene; depth, instance ids and cameras where the source has them."""

    type: ClassVar[str] = "frames/1"
    plain: ClassVar[str] = "nodes.plain:write_pictures"
    DIMS: ClassVar[dict[str, tuple[str, ...]]] = {
        "rgb": ("frame", "row", "column", "channel"),
        "jpeg": ("byte",),
        "jpeg_end": ("frame",),
        "depth": ("frame", "row", "column"),
        "instance": ("frame", "row", "column"),
        "K": ("frame", "k_row", "k_column"),
        "T_wc": ("frame", "world", "camera"),
        "time_s": ("frame",),
        "number": ("frame",),
    }

    def __init__(self, arrays: Mapping[str, np.ndarray] | Reader, invented: bool = False, terms: str = "") -> None:
        """Take time_s (F,) and colours: rgb (F, H, W, 3) u8, or jpeg (B,) u8, files end to end, with jpeg_end (F,) i64.

        And what there is of depth (F, H, W) f32, instance (F, H, W) u16, K (F, 3, 3) and T_wc (F, 4, 4) together,
        number (F,) i64, the frames' own numbers in their recording. Depth and ids may be smaller than the colours;
        K belongs to the colours. `invented` says that the cameras are ours and no recording's; `terms` whose data they
        show, for stores that may not pass it on.
        """
        self._arrays = Arrays(arrays)
        self._sizes: dict[int, tuple[int, int]] = {}
        self.invented, self.terms = invented, terms

    def __len__(self) -> int:
        return len(self._arrays["time_s"])

    def has(self, name: str) -> bool:
        """Tell whether the frames have `depth`, `instance`, `T_wc` or another of the arrays."""
        return name in self._arrays

    def rgb(self, i: int) -> NDArray[np.uint8]:
        """Return picture i (H, W, 3), 0..255."""
        coded = self.jpeg(i)
        if coded is None:
            return self._arrays.row("rgb", i)
        import io

        import numpy as np
        from PIL import Image

        return np.asarray(Image.open(io.BytesIO(coded), formats=("JPEG",)).convert("RGB"))

    def size(self, i: int) -> tuple[int, int]:
        """Return (width, height) of picture i. Those of a recording are alike; pictures that came in files need not."""
        place = i if self.has("jpeg_end") and not self.time_s.any() else 0
        if place not in self._sizes:
            self._sizes[place] = self._read_size(place)
        return self._sizes[place]

    def _read_size(self, i: int) -> tuple[int, int]:
        coded = self.jpeg(i)
        if coded is None:
            height, width = self._arrays.row("rgb", i).shape[:2]
            return width, height
        import io

        from PIL import Image

        return Image.open(io.BytesIO(coded), formats=("JPEG",)).size  # its header says it, nothing is decoded

    def jpeg(self, i: int) -> bytes | None:
        """Return the file that picture i was recorded as; None for drawn ones."""
        if not self.has("jpeg_end"):
            return None
        ends = self._arrays["jpeg_end"]
        start = int(ends[i - 1]) if i else 0
        return self._arrays.slice("jpeg", start, int(ends[i])).tobytes()

    def depth(self, i: int) -> NDArray[np.float32]:
        """Return depth i (H, W) in metres along the camera's z; 0 where nothing is hit."""
        return self._arrays.row_of_many("depth", i)

    def instance(self, i: int) -> NDArray[np.uint16]:
        """Return instance ids i (H, W): 0 background, n + 1 the scene's object n."""
        return self._arrays.row_of_many("instance", i)

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
        if self.terms not in FREE:
            w.attrs["terms"] = self.terms
        for name, dims in self.DIMS.items():
            if self.has(name):
                w.array(name, self._arrays[name], dims)

    @classmethod
    def open(cls, r: Reader) -> Self:
        return cls(r, invented=r.attrs["invented"], terms=r.attrs.get("terms", ""))

    def summary(self) -> dict[str, Any]:
        height, width = self.rgb(0).shape[:2]
        known = [name for name in ("depth", "instance", "T_wc") if self.has(name)]
        return {"frames": len(self), "height_px": height, "width_px": width, "known": known, "invented": self.invented}
