"""Named bytes under one root: the few operations that everything else in the store stands on.

`Objects` is the interface of every place: a folder (here), a bucket (`store.bucket`), any file system that fsspec knows
(`store.filesystem`). It knows nothing of digests or artifacts. Two ways to write are all there is: `write` is atomic
and for names that fix their content (a second writer brings the same bytes); `create` is atomic and create-only, the
first writer wins. A reader never sees part of a file.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from store.errors import TooLarge

# Who opens a pipe that nobody writes to would else wait for ever.
READING = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
NO_FILE = (errno.ENOTDIR, errno.ELOOP, errno.ENXIO)  # a file for a folder, a circle of links, a socket

FORBIDDEN = {errno.EPERM, errno.EACCES, errno.EROFS}
TRIES = 10


class Found(NamedTuple):
    """An object that is there: its name, its bytes at rest, and when it was written (seconds since the epoch)."""

    name: str
    size: int
    modified: float


class Objects(Protocol):
    """Named bytes; names are `/`-separated relative paths.

    Every operation raises Unreachable where the place does not answer, and PermissionError where it forbids.
    """

    @property
    def is_touched_freely(self) -> bool:
        """Tell whether to touch a name costs no more than to ask whether it is there."""

    def read(self, name: str, limit: int | None = None) -> bytes:
        """Return the bytes of `name`. Raises FileNotFoundError; TooLarge, unread, where there are over `limit`."""

    def read_into(self, name: str, buffer: memoryview) -> int:
        """Fill `buffer` with the bytes of `name` if they are so many; return their number. Raises FileNotFoundError."""
        data = self.read(name)
        if len(data) == len(buffer):
            buffer[:] = data
        return len(data)

    def write(self, name: str, data: bytes | memoryview) -> None:
        """Write `name` atomically, in place of what was there."""

    def create(self, name: str, data: bytes) -> bool:
        """Write `name` atomically if nothing has that name; tell whether it was written."""

    def exists(self, name: str) -> bool:
        """Tell whether `name` can be read."""

    def list(self, folder: str) -> list[str]:
        """Return the names directly inside `folder`, unsorted; none if there is no such folder."""

    def walk(self, folder: str) -> Iterator[Found]:
        """Yield all objects below `folder`, however deep, in no order; what vanishes meanwhile may be left out."""

    def touch(self, name: str) -> bool:
        """Make `name` as new as if it had been written now; tell whether it is there."""

    def delete(self, name: str, before: float | None = None) -> bool:
        """Delete `name`, if it was written before that time; tell whether it is gone now.

        Only `store.gc` does, and `store.aside` after it has moved the bytes.
        """


class LocalObjects(Objects):
    """Objects as files below a folder.

    Bytes go to a temporary name on the same file system first, then `os.replace` (write) or `os.link` (create).
    Nothing is flushed to the disk by hand: every read of content is verified, so a file torn by a power cut reads
    as damaged, never as data.
    """

    is_touched_freely = True

    def __init__(self, root: Path) -> None:
        self.root = root
        self._prefix = f"{root}/"  # a Path is slow to turn into text, and every operation needs it
        self._nonce = os.urandom(8).hex()
        self._count = itertools.count()

    def read(self, name: str, limit: int | None = None) -> bytes:
        file, size = _open(self._prefix + name)
        try:
            if limit is not None and size > limit:
                raise TooLarge(name, size, limit)
            return _read_all(file, size)
        finally:
            os.close(file)

    def read_into(self, name: str, buffer: memoryview) -> int:
        file, size = _open(self._prefix + name)
        try:
            rest = buffer if size == len(buffer) else buffer[:0]
            while rest and (n := os.readv(file, [rest])):
                rest = rest[n:]
            return size - len(rest)  # cut meanwhile
        finally:
            os.close(file)

    def write(self, name: str, data: bytes | memoryview) -> None:
        temporary = self._write_temporary(data)
        try:
            self._in_folder(os.replace, temporary, self._prefix + name)
        except BaseException:
            os.unlink(temporary)
            raise

    def create(self, name: str, data: bytes) -> bool:
        temporary = self._write_temporary(data)
        try:
            self._in_folder(os.link, temporary, self._prefix + name)
        except FileExistsError:
            return False
        finally:
            os.unlink(temporary)
        return True

    def exists(self, name: str) -> bool:
        return os.path.isfile(self._prefix + name)

    def list(self, folder: str) -> list[str]:
        try:
            return os.listdir(self._prefix + folder)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def walk(self, folder: str) -> Iterator[Found]:
        try:
            entries = list(os.scandir(self._prefix + folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            name = f"{folder}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from self.walk(name)
            elif entry.is_file(follow_symlinks=False):
                try:
                    facts = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield Found(name, facts.st_size, facts.st_mtime)

    def touch(self, name: str) -> bool:
        try:
            os.utime(self._prefix + name)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno not in FORBIDDEN:
                raise
            return self._replace(name)  # somebody else's file, in a folder that may be ours to write
        return self.exists(name)  # a deletion may have moved it away after it was found and before it was touched

    def delete(self, name: str, before: float | None = None) -> bool:
        path = self._prefix + name
        try:
            if before is None:
                os.unlink(path)
            elif not self._delete_older(path, before):
                return False
        except FileNotFoundError:
            return True
        folder = os.path.dirname(name)
        with contextlib.suppress(OSError):  # something is in it
            while "/" in folder:
                os.rmdir(self._prefix + folder)
                folder = os.path.dirname(folder)
        return True

    def _delete_older(self, path: str, before: float) -> bool:
        if os.stat(path).st_mtime >= before:
            return False
        # Out of the way first: who touches it from now on finds nothing, and who did just before shows in its time.
        away = self._temporary()
        os.makedirs(os.path.dirname(away), exist_ok=True)
        os.rename(path, away)
        is_older = os.stat(away).st_mtime < before
        if not is_older:
            with contextlib.suppress(FileExistsError):
                self._in_folder(os.link, away, path)
        os.unlink(away)
        return is_older

    def _replace(self, name: str) -> bool:
        try:
            self.write(name, self.read(name))
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno not in FORBIDDEN:
                raise
            return self.exists(name)
        return True

    def _temporary(self) -> str:
        # The process's number as well: a forked child has the same nonce and count.
        return f"{self._prefix}tmp/{os.getpid()}-{self._nonce}-{next(self._count)}"

    def _write_temporary(self, data: bytes | memoryview) -> str:
        temporary = self._temporary()
        try:
            file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(temporary), exist_ok=True)
            file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(file, rest) :]
        except BaseException as error:  # a full disk, Ctrl-C
            os.unlink(temporary)
            if isinstance(error, OSError):
                error.filename = str(self.root)
            raise
        finally:
            os.close(file)
        return temporary

    @staticmethod
    def _in_folder(place, temporary: str, target: str) -> None:
        for _ in range(TRIES):  # gc removes folders that are empty, maybe the one that was just made
            with contextlib.suppress(FileNotFoundError):
                return place(temporary, target)
            with contextlib.suppress(FileNotFoundError):
                os.makedirs(os.path.dirname(target), exist_ok=True)
        place(temporary, target)


def _read_all(file: int, size: int) -> bytes:
    """Return the first `size` bytes: a file that grows meanwhile must not get past a limit."""
    data = os.read(file, size)
    if len(data) == size:
        return data
    pieces, rest = [data], size - len(data)
    while rest and pieces[-1]:  # one read gives 2 GiB at most
        pieces.append(os.read(file, rest))
        rest -= len(pieces[-1])
    return b"".join(pieces)


def _open(path: str) -> tuple[int, int]:
    """Open a regular file; return its descriptor and size. Raises FileNotFoundError for anything else."""
    try:
        file = os.open(path, READING)
    except OSError as error:
        if error.errno in NO_FILE:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from None
        raise
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode):
        os.close(file)
        raise FileNotFoundError(errno.ENOENT, "no regular file", path)
    return file, status.st_size
