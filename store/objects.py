"""Named bytes under one root: the five operations that everything else in the store stands on.

`Objects` is the interface that object stores will offer too. It knows nothing of digests or artifacts. Two ways
to write are all there is: `write` is atomic and for names that fix their content (a second writer brings the same
bytes); `create` is atomic and create-only, the first writer wins. A reader never sees part of a file.
"""

from __future__ import annotations

import os
import secrets
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

    def read(self, name: str) -> bytes:
        with open(f"{self.root}/{name}", "rb") as file:
            return file.read()

    def write(self, name: str, data: bytes) -> None:
        temporary = self._write_temporary(data)
        try:
            self._in_folder(os.replace, temporary, f"{self.root}/{name}")
        except BaseException:
            os.unlink(temporary)
            raise

    def create(self, name: str, data: bytes) -> bool:
        temporary = self._write_temporary(data)
        try:
            self._in_folder(os.link, temporary, f"{self.root}/{name}")
        except FileExistsError:
            return False
        finally:
            os.unlink(temporary)
        return True

    def exists(self, name: str) -> bool:
        return os.path.exists(f"{self.root}/{name}")

    def list(self, folder: str) -> list[str]:
        try:
            return os.listdir(f"{self.root}/{folder}")
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _write_temporary(self, data: bytes) -> str:
        temporary = f"{self.root}/tmp/{os.getpid()}-{secrets.token_hex(8)}"
        try:
            file = open(temporary, "xb")
        except FileNotFoundError:
            os.makedirs(os.path.dirname(temporary), exist_ok=True)
            file = open(temporary, "xb")
        try:
            with file:
                file.write(data)
        except BaseException:  # a full disk, Ctrl-C
            os.unlink(temporary)
            raise
        return temporary

    @staticmethod
    def _in_folder(place, temporary: str, target: str) -> None:
        try:
            place(temporary, target)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            place(temporary, target)
