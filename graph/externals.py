"""Externals: the content digest of a file or folder outside the store.

Digests of files are remembered by path, size, time of change and inode, as git's index does, so that a large folder is
read once. A file changed within the last two seconds is not remembered: another change may leave the same time.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import msgspec

from graph.memo import memo_path, write_memo
from graph.node import External
from store.digest import digest


class ExternalChanged(Exception):
    """What lies outside the store is not what the key says."""


RACY_NS = 2_000_000_000
Stamp = tuple[int, int, int]

_known: dict[str, tuple[Stamp, str]] = {}
_is_loaded = _is_changed = False


def digest_external(external: External) -> External:
    """Return it with its digest: of its content, or of the name that stands for it. Raises OSError."""
    if external.release:
        os.stat(external.path)
        return External(external.path, digest(f"release/1/{external.release}".encode()), external.release)
    return External(external.path, digest_path(external.path))


def digest_path(path: Path) -> str:
    """Return the content digest of a file, or of a folder's relative names and contents. Raises OSError."""
    _load()
    if not path.is_dir():
        found = _digest_file(path)
    else:
        files = sorted(inner for inner in path.rglob("*") if inner.is_file())
        listing = [(inner.relative_to(path).as_posix(), _digest_file(inner)) for inner in files]
        found = digest(msgspec.json.encode(listing))
    _save()
    return found


def check_externals(params: msgspec.Struct) -> None:
    """Raise ExternalChanged where a file or folder is not what its digest says any more."""
    for name in params.__struct_fields__:
        value = getattr(params, name)
        if isinstance(value, External) and digest_external(value).digest != value.digest:
            raise ExternalChanged(f"{value.path} was changed during the run: nothing of this action is kept")


def _digest_file(path: Path) -> str:
    stat = os.stat(path)
    stamp = (stat.st_ctime_ns, stat.st_size, stat.st_ino)  # not the mtime, which `cp -p` and `touch` set
    held = _known.get(str(path))
    if held is not None and held[0] == stamp:
        return held[1]
    with open(path, "rb") as file:
        found = digest(file.read())
    if time.time_ns() - stat.st_ctime_ns > RACY_NS:
        global _is_changed
        _is_changed = True
        _known[str(path)] = (stamp, found)
    return found


def _load() -> None:
    global _is_loaded
    if not _is_loaded:
        _is_loaded = True
        with contextlib.suppress(OSError, msgspec.MsgspecError), open(memo_path("externals", "index"), "rb") as file:
            _known.update(msgspec.msgpack.decode(file.read(), type=dict[str, tuple[Stamp, str]]))


def _save() -> None:
    global _is_changed
    if _is_changed:
        _is_changed = False
        write_memo(memo_path("externals", "index"), msgspec.msgpack.encode(_known))
