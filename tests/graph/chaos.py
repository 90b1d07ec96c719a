"""Chaos: a small run is killed again and again, here a driver, there a worker or a child, until it ends by itself.

    python -m tests.graph.chaos 50          # that many seeds, half of them with a Dask cluster of their own

What must hold: the result is that of an undisturbed run; nothing is executed once its record exists; no process stays.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from store.open import Store, open_store

ROOT = Path(__file__).parents[2]
SLOW = Path(__file__).with_name("slow.py")
KILLS = 4
SLACK_S = 0.02  # from when a body ended to when its record was there
DASK = [sys.executable, "-m", "dask"]
LOOPBACK = ["--dashboard-address", "127.0.0.1:0", "--host", "127.0.0.1"]
SPEC = """
[experiment]
name = "chaos"
rounds = 2
[nodes.list]
kind = "SLOW:make_list"
params = { count = 12 }
[nodes.squares]
kind = "SLOW:square"
inputs = { item = "list" }
params = { seconds = 0.05 }
[nodes.sum]
kind = "SLOW:add"
inputs = { items = "squares" }
[nodes.climb]
kind = "SLOW:climb"
inputs = { before = "climb[-1] | sum" }
params = { count = 10, seconds = 0.05 }
[nodes.aside]
kind = "SLOW:climb"
inputs = { before = "sum" }
params = { count = 20, seconds = 0.04 }
[nodes.all]
kind = "SLOW:add"
inputs = { items = "climb[all]" }
""".replace("SLOW", str(SLOW))


class Trial:
    """One run below a folder, on local children or on a cluster of two workers; `nonce` marks all its processes."""

    def __init__(self, folder: Path, seed: int, is_remote: bool) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.is_remote = is_remote
        self.nonce = secrets.token_hex(8)
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "CHAOS": self.nonce,
            "SLOW_NOTES": str(folder / "notes"),
            "XDG_CONFIG_HOME": str(folder),
        }
        self.spec = folder / "chaos.toml"
        self.spec.write_text(SPEC)
        self.killed: list[str] = []
        self.workers: list[subprocess.Popen] = []

    def run(self) -> str:
        """Run and kill until it ends; return the digest of its result."""
        address = self._start_scheduler() if self.is_remote else ""
        where = f"compute.address={address}" if address else "compute.executor=local"
        line = [sys.executable, "-m", "graph.cli", "run", self.spec, f"--store={self.folder}/store", "--set", where]
        for _ in range(KILLS + 8):
            if address:
                self._mend_cluster(address)
            with self._start(line) as driver:
                while len(self.killed) < KILLS and driver.poll() is None:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        driver.wait(self.random.uniform(0.2, 1.5))
                    self._kill(driver)
                out, err = driver.communicate(timeout=120)
            if driver.returncode == 0:
                return out.split("result ")[1].strip()
            # Where all workers were killed at once, new ones may take longer than the driver waits for the first.
            is_foreseen = driver.returncode == -signal.SIGKILL or "worker lost" in err or "has no workers" in err
            assert is_foreseen, err
        raise AssertionError(f"it never ended: {err}")

    def close(self) -> list[psutil.Process]:
        """Kill the cluster and return the processes of this trial that are there a little later."""
        for process in self.processes("dask"):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        end = time.monotonic() + 10
        while (left := self.processes("")) and time.monotonic() < end:
            time.sleep(0.05)
        return left

    def processes(self, program: str) -> list[psutil.Process]:
        """Return the living processes of this trial whose command line has that word."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                is_ours = process.environ().get("CHAOS") == self.nonce and process.pid != os.getpid()
                if is_ours and process.status() != psutil.STATUS_ZOMBIE and program in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def late(self) -> list[str]:
        """Return what was begun after its record was there: by key, or by element of the map."""
        store = open_store(str(self.folder / "store"))
        written = dict(_written(store))
        notes = [line.split(" ", 1) for line in (self.folder / "notes").read_text().splitlines()]
        return [what for at, what in notes if what in written and int(at) > written[what]]

    def _kill(self, driver: subprocess.Popen) -> None:
        """Kill something that is alive; what runs is not ours to choose, so the seed chooses among what there is."""
        victims = {"driver": [psutil.Process(driver.pid)] if driver.poll() is None else []}
        victims["child"] = self.processes("graph.child")
        victims["worker"] = self.processes("spawn_main")  # below its nanny
        names = [name for name, alive in victims.items() if alive]
        if not names:
            return
        name = self.random.choice(names)
        with contextlib.suppress(psutil.NoSuchProcess):
            self.random.choice(victims[name]).kill()
            self.killed.append(name)

    def _start_scheduler(self) -> str:
        """Start a scheduler and return its address."""
        file = self.folder / "scheduler.json"
        self._start([*DASK, "scheduler", "--port", "0", "--scheduler-file", file, *LOOPBACK])
        while not (file.exists() and file.read_text()):
            time.sleep(0.05)
        return json.loads(file.read_text())["address"]

    def _mend_cluster(self, address: str) -> None:
        """See to it that there are two workers: a nanny starts its worker again, but not one killed as it starts."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < 2:
            options = ["--nthreads", "1", "--local-directory", self.folder, *LOOPBACK]
            self.workers.append(self._start([*DASK, "worker", address, *options]))

    def _start(self, line: list) -> subprocess.Popen:
        log = open(self.folder / "log", "a")
        kept = {} if "dask" not in line else {"stdout": log, "stderr": log}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **kept}
        return subprocess.Popen(line, cwd=ROOT, env=self.environment, text=True, start_new_session=True, **pipes)


def _written(store: Store):
    """Yield when each record was written, in ns, by its key and, of an element of the map, `square <element>`.

    A record that was found is as new as that, so the file's time does not tell.
    """
    for part in store.objects.list("actions"):
        for key in store.objects.list(f"actions/{part}"):
            record = store.records.find(key)
            if "started" not in record.ran:  # that of a whole map
                continue
            started = datetime.datetime.fromisoformat(record.ran["started"])
            at = int((started.timestamp() + record.ran["seconds"] + SLACK_S) * 1e9)
            yield key, at
            if record.action["element"] is not None:
                yield f"square {record.action['element']}", at


def undisturbed(folder: Path) -> str:
    """Run inline and return the digest of the result."""
    trial = Trial(folder, 0, False)
    line = [sys.executable, "-m", "graph.cli", "run", trial.spec, f"--store={folder}/store"]
    done = subprocess.run(line, cwd=ROOT, env=trial.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("result ")[1].strip()


def check(folder: Path, seed: int, expected: str) -> list[str]:
    """Run one trial, remote if the seed is odd, and raise AssertionError where something does not hold."""
    folder.mkdir()
    trial = Trial(folder, seed, seed % 2 == 1)
    try:
        found = trial.run()
    finally:
        left = trial.close()
        lines = [process.cmdline() for process in left]
        for process in left:
            process.kill()
    late = trial.late()
    assert found == expected, f"seed {seed}: {found}, undisturbed {expected}"
    assert not lines, f"seed {seed}: left {lines}"
    assert not late, f"seed {seed}: begun after their records: {late}"
    return trial.killed


def main(count: int) -> None:
    """Run trials of the seeds 0 to `count` and print what was killed in each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "undisturbed").mkdir()
        expected = undisturbed(folder / "undisturbed")
        for seed in range(count):
            killed = check(folder / str(seed), seed, expected)
            print(f"seed {seed}: {'remote' if seed % 2 else 'local'}, killed {', '.join(killed)}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
