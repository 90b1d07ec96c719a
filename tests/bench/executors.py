"""What an executor adds to a node: trivial nodes inline and on the local cluster, packed (one map) and not.

    python tests/bench/executors.py             # 1,000 nodes, three times

A cluster takes a second or two to start; that is told by itself (the same with one node) and taken off.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import median

from spec_run import kind_line, run_spec

EXECUTORS = {"inline": "", "local": '[compute]\nexecutor = "local"\nworkers = 2\n'}


def packed(count: int) -> str:
    """Return one map of `count` elements."""
    listed = f"[nodes.numbers]\n{kind_line('numbers')}\nparams = {{ count = {count} }}\n"
    return f'{listed}\n[nodes.next]\n{kind_line("add_one")}\ninputs = {{ number = "numbers" }}\n'


def unpacked(count: int) -> str:
    """Return `count` nodes that read nothing."""
    nodes = (f"[nodes.n{n}]\n{kind_line('number')}\nparams = {{ value = {n} }}\n" for n in range(count))
    return "\n".join(nodes)


def main() -> None:
    """Run every form on every executor and print the milliseconds a node."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    print(f"| {options.count:,} nodes | inline s | local s | of it start s | ms a node over inline, min | median |")
    print("|---|---|---|---|---|---|")
    for form in (packed, unpacked):
        runs = [time_form(form, options.count, options.work) for _ in range(options.repeats)]
        inline, local, start = (median(run[n] for run in runs) for n in range(3))
        over = [(run[1] - run[0] - run[2]) / options.count * 1000 for run in runs]
        print(f"| {form.__name__} | {inline:.2f} | {local:.2f} | {start:.2f} | {min(over):.2f} | {median(over):.2f} |")


def time_form(form, count: int, work: Path) -> tuple[float, float, float]:
    """Return wall seconds: inline, local, and how much longer one node takes on local than inline."""
    wall = {}
    for executor, table in EXECUTORS.items():
        for size in (1, count):
            folder = Path(tempfile.mkdtemp(prefix="executors-", dir=work))
            used, executed = run_spec(folder, f"{table}\n{form(size)}")
            if executed != size:
                raise SystemExit(f"{form.__name__} on {executor}: {executed} bodies executed, expected {size}")
            wall[executor, size] = used.wall
    return wall["inline", count], wall["local", count], wall["local", 1] - wall["inline", 1]


if __name__ == "__main__":
    main()
