"""Garbage collection beside runs: processes run small specs again and again while gc keeps nothing and hardly waits.

    python -m tests.graph.gc_beside_runs 100          # that many collections, half of them in a folder, half on S3

On S3 each run has a new store of its own before the shared one, and a key. What must hold: no run fails, each gives
the result of an undisturbed one, all that it gave can be read, and in the end nothing there leads to nothing.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import store.tiers
from graph.run import run
from graph.spec import load_spec
from store.condemned import VIEW_S
from store.errors import StoreError
from store.gc import Collector, Tally
from store.numbered import unseal
from store.open import Store, open_store
from store.places import mark_format, open_objects
from store.shared import SharedStore
from store.signed import open_record
from store.trust import Keyring
from tests import services

ROOT = Path(__file__).parents[2]
TOYS = Path(__file__).with_name("toys.py")
RUNNERS = 4
GRACE_S = 1.5
GRACE_S3_S = 4.0  # to push takes a second here, and S3 tells time by the second: grace must be longer
PAUSE_S = 0.5
FIRST = range(12)  # elements begin there: runs share some, and a ref moves from one result to another and back
SPEC = """
[experiment]
name = "NAME"
seed = 7
rounds = 2
[nodes.data]
kind = "TOYS:make_list"
params = { count = 3, size = 1000, first = 0 }
[nodes.scaled]
kind = "TOYS:scale"
inputs = { item = "data" }
params = { factor = 2.5 }
[nodes.sum]
kind = "TOYS:total"
inputs = { items = "scaled" }
[nodes.joined]
kind = "TOYS:join"
inputs = { items = "scaled" }
[nodes.update]
kind = "TOYS:step"
inputs = { before = "update[-1].numbers | joined" }
[nodes.report]
kind = "TOYS:report"
inputs = { rounds = "update[all].numbers" }
"""


def main(count: int) -> None:
    """Collect so often in a folder and so often on S3, and print what came of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"folder: {trial(folder / 'local', str(folder / 'local' / 'store'), count - count // 2)}", flush=True)
        with services.moto() as endpoint:
            services.make_bucket(endpoint, "team")
            os.environ.update(services.s3_environment(endpoint))
            print(f"S3: {trial(folder / 's3', 's3://team/cache', count // 2, GRACE_S3_S)}", flush=True)


def trial(folder: Path, url: str, count: int, grace_s: float = GRACE_S) -> str:
    """Collect `count` times beside runners; raise AssertionError where something does not hold."""
    folder.mkdir(exist_ok=True)
    expected = {first: undisturbed(folder, first) for first in FIRST}
    objects = open_objects(url)
    mark_format(objects)
    began, total, swept = time.monotonic(), Tally(), 0
    with runners(folder, url, expected) as processes:
        for _ in range(count):
            tally = Collector(objects, url, 0.0, grace_s).collect()
            total.deleted += tally.deleted
            total.condemned += tally.condemned
            swept += tally.deleted > 0
            ended = [process for process in processes if process.poll() is not None]
            assert not ended, ended[0].communicate()[1]
            time.sleep(PAUSE_S)
        (folder / "stop").touch()
        told = [process.communicate(timeout=120) for process in processes]
    assert all(process.returncode == 0 for process in processes), told
    check_whole(Store(objects, url))
    runs = [sum(int(out.split()[n]) for out, _ in told) for n in range(2)]
    seconds = time.monotonic() - began
    return (
        f"{count} collections, {swept} of them deleted, {total.deleted} objects of {total.condemned} condemned; beside "
        f"{runs[0]} runs with {runs[1]} executions, all whole; {seconds:.0f} s"
    )


@contextlib.contextmanager
def runners(folder: Path, url: str, expected: dict[int, str]) -> Iterator[list[subprocess.Popen[str]]]:
    """Start processes that run until a file `stop` is there."""
    told = [f"{first}={digest}" for first, digest in expected.items()]
    line = [sys.executable, "-m", "tests.graph.gc_beside_runs", "run", str(folder), url]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen([*line, str(n), *told], cwd=ROOT, env=environment, stdout=-1, stderr=-1, text=True)
        for n in range(RUNNERS)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def runner(folder: Path, url: str, n: int, *told: str) -> None:
    """Run specs of one name, in an order of its own, and check each result as long as its ref stands for it."""
    expected = {int(first): digest for first, digest in (pair.split("=") for pair in told)}
    store.tiers.SHARED_VIEW_S = VIEW_S  # the grace of this trial is not what a team's is
    choice, runs, executed = random.Random(n), 0, 0
    while not (folder / "stop").exists():
        first = choice.choice(FIRST)
        own = open_own(folder / f"own{n}", url)
        result = run(load(folder, f"runner{n}", first), own, [])
        assert result.digest == expected[first], f"{first}: {result.digest}, undisturbed {expected[first]}"
        time.sleep(choice.choice((0.0, 0.0, GRACE_S / 2, 2 * GRACE_S)))
        read(own, result.digest)
        runs, executed = runs + 1, executed + result.computed
    print(runs, executed)


def open_own(folder: Path, url: str) -> Store:
    """Open the store of a run: the one at that URL, or an empty one before it if it is shared."""
    if "://" not in url:
        return open_store(url)
    shutil.rmtree(folder / "store", ignore_errors=True)
    keyring = Keyring.load(folder / "keys")
    if not keyring.own:
        keyring.new(folder.name)
    return open_store(str(folder / "store"), [SharedStore(url, trust="any")], keyring)


def check_whole(there: Store) -> None:
    """Raise AssertionError where a record or a manifest leads to what is not there."""
    for found in there.objects.walk("manifests"):
        read(there, found.name.rpartition("/")[2])
    for found in there.objects.walk("actions"):
        record = open_record(found.name, unseal(there.objects.read(found.name)) or b"")
        assert record is not None and there.manifests.has(record.output), found.name


def read(there: Store, digest: str) -> None:
    """Read all that an artifact leads to. Raises StoreError."""
    for entry in there.manifests.get(digest).entries:
        try:
            if entry.kind in ("artifact", "part"):
                read(there, entry.digest)
            elif entry.kind == "blob":
                there.blobs.get(entry.digest, entry.size)
        except StoreError as error:
            raise AssertionError(f"{entry.key} of {digest[:12]}: {error}") from None


def load(folder: Path, name: str, first: int):
    """Return the spec under a name of its own."""
    path = folder / f"{name}.toml"
    path.write_text(SPEC.replace("TOYS", str(TOYS)).replace("NAME", name))
    return load_spec(path, [f"nodes.data.params.first={first}"])


def undisturbed(folder: Path, first: int) -> str:
    """Return the digest of the result where nobody collects."""
    return run(load(folder, "undisturbed", first), open_store(str(folder / "undisturbed")), []).digest


if __name__ == "__main__":
    if sys.argv[1] == "run":
        runner(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), *sys.argv[5:])
    else:
        main(int(sys.argv[1]))
