"""Pictures of questions as files: out of a store into a folder, and from files that others wrote into Frames.

A picture goes out as it was recorded (JPEG), or as PNG where it was drawn. One that comes in is decoded whole before it
is believed, within a bound on its bytes and pixels; the bytes of a JPEG are kept, others become JPEG of quality 95.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from nodes.questions.question import GENERAL, Question, Questions
from nodes.scenes.frames import Frames
from store.digest import digest
from store.errors import StoreError

if TYPE_CHECKING:
    from PIL.Image import Image

FOLDER = "frames"
MOST_BYTES = 16 << 20  # of one file
MOST_PIXELS = 40_000_000  # of one picture
FORMATS = ("JPEG", "PNG", "WEBP")
QUALITY = 95


class BadPicture(ValueError):
    """A picture that cannot be taken, with the reason."""


class PictureFiles:
    """Writes the pictures that questions show, each once, below `folder`/frames."""

    def __init__(self, pools: Mapping[str, Questions], folder: Path) -> None:
        self._pools, self._folder = pools, folder
        self._frames: dict[tuple[str, str], Frames | None] = {}
        self._written: dict[tuple[str, ...], str] = {}

    def data(self, place: str, question: Question) -> list[bytes]:
        """Return the files of a question's pictures, in its order; none where the store lacks one of them."""
        frames = self._open(place, question)
        try:
            return [picture_file(frames, index) for index in question.frames] if frames is not None else []
        except (StoreError, IndexError):
            return []

    def paths(self, place: str, question: Question) -> list[str]:
        """Write a question's pictures and return their paths, relative to the folder, as `data` has them."""
        keys = [(place, question.frames_digest, str(index)) for index in question.frames]
        if not all(key in self._written for key in keys):
            name = f"{FOLDER}/{_segment(place)}-{question.frames_digest[:8]}"
            for key, index, data in zip(keys, question.frames, self.data(place, question), strict=False):
                self._written[key] = self._write(f"{name}/{index:04d}", data)
        return [self._written[key] for key in keys if key in self._written]

    def folder_of(self, place: str, question: Question) -> str:
        """Write a question's pictures into a folder of their own, in its order; "" where the store lacks them."""
        shown = ",".join(map(str, question.frames))
        key = (place, question.frames_digest, shown, "folder")
        if key not in self._written:
            name = f"{FOLDER}/{_segment(place)}-{digest(f'{question.frames_digest} {shown}'.encode())[:8]}"
            files = self.data(place, question)
            for number, data in enumerate(files):
                self._write(f"{name}/{number:04d}", data)
            self._written[key] = name if files else ""
        return self._written[key]

    def _open(self, place: str, question: Question) -> Frames | None:
        key = (place, question.frames_digest)
        if key not in self._frames:
            try:
                self._frames[key] = self._pools[place].frames(question.frames_digest) if question.frames else None
            except (StoreError, ValueError):
                self._frames[key] = None
        return self._frames[key]

    def _write(self, name: str, data: bytes) -> str:
        path = name + (".png" if data.startswith(b"\x89PNG") else ".jpg")
        target = self._folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        return path


def picture_file(frames: Frames, index: int) -> bytes:
    """Return a frame as the JPEG that it was recorded as, or as PNG."""
    coded = frames.jpeg(index)
    if coded is not None:
        return coded
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(frames.rgb(index)).save(out, "PNG")
    return out.getvalue()


def _segment(place: str) -> str:
    return place.replace("/", "-") or GENERAL


class Intake:
    """Collects pictures of others as the Frames of one scene; files lie on disk until they are stored."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()
        self._ends: list[int] = []
        self._index: dict[str, int] = {}

    def add(self, data: bytes) -> int:
        """Return the index of a picture, which it has already if it came before. Raises BadPicture."""
        name = digest(data)
        if name not in self._index:
            coded = checked_jpeg(data)
            self._file.write(coded)
            self._ends.append((self._ends[-1] if self._ends else 0) + len(coded))
            self._index[name] = len(self._ends) - 1
        return self._index[name]

    def frames(self) -> Frames | None:
        """Return what was collected; None if that is nothing. They are no video: the time of all is 0."""
        import numpy as np

        if not self._ends:
            return None
        self._file.flush()
        coded = np.memmap(self._file, dtype=np.uint8, mode="r", shape=(self._ends[-1],))
        ends = np.array(self._ends, dtype=np.int64)
        return Frames({"jpeg": coded, "jpeg_end": ends, "time_s": np.zeros(len(ends))})


def read_picture(root: Path, path: str) -> bytes:
    """Return the bytes of a file below a folder.

    Raises:
        BadPicture: the path leads out of the folder, or to nothing, or there are too many bytes.
    """
    target = file_below(root, path)
    try:
        size = target.stat().st_size
        if size > MOST_BYTES:
            raise BadPicture(f"{path[:80]!r} has {size} bytes, expected at most {MOST_BYTES}")
        return target.read_bytes()
    except OSError as error:
        raise BadPicture(f"{path[:80]!r} cannot be read: {error}") from None


def file_below(root: Path, path: str) -> Path:
    """Return a file below a folder. Raises BadPicture: the path leads out of the folder, or to nothing."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path or "\0" in path:
        raise BadPicture(f"path {path[:80]!r}: expected one relative to the folder, without `..`")
    target = root.joinpath(*parts)
    try:
        if not target.resolve().is_relative_to(root.resolve()):
            raise BadPicture(f"path {path[:80]!r} leads out of the folder by a link")
        if not target.is_file():
            raise BadPicture(f"no file {path[:80]!r}")
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise BadPicture(f"{path[:80]!r} cannot be read: {error}") from None
    return target


def checked_jpeg(data: bytes) -> bytes:
    """Return a picture's bytes as JPEG, its own where it is one. Raises BadPicture: it is none, damaged, too large."""
    import warnings

    from PIL import Image

    if len(data) > MOST_BYTES:
        raise BadPicture(f"picture of {len(data)} bytes, expected at most {MOST_BYTES}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own bound is higher than ours
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            if image.width * image.height > MOST_PIXELS:
                raise BadPicture(f"picture of {image.width} x {image.height}, expected at most {MOST_PIXELS} pixels")
            image.load()
    except BadPicture:
        raise
    except Exception as error:  # whatever a decoder makes of damaged bytes
        raise BadPicture(f"no picture ({', '.join(FORMATS)}): {str(error)[:120]}") from None
    return data if image.format == "JPEG" else _as_jpeg(image)


def _as_jpeg(image: Image) -> bytes:
    out = io.BytesIO()
    image.convert("RGB").save(out, "JPEG", quality=QUALITY, subsampling=0)
    return out.getvalue()
