"""Our engine and its peers on one graph, side by side: JSON lines on stdout, for table.py.

    python tests/bench/compare.py BENCH joblib doit --repeats 3 >> results.jsonl

BENCH is a folder with `common/harness.py` and a folder a peer. Each repeat runs the harness for ours and for every
peer in turn, in a fresh work folder: a file system that has just deleted ten thousand files is slow to make new ones.
Then what takes tenths of seconds is taken again, finer: the runs that find everything, all engines in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from process import UNWANTED, measure_well

HERE = Path(__file__).parent
OURS = HERE / "engine"


def main() -> None:
    """Run all repeats."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("peers", nargs="*")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--again", type=int, default=10, help="finer runs that find everything")
    parser.add_argument("--small", default="10x100", help="width x depth")
    parser.add_argument("--timeout", default="300")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="engines-", dir=options.work))
    sitting = f"{time.time():.0f}"
    for repeat in range(options.repeats):
        for peer in (str(OURS.absolute()), *options.peers):
            run_harness(options, peer, work / str(repeat), f"{sitting}.{repeat}")
    for again in range(options.again):
        for name in (OURS.name, *options.peers):
            find_all(work / str(options.repeats - 1), name, f"{sitting}.again{again}")


def run_harness(options: argparse.Namespace, peer: str, work: Path, repeat: str) -> None:
    """Pass one engine's lines on, as they come, with the repeat they belong to."""
    command = [sys.executable, HERE / "exact.py", options.bench / "common" / "harness.py", peer, "--work", work]
    command += ["--small", options.small, "--timeout", options.timeout]
    kept = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True, env=kept) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(json.dumps({**json.loads(line), "repeat": repeat}), flush=True)


def find_all(work: Path, name: str, repeat: str) -> None:
    """Run what has just run once more, where the harness left it: 1,000 nodes, and 10."""
    for scenario, folder in (("cached", work / name), ("startup10", work / f"{name}_10")):
        if not folder.exists():
            continue  # the harness gave up before
        count = folder / ".count"
        count.write_bytes(b"")
        environment = {
            "EB_COUNT": count,
            "EB_PARAMS": folder / "params.json",
            "PYTHONPATH": folder,
            "EB_SCEN": scenario,
        }
        used = measure_well(["bash", "run.sh"], folder, **{key: str(value) for key, value in environment.items()})
        row = {"peer": name, "scen": scenario, "wall_s": round(used.wall, 4), "cpu_s": round(used.cpu, 3)}
        row |= {"executed": count.stat().st_size, "rss_mb": round(used.rss), "rc": used.status, "repeat": repeat}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
