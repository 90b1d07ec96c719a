"""One large artifact to a bucket and from it, beside the same bytes put and read bare. A piece of shared.py.

They talk to the server without a proxy, from this process, and take turns. `push` reads and verifies what it sends,
`pull` verifies and writes to the local store; bare requests do neither. Nobody calls fsync.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from store.artifact import Artifact, Reader, Writer
from store.bucket import Bucket
from store.checkpoint import read_tensors, write_tensors
from store.many import many
from store.open import Store, open_store
from store.shared import SharedStore
from store.transfer import pull, push
from store.trust import Keyring
from tests import services
from tests.bench.bucket import Took, timed
from tests.bench.server import Server, said

TENSORS, ROWS = 20, 2500  # of 1000 float32: 10 MB each


class Weights(Artifact):
    """Tensors and nothing else."""

    type = "bench weights/1"

    def __init__(self, tensors: dict[str, Any]) -> None:
        self.tensors = tensors

    def write(self, w: Writer) -> None:
        write_tensors(w, "tensors", self.tensors)

    @classmethod
    def open(cls, r: Reader) -> Weights:
        return cls(read_tensors(r, "tensors"))


def large(server: Server, work: Path, repeats: int) -> None:
    """One artifact of 200 MB sent and brought, beside the same bytes put and read bare; and sent again, changed."""
    import numpy as np

    if server.root:
        return
    source = np.random.default_rng(0)
    tensors = {f"t{n:02d}": source.standard_normal((ROWS, 1000), dtype=np.float32) for n in range(TENSORS)}
    changed = {**tensors, "t00": tensors["t00"] + 1}
    mb = sum(values.nbytes for values in tensors.values()) / 1e6
    keys = work / "large-keys"
    Keyring.load(keys).new("bench")
    taken: dict[str, list[Took]] = {}
    with said(server.environment(server.endpoint)):
        for repeat in range(repeats):
            for name, took in large_repeat(server, work / f"large{repeat}", keys, tensors):
                taken.setdefault(name, []).append(took)
    print(f"\n| {mb:.0f} MB in {TENSORS} tensors, {server.name} | wall s, min | MB/s | median | CPU s | of row above |")
    print("|---|---|---|---|---|---|")
    bare = 0.0
    for name, times in taken.items():
        wall, cpu = min(took.wall for took in times), min(took.cpu for took in times)
        is_ours = name in ("push", "pull")
        bare = bare if is_ours else wall
        ratio = f"{bare / wall:.2f}" if is_ours else ""
        speeds = f"{mb / wall:.0f} | {mb / median(took.wall for took in times):.0f}"
        print(f"| {name} | {wall:.2f} | {speeds} | {cpu:.2f} | {ratio} |")
    print_changed(server, work, keys, [tensors, changed, changed])


def large_repeat(server: Server, folder: Path, keys: Path, tensors: dict[str, Any]) -> Iterator[tuple[str, Took]]:
    """Put bare and push, then read bare and pull."""
    url, bare = server.new_place(), Bucket(server.new_place())
    data = b"".join(values.tobytes() for values in tensors.values())
    pieces = {name: values.tobytes() for name, values in tensors.items()}
    here, there = open_beside(folder / "here", url, keys), open_beside(folder / "there", url, keys)
    digest = here.put(Weights(tensors))
    assert here.tiers is not None
    tier = here.tiers.all[0]
    yield "obstore, one PUT in parts", timed(lambda: bare.write("all", data))
    yield (
        f"obstore, {TENSORS} PUTs, 16 at a time",
        timed(lambda: many(lambda name: bare.write(name, pieces[name]), pieces)),
    )
    yield "push", timed(lambda: push(here, tier, digest))
    yield "obstore, one GET", timed(lambda: bare.read("all"))
    yield f"obstore, {TENSORS} GETs, 16 at a time", timed(lambda: many(bare.read, pieces))
    yield "pull", timed(lambda: pull(there, [digest]))
    assert there.open(digest, Weights).tensors["t00"].tobytes() == pieces["t00"]
    remote = Bucket(url)
    for objects in (bare, remote):  # the server holds all of it in memory
        for found in list(objects.walk("")):
            objects.delete(found.name)


def print_changed(server: Server, work: Path, keys: Path, versions: list[dict[str, Any]]) -> None:
    """Print what travels for each version after the one before."""
    proxy, url = services.Proxy(server.endpoint), server.new_place()
    print("\n| pushed one after another | requests | MB up | MB down |\n|---|---|---|---|")
    with said(server.environment(proxy.endpoint)):
        store = open_beside(work / "changed", url, keys)
        assert store.tiers is not None
        for name, tensors in zip(("new", f"1 of {TENSORS} tensors changed", "the same again"), versions):
            digest = store.put(Weights(tensors))
            proxy.forget()
            push(store, store.tiers.all[0], digest)
            print(f"| {name} | {proxy.n} | {proxy.bytes_in / 1e6:.3f} | {proxy.bytes_out / 1e6:.3f} |")
    proxy.close()


def open_beside(folder: Path, url: str, keys: Path) -> Store:
    """Open a local store with a shared one behind it."""
    return open_store(str(folder), [SharedStore(url)], Keyring.load(keys))
