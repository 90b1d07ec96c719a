"""What following a run costs it: a spec in fresh stores, alone and with `dataflow ui` and one who watches, in turn.

python -m tests.bench.ui [SPEC] [TIMES]
"""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main(spec: str = "specs/smoke.toml", times: str = "5") -> None:
    """Print the seconds of each, and how the medians compare."""
    took: dict[bool, list[float]] = {False: [], True: []}
    pages = 0
    for turn in range(2 * int(times)):
        is_watched = turn % 2 == 1
        with (
            tempfile.TemporaryDirectory() as store,
            watching(store) if is_watched else contextlib.nullcontext([]) as seen,
        ):
            start = time.monotonic()
            subprocess.run([*command("run"), spec], cwd=ROOT, env=environment(store), capture_output=True, check=True)
            took[is_watched].append(time.monotonic() - start)
        pages += len(seen)
    for is_watched, seconds in took.items():
        told = " ".join(f"{one:.2f}" for one in sorted(seconds))
        print(f"{'watched' if is_watched else 'alone':8} {told}  median {statistics.median(seconds):.2f} s")
    ratio = statistics.median(took[True]) / statistics.median(took[False])
    print(f"watched / alone: {ratio:.3f}; {pages / int(times):.1f} pages a run")


@contextlib.contextmanager
def watching(store: str) -> Iterator[list[str]]:
    """Serve a store, and fetch the page of its first run whenever it says more; give the pages."""
    server = subprocess.Popen(
        [*command("ui"), "--port", "0"], env=environment(store), stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert server.stdout is not None
    address = server.stdout.readline().strip().rstrip("/")
    pages: list[str] = []
    watcher = threading.Thread(target=_watch, args=(address, Path(store), pages), daemon=True)
    watcher.start()
    try:
        yield pages
        watcher.join(30)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(10)


def _watch(address: str, store: Path, pages: list[str]) -> None:
    while not (runs := list((store / "runs").glob("*/root.json"))):
        time.sleep(0.1)
    page = f"{address}/runs/{runs[0].parent.name}"
    pages.append(urllib.request.urlopen(page).read())
    with urllib.request.urlopen(f"{page}/events") as events:
        for line in events:
            if line.strip() == b"event: page":
                pages.append(urllib.request.urlopen(page).read())
            if line.strip() == b"event: end":
                return


def command(name: str) -> list[str]:
    """Return the start of a command line."""
    return [sys.executable, "-m", "graph.cli", name]


def environment(store: str) -> dict[str, str]:
    """Return the variables of a process whose store is that."""
    return {**os.environ, "DATAFLOW_STORE": store}


if __name__ == "__main__":
    main(*sys.argv[1:])
