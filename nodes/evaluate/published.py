"""Benchmarks on the hub: their files laid out in one folder, archives of pictures and videos unpacked beside them."""

from __future__ import annotations

import os
import shutil
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from nodes.hub import download
from nodes.questions.files.load import SUFFIXES, VIDEOS

MOST_BYTES = 1 << 38  # that an archive holds, unpacked
SHOWN = SUFFIXES | VIDEOS


def lay_out(hub: str, revision: str, files: Sequence[str], with_pictures: bool, folder: Path) -> bool:
    """Put a benchmark's files into a folder as its rows name them; tell whether they are all there.

    They may be a part where the hub cannot be reached: its cache does not know what else there is.

    Args:
        files: names of the files of rows.
        with_pictures: bring pictures, videos and archives of them too.
    Raises:
        ValueError: the hub does not give it, or an archive is none or holds too much.
    """
    shown = [f"*{suffix}" for suffix in (*sorted(SHOWN), ".zip")] if with_pictures else []
    source, is_whole = download("dataset", hub, revision, [*files, *shown], "path")
    for path in sorted(source.rglob("*")):
        if path.is_file() and path.suffix != ".zip":
            _link(path, folder / path.relative_to(source))
    for path in sorted(source.rglob("*.zip")) if with_pictures else ():
        _unpack(path, folder / path.parent.relative_to(source), f"hub dataset {hub!r}: {path.relative_to(source)}")
    return is_whole


def _link(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # of a killed run
    try:
        os.link(path.resolve(), target)  # the cache's own are links to what it holds
    except OSError:
        shutil.copyfile(path, target)


def _is_wanted(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in SHOWN and not path.is_absolute() and ".." not in path.parts


def _unpack(path: Path, folder: Path, told: str) -> None:
    """Unpack the pictures and videos of an archive; names that lead out of the folder are passed over."""
    try:
        with zipfile.ZipFile(path) as archive:
            wanted = [item for item in archive.infolist() if _is_wanted(item.filename)]
            if sum(item.file_size for item in wanted) > MOST_BYTES:
                raise ValueError(f"{told}: unpacks to more than {MOST_BYTES} bytes")
            for item in wanted:
                (folder / item.filename).unlink(missing_ok=True)  # it may be a link to what the cache holds
                archive.extract(item, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise ValueError(f"{told}: {' '.join(str(error).split())}") from error
