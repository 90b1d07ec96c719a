"""What names the content of a scanned room: one digest of all its files, or the release that the source goes by.

A listing puts it into `Room.data`, the extraction holds the files to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from graph.node import External
from nodes.scenes.scene import Room
from store.digest import digest

BLOCK = 1 << 20


def content_of(path: External, folder: Path, files: Iterable[Path]) -> dict[str, str]:
    """Return what names these files of a room's folder: `{release}` if the source has one, else `{content}`."""
    return {"release": path.release} if path.release else {"content": digest_files(folder, files)}


def check_content(room: Room, folder: Path, files: Iterable[Path]) -> None:
    """Raise ValueError unless the files are those that were listed; a release is taken at its word."""
    listed = room.data.get("content")
    if listed is not None and digest_files(folder, files) != listed:
        raise ValueError(f"{folder}: its files changed since room {room.id} was listed; list it again")


def room_folder(room: Room, root: Path | None) -> Path:
    """Return where a listed room's files lie. Raises ValueError: no path was given, or the room's leads out of it."""
    if root is None:
        raise ValueError(f"room {room.id}: params.path is absent: source {room.source!r} reads files")
    inner = PurePosixPath(room.data["folder"])
    if inner.is_absolute() or ".." in inner.parts:
        raise ValueError(f"room {room.id}: folder = {room.data['folder']!r}: expected one within {root}")
    return root / inner


def digest_files(folder: Path, files: Iterable[Path]) -> str:
    """Return the digest of names, within the folder, and contents; files are read a part at a time.

    A file that cannot be read counts as that: it fails the extraction of its room, not the listing of all.
    """
    lines = []
    try:
        known = sorted(files)
    except OSError as e:
        return digest(f"unreadable/{e.strerror}".encode())
    for file in known:
        try:
            content = digest_file(file)
        except OSError:
            content = "unreadable"
        lines.append(f"{file.relative_to(folder).as_posix()} {content}")
    return digest("\n".join(["files/1", *lines]).encode())


def digest_file(path: Path) -> str:
    """Return a file's digest, as store.digest's of its bytes in one piece; a block of them is in memory at a time."""
    from blake3 import blake3

    hasher = blake3()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            hasher.update(block)
    return hasher.hexdigest()
