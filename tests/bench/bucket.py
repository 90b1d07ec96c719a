"""Small objects in a bucket: `store.bucket` beside s3fs, `store.filesystem` and bare requests. A piece of shared.py.

They talk to the server without a proxy, from this process: CPU is the client's alone. They take turns, in a new place
each.
"""

from __future__ import annotations

import http.client
import os
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from store.bucket import Bucket
from store.filesystem import FileSystem
from store.many import AT_ONCE, many
from tests.bench.process import measure_well
from tests.bench.server import Server, said

COUNT, SIZE = 1000, 2000
IMPORTS = {
    "Python itself": "pass",
    "store.bucket": "from store.bucket import Bucket; Bucket('s3://bucket/x')",
    "s3fs": "import s3fs; s3fs.S3FileSystem()",
    "store.filesystem": "from store.filesystem import FileSystem; FileSystem('s3://bucket/x')",
}
UNVERIFIED = "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


class Took(NamedTuple):
    """Seconds."""

    wall: float
    cpu: float


def timed(body: Callable[[], Any]) -> Took:
    """Run it; CPU is that of all threads of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    body()
    return Took(time.perf_counter() - wall, time.process_time() - cpu)


class Ours:
    """One of our two kinds of objects."""

    def __init__(self, objects: Bucket | FileSystem) -> None:
        self.put, self.read = objects.create, objects.read
        self._objects = objects

    def put_many(self, objects: dict[str, bytes]) -> None:
        many(lambda name: self.put(name, objects[name]), objects)

    def read_many(self, names: list[str]) -> None:
        many(self.read, names)

    def listed(self) -> int:
        return sum(1 for _ in self._objects.walk("small"))


class S3fs:
    """s3fs by itself; many at a time by its own event loop."""

    def __init__(self, url: str) -> None:
        import s3fs

        self._fs, self._root = s3fs.S3FileSystem(use_listings_cache=False), url.removeprefix("s3://")

    def put(self, name: str, data: bytes) -> None:
        self._fs.pipe_file(f"{self._root}/{name}", data, mode="create")

    def read(self, name: str) -> None:
        self._fs.cat_file(f"{self._root}/{name}")

    def put_many(self, objects: dict[str, bytes]) -> None:
        named = {f"{self._root}/{name}": data for name, data in objects.items()}
        self._fs.pipe(named, batch_size=AT_ONCE, mode="create")

    def read_many(self, names: list[str]) -> None:
        self._fs.cat([f"{self._root}/{name}" for name in names], batch_size=AT_ONCE)

    def listed(self) -> int:
        return len(self._fs.find(f"{self._root}/small", detail=True))


class Bare:
    """The server's floor: http.client with a signature that nobody verifies, connections kept if the server does."""

    def __init__(self, endpoint: str, url: str) -> None:
        self._at, self._own = urllib.parse.urlparse(endpoint), threading.local()
        self._bucket, _, self._prefix = url.removeprefix("s3://").partition("/")

    def put(self, name: str, data: bytes) -> None:
        self._ask("PUT", f"/{self._bucket}/{self._prefix}/{name}", data, {"If-None-Match": "*"})

    def read(self, name: str) -> None:
        self._ask("GET", f"/{self._bucket}/{self._prefix}/{name}")

    def put_many(self, objects: dict[str, bytes]) -> None:
        many(lambda name: self.put(name, objects[name]), objects)

    def read_many(self, names: list[str]) -> None:
        many(self.read, names)

    def listed(self) -> int:
        return self._ask("GET", f"/{self._bucket}?list-type=2&prefix={self._prefix}/small/").count(b"<Key>")

    def _ask(self, method: str, path: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> bytes:
        if not hasattr(self._own, "connection"):
            self._own.connection = http.client.HTTPConnection(self._at.hostname or "", self._at.port)
        self._own.connection.request(method, path, data, {"Authorization": UNVERIFIED} | (headers or {}))
        response = self._own.connection.getresponse()
        assert response.status == 200, response.status
        return response.read()


def small(server: Server, work: Path, repeats: int) -> None:
    """Small objects created, listed and read back, one at a time and many at a time; and what the imports take."""
    if server.scheme != "s3":
        return
    with said(server.environment(server.endpoint)):
        taken: dict[str, dict[str, list[Took]]] = {}
        for _ in range(repeats):
            ways: dict[str, Callable[[str], Any]] = {
                "bare http.client": lambda url: Bare(server.endpoint, url),
                "store.bucket": lambda url: Ours(Bucket(url)),
                "s3fs": S3fs,
                "store.filesystem": lambda url: Ours(FileSystem(url)),
            }
            for name, make in ways.items():
                for operation, took in small_repeat(make, server.new_place):
                    taken.setdefault(name, {}).setdefault(operation, []).append(took)
        print_small(server, taken)
        print_imports(work, repeats)


def small_repeat(make: Callable[[str], Any], new_place: Callable[[], str]) -> Iterator[tuple[str, Took]]:
    """Put, list and read in two new places."""
    objects = {f"small/{n:04d}": os.urandom(SIZE) for n in range(COUNT)}
    one, other = make(new_place()), make(new_place())
    for each in (one, other):  # connections and whatever is made lazily
        each.put("first", b"")
        each.read("first")
    yield "put", timed(lambda: [one.put(name, data) for name, data in objects.items()])
    yield "put, 16", timed(lambda: other.put_many(objects))
    yield "read", timed(lambda: [one.read(name) for name in objects])
    yield "read, 16", timed(lambda: other.read_many(list(objects)))
    assert one.listed() == other.listed() == COUNT
    yield "list", timed(one.listed)


def print_small(server: Server, taken: dict[str, dict[str, list[Took]]]) -> None:
    """Print a row a way: milliseconds of the fastest repeat."""
    operations = list(next(iter(taken.values())))
    titles = [f"{name}{' of all' if name == 'list' else ''}: wall ms | CPU ms" for name in operations]
    print(f"\n| {COUNT:,} objects of {SIZE:,} bytes, {server.name} | {' | '.join(titles)} |")
    print(f"|{'---|' * (1 + 2 * len(operations))}")
    for name, columns in taken.items():
        cells = []
        for operation, times in columns.items():
            share = 1e3 / (1 if operation == "list" else COUNT)
            cells += [min(took.wall for took in times) * share, min(took.cpu for took in times) * share]
        print(f"| {name} | {' | '.join(f'{cell:.2f}' for cell in cells)} |")


def print_imports(work: Path, repeats: int) -> None:
    """Print what it takes to import each and make a client of it, in processes of their own."""
    root = str(Path(__file__).parents[2])
    taken: dict[str, list[Took]] = {}
    for _ in range(max(5, repeats)):
        for name, code in IMPORTS.items():
            used = measure_well([sys.executable, "-c", code], work, PYTHONPATH=root)
            taken.setdefault(name, []).append(Took(used.wall, used.cpu))
    print("\n| import and make a client | wall s, min | CPU s | over Python's own, CPU s |\n|---|---|---|---|")
    own = min(took.cpu for took in taken["Python itself"])
    for name, times in taken.items():
        cpu = min(took.cpu for took in times)
        print(f"| {name} | {min(took.wall for took in times):.2f} | {cpu:.2f} | {cpu - own:.2f} |")
