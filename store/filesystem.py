"""Objects on any file system that fsspec knows, by its URL: `memory://`, `sftp://`, `hdfs://`, ...

Buckets have `store.bucket`, folders of this machine `store.objects`. What fsspec would write in place is moved there
from a temporary name, so that no reader sees half a file. Not every file system can create a name only if it is free:
`store.tiers` finds out, and does without leases there.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from store.errors import TooLarge, Unacceptable, Unreachable
from store.objects import Found, Objects

T = TypeVar("T")
TRIES = 4
PAUSE_S = 0.1


class FileSystem(Objects):
    """Objects below a URL, by fsspec."""

    is_touched_freely = False

    def __init__(self, url: str) -> None:
        import fsspec

        self.url = url
        try:
            self._fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except Exception as error:  # whatever a file system raises as it is made: a missing package, bad options
            raise Unacceptable(f"store {url!r}: {' '.join(str(error).split())}") from None
        self._prefix = f"{root.rstrip('/')}/"

    def read(self, name: str, limit: int | None = None) -> bytes:
        path = self._prefix + name
        if limit is not None and (size := self._call(name, lambda: self._fs.size(path))) is not None and size > limit:
            raise TooLarge(name, size, limit)
        return self._call(name, lambda: self._fs.cat_file(path))

    def write(self, name: str, data: bytes | memoryview) -> None:
        temporary = f"{self._prefix}tmp/{os.urandom(8).hex()}"
        self._call(name, lambda: self._place(temporary, bytes(data), "overwrite"))
        self._call(name, lambda: self._move(temporary, self._prefix + name))

    def create(self, name: str, data: bytes) -> bool:
        try:
            self._call(name, lambda: self._place(self._prefix + name, data, "create"))
        except FileExistsError:
            # A write that was cut off may have been taken, and the one after it refused.
            return self.read(name) == data
        return True

    def exists(self, name: str) -> bool:
        return self._call(name, lambda: self._fs.exists(self._prefix + name))

    def list(self, folder: str) -> list[str]:
        try:
            paths = self._call(folder, lambda: self._fs.ls(self._prefix + folder, detail=False))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [path.rstrip("/").rpartition("/")[2] for path in paths]

    def walk(self, folder: str) -> Iterator[Found]:
        found = self._call(folder, lambda: self._fs.find(self._prefix + folder, detail=True))
        for path, facts in found.items():
            yield Found(path[len(self._prefix) :], facts["size"], _written(facts))

    def touch(self, name: str) -> bool:
        try:
            self.write(name, self.read(name))
        except FileNotFoundError:
            return False
        return True

    def delete(self, name: str, before: float | None = None) -> bool:
        path = self._prefix + name
        with contextlib.suppress(FileNotFoundError):
            if before is not None and _written(self._call(name, lambda: self._fs.info(path))) >= before:
                return False
            self._call(name, lambda: self._fs.rm_file(path))
        return True

    def _place(self, path: str, data: bytes, mode: str) -> None:
        try:
            self._fs.pipe_file(path, data, mode=mode)
        except FileNotFoundError:
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._fs.pipe_file(path, data, mode=mode)

    def _move(self, temporary: str, path: str) -> None:
        self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        self._fs.mv(temporary, path)

    def _call(self, name: str, operation: Callable[[], T]) -> T:
        """Call an operation, again where it fails; raise what `Objects` says."""
        for attempt in range(TRIES):
            try:
                return operation()
            except (FileNotFoundError, NotADirectoryError, FileExistsError, PermissionError):
                raise
            except Exception as error:  # whatever a file system raises when its server fails
                if attempt + 1 == TRIES:
                    text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
                    raise Unreachable(f"store {self.url}: {text}") from None
                time.sleep(PAUSE_S * 4**attempt)
        raise AssertionError("unreachable")


def _written(facts: dict[str, Any]) -> float:
    """Return when a file was written, in seconds since the epoch; now where the file system does not say."""
    for key in ("mtime", "modified", "last_modified", "LastModified", "created"):
        at = facts.get(key)
        if isinstance(at, datetime.datetime):
            return at.timestamp()
        if isinstance(at, (int, float)):
            return float(at)
    return time.time()
