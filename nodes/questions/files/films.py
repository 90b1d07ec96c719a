"""Films of questions: evenly spaced frames of a video that lies beside them, as JPEG files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nodes.questions.files.pictures import BadPicture, file_below
from nodes.scenes.scans.video import encode_jpeg, open_video


def film(root: Path | None, path: str, n: int) -> Iterator[bytes]:
    """Yield n frames of a video from its first to its last, evenly spaced in number; all of them where it has fewer.

    Raises:
        BadPicture: there is no such file below the folder, or it is no video, or is broken.
    """
    if root is None:
        raise BadPicture(f"{path[:80]!r}: `path` is a file, expected the folder that holds it and its videos")
    target = file_below(root, path)
    try:
        video = open_video(target)
        last = len(video) - 1
        numbers = sorted({round(k * last / max(1, n - 1)) for k in range(n)})
        for _, rgb in video.frames(numbers):
            yield encode_jpeg(rgb)
    except ValueError as error:
        raise BadPicture(str(error)) from None
