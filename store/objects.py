"""Named bytes under one root: the five operations that everything else in the store stands on.

`Objects` is the interface that object stores will offer too. It knows nothing of digests or artifacts. Two ways
to write are all there is: `write` is atomic and for names that fix their content (a second writer brings the same
bytes); `create` is atomic and create-only, the first writer wins. A reader never sees part of a file.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Protocol


class Objects(Protocol):
    """Named bytes; names are `/`-separated relative paths."""

    def read(self, name: str) -> bytes:
        """Return the bytes of `name`. Raises FileNotFoundError."""

    def write(self, name: str, data: bytes) -> None:
        """Write `name` atomically, in place of what was there."""

    def create(self, name: str, data: bytes) -> bool:
        """Write `name` atomically if nothing has that name; tell whether it was written."""

    def exists(self, name: str) -> bool:
        """Tell whether `name` can be read."""

    def list(self, folder: str) -> list[str]:
        """Return the names directly inside `folder`, unsorted; none if there is no such folder."""


class LocalObjects:
    """Objects as files below a folder.

    Bytes go to a temporary name on the same file system first, then `os.replace` (write) or `os.link` (create).
    Nothing is flushed to the disk by hand: every read of content is verified, so a file torn by a power cut reads
    as damaged, never as data.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._prefix = f"{root}/"  # a Path is slow to turn into text, and every operation needs it
        self._nonce = os.urandom(8).hex()
        self._count = itertools.count()

    def read(self, name: str) -> bytes:
        with open(self._prefix + name, "rb", buffering=0) as file:
            return file.readall()

    def write(self, name: str, data: bytes) -> None:
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
        return os.path.exists(self._prefix + name)

    def list(self, folder: str) -> list[str]:
        try:
            return os.listdir(self._prefix + folder)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _write_temporary(self, data: bytes) -> str:
        # The process's number as well: a forked child has the same nonce and count.
        temporary = f"{self._prefix}tmp/{os.getpid()}-{self._nonce}-{next(self._count)}"
        try:
            file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(temporary), exist_ok=True)
            file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(file, rest) :]
        except BaseException:  # a full disk, Ctrl-C
            os.unlink(temporary)
            raise
        finally:
            os.close(file)
        return temporary

    @staticmethod
    def _in_folder(place, temporary: str, target: str) -> None:
        try:
            place(temporary, target)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            place(temporary, target)
