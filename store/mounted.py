"""A shared store in a folder that many machines mount: where it fails, that is a store that does not answer.

The same errors of the user's own store end a run; here the work goes on without it.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

from store.errors import Unreachable
from store.objects import Found, LocalObjects


class Mounted(LocalObjects):
    """Objects below a folder of others, which may be full, read-only, or gone."""

    def read(self, name: str, limit: int | None = None) -> bytes:
        with self._translated(is_reading=True):
            return super().read(name, limit)

    def read_into(self, name: str, buffer: memoryview) -> int:
        with self._translated(is_reading=True):
            return super().read_into(name, buffer)

    def write(self, name: str, data: bytes | memoryview) -> None:
        with self._translated():
            super().write(name, data)

    def create(self, name: str, data: bytes) -> bool:
        with self._translated():
            return super().create(name, data)

    def list(self, folder: str) -> list[str]:
        with self._translated():
            return super().list(folder)

    def walk(self, folder: str) -> Iterator[Found]:
        with self._translated():
            yield from super().walk(folder)

    def touch(self, name: str) -> bool:
        with self._translated():
            return super().touch(name)

    def delete(self, name: str, before: float | None = None) -> bool:
        with self._translated():
            return super().delete(name, before)

    @contextlib.contextmanager
    def _translated(self, is_reading: bool = False) -> Iterator[None]:
        try:
            yield
        except PermissionError:
            raise
        except OSError as error:
            if is_reading and isinstance(error, FileNotFoundError):
                raise
            if error.errno == errno.EROFS:
                raise PermissionError(errno.EACCES, "permission denied", str(self.root)) from None
            raise Unreachable(f"store {self.root}: {(error.strerror or str(error)).lower()}") from None
