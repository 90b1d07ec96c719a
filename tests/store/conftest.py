"""A forger: whoever may write to a store that others read, and names digests that are right."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from store.bucket import Bucket
from store.digest import digest
from store.filesystem import FileSystem
from store.manifest import INLINE_BELOW, MAGIC, Entry
from store.objects import LocalObjects
from store.open import Store, open_store
from tests.store.yard import PLACES, Lab

ROOT = Path(__file__).parents[2]
GROUP = b'{"attributes":{},"node_type":"group","zarr_format":3}'

# What a victim runs: memory that it may ask for is bounded, and what it came to use is told.
VICTIM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
from store.errors import StoreError
from store.open import open_store
store = open_store(sys.argv[1])
try:
    print(eval(sys.argv[2]))
except StoreError as error:
    print(f"{type(error).__name__}: {error}")
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


class Forge:
    """Puts bytes into a store as they are, under the digest that they have; nothing of them is checked."""

    def __init__(self, folder: Path) -> None:
        self.store: Store = open_store(str(folder))

    def manifest(self, entries, type="thing/1", is_split=False) -> str:
        """Write a manifest of these entries, in the order in which they come."""
        return self.plant(MAGIC + msgspec.msgpack.encode([type, is_split, entries]))

    def plant(self, data: bytes) -> str:
        """Write bytes where a manifest of their digest is looked for."""
        name = digest(data)
        self.store.objects.write(f"manifests/{name[:2]}/{name}", data)
        return name

    def blob(self, data: bytes, at_rest: bytes | None = None, size: int | None = None) -> tuple[str, str, int]:
        """Write a blob, or another file as its packed form; return kind, digest and size for an entry."""
        name = digest(data)
        path = f"cas/{name[:2]}/{name}"
        self.store.objects.write(path if at_rest is None else f"{path}.zst", data if at_rest is None else at_rest)
        return "blob", name, len(data) if size is None else size

    def artifact(self, files: dict[str, bytes], type="thing/1", group: bytes = GROUP) -> str:
        """Write an artifact of files that hold what they hold."""
        entries = [
            Entry(key, "inline", digest(data), len(data), data)
            if len(data) < INLINE_BELOW
            else Entry(key, *self.blob(data))
            for key, data in sorted({"zarr.json": group, **files}.items(), key=lambda item: item[0].encode())
        ]
        return self.manifest(entries, type)

    def attack(self, expression: str) -> tuple[str, int]:
        """Evaluate an expression of `store` in a process of its own; return what it said, and its peak in MB."""
        line = [sys.executable, "-c", VICTIM, self.store.url, expression]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(line, capture_output=True, text=True, timeout=120, env=environment, cwd=ROOT)
        if done.returncode:
            return done.stderr.strip().splitlines()[-1] if done.stderr else f"died of {-done.returncode}", 0
        said, peak_kb = done.stdout.rstrip().rsplit("\n", 1)
        return said, int(peak_kb) // 1024


@pytest.fixture
def forge(tmp_path) -> Forge:
    return Forge(tmp_path / "store")


@pytest.fixture(params=PLACES)
def anywhere(request, tmp_path):
    match request.param:
        case "folder":
            return Lab(LocalObjects(tmp_path))
        case "memory":
            return Lab(FileSystem(f"memory://{os.urandom(4).hex()}/cache"))
        case name:
            return Lab(Bucket(request.getfixturevalue(name).url))


@pytest.fixture
def lab(tmp_path):
    return Lab(LocalObjects(tmp_path))
