"""Objects whose traffic is counted: what a run or a command cost in requests and bytes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from store.objects import Found, Objects


class Metered(Objects):
    """Passes everything on. `requests` counts operations, `n_read` and `n_written` bytes at rest."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.requests = self.n_read = self.n_written = 0
        self._lock = threading.Lock()

    @property
    def is_touched_freely(self) -> bool:
        return self.objects.is_touched_freely

    def read(self, name: str, limit: int | None = None) -> bytes:
        self._count()
        data = self.objects.read(name, limit)
        self._count(read=len(data), requests=0)
        return data

    def write(self, name: str, data: bytes | memoryview) -> None:
        self._count(written=len(data))
        self.objects.write(name, data)

    def create(self, name: str, data: bytes) -> bool:
        self._count(written=len(data))
        return self.objects.create(name, data)

    def exists(self, name: str) -> bool:
        self._count()
        return self.objects.exists(name)

    def list(self, folder: str) -> list[str]:
        self._count()
        return self.objects.list(folder)

    def walk(self, folder: str) -> Iterator[Found]:
        self._count()
        return self.objects.walk(folder)

    def touch(self, name: str) -> bool:
        self._count()
        return self.objects.touch(name)

    def delete(self, name: str, before: float | None = None) -> bool:
        self._count()
        return self.objects.delete(name, before)

    def _count(self, read: int = 0, written: int = 0, requests: int = 1) -> None:
        with self._lock:
            self.requests += requests
            self.n_read += read
            self.n_written += written
