"""Chaos at a shared store: who pushes is killed again and again; who comes after finds whole things, and the rest made.

    python -m tests.graph.chaos_shared 50          # that many seeds

What must hold after each kill: in the shared store every manifest has all that it names, and every record its output;
the one who comes after gives the result of an undisturbed run, waits for no dead one for long, and says no error.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from store.manifest import decode
from store.open import Store, open_store
from store.records import decode_record
from store.signing import open_signed
from store.trust import Keyring

ROOT = Path(__file__).parents[2]
TOYS = Path(__file__).with_name("toys.py")
# A waiter takes over after 1.5 s, not 20; the process kills itself before its n-th step at the shared store.
PROGRAM = """
import itertools, os, signal
from store.leases import Leases
from store.metered import Metered
steps, count = itertools.count(1), Metered._count
def step(self, *counted, **more):
    if next(steps) == int(os.environ["KILL_AT"]):
        os.kill(os.getpid(), signal.SIGKILL)
    count(self, *counted, **more)
Metered._count = step
Leases.__init__.__defaults__ = (1.5, 0.3)
from graph.cli import script
script()
"""
SPEC = """
[experiment]
name = "chaos"
[nodes.data]
kind = "TOYS:make_list"
params = { count = 12, size = 5000 }
[nodes.scaled]
kind = "TOYS:scale"
inputs = { item = "data" }
[nodes.sum]
kind = "TOYS:total"
inputs = { items = "scaled" }
""".replace("TOYS", str(TOYS))


class Trial:
    """Two people with a key of their own, who trust each other, and a shared folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shared = folder / "team"
        self.spec = folder / "chaos.toml"
        self.spec.write_text(SPEC)
        keyrings = {name: Keyring.load(folder / name / "dataflow" / "keys") for name in ("ann", "ben")}
        for name, keyring in keyrings.items():
            keyring.new(name)
            (folder / name / "dataflow" / "config.toml").write_text(f'[store]\nshared = ["{self.shared}"]\n')
        keyrings["ann"].trust(keyrings["ben"].own, "ben")
        keyrings["ben"].trust(keyrings["ann"].own, "ann")

    def start(self, name: str, kill_at: int = 0) -> subprocess.Popen[str]:
        """Start the run as one of them, to be killed before that step."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "KILL_AT": str(kill_at),
            "XDG_CONFIG_HOME": str(self.folder / name),
        }
        line = [sys.executable, "-c", PROGRAM, "run", self.spec, "--store", self.folder / name / "store"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(line, cwd=ROOT, env=environment, start_new_session=True, **pipes)  # type: ignore[call-overload]

    def end(self, name: str) -> str:
        """Run to the end and return the digest of the result."""
        out, said = self.start(name).communicate(timeout=60)
        assert "result " in out and "went on without" not in out and "Error" not in said, out + said
        return out.split("result ")[1].split()[0]


def find_torn(store: Store) -> list[str]:
    """Return what a shared store names and has not, or not whole."""
    torn: list[str] = []
    for found in store.objects.walk("manifests"):
        for entry in decode(store.manifests.read(found.name.rpartition("/")[2])).entries:
            is_there = {"blob": store.blobs.has, "artifact": store.manifests.has, "part": store.manifests.has}
            if entry.kind != "inline" and not is_there[entry.kind](entry.digest):
                torn.append(f"{found.name}: {entry.key}")
    for found in store.objects.walk("actions"):
        record = decode_record(open_signed(found.name, store.objects.read(found.name).split(b"\n", 1)[1]).body)
        torn += (
            [found.name for name in (record.output, record.source) if not store.manifests.has(name)] if record else []
        )
    return torn


def check(folder: Path, seed: int, expected: str) -> int:
    """Kill a few who push, look, and let the other one end it; return how many records the killed had sent."""
    folder.mkdir()
    trial, draw = Trial(folder), random.Random(seed)
    for name in ("ann", "ben", "ann"):
        trial.start(name, draw.randrange(10, 400)).communicate(timeout=60)
        assert not (torn := find_torn(open_store(str(trial.shared)))), f"seed {seed}: {torn}"
    n_sent = sum(1 for _ in open_store(str(trial.shared)).objects.walk("actions"))
    for name in ("ben", "ann"):
        assert (found := trial.end(name)) == expected, f"seed {seed}: {name} got {found}, undisturbed {expected}"
    assert not find_torn(open_store(str(trial.shared)))
    return n_sent


def main(count: int) -> None:
    """Run trials of the seeds 0 to `count` and print how many records were there before anybody came to an end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "undisturbed").mkdir()
        expected = Trial(folder / "undisturbed").end("ann")
        for seed in range(count):
            print(f"seed {seed}: {check(folder / str(seed), seed, expected)} records of killed ones", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
