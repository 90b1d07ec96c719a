"""A mapped node: what a change of its collection costs. Whole processes; `run` counts bodies that were executed.

python tests/bench/mapped.py                # 1,500 elements, three times
python tests/bench/mapped.py --count 100000 --repeats 1 --scenarios cold,cached,changed
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import median

from process import Usage
from spec_run import kind_line, run_spec

# What is asked of `bench.rooms`, in this order on one store, and the extractions that it should cost.
SCENARIOS = {
    "cold": ("", None),
    "cached": ("", 0),
    "changed": (", changed = 700", 1),
    "inserted": (', inserted = "room000700b"', 1),
    "dropped": (", dropped = 700", 0),
    "reordered": (", is_reversed = true", 0),
}


def main() -> None:
    """Run all scenarios and print a row each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scenarios", default=",".join(SCENARIOS))
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    names = options.scenarios.split(",")
    taken: dict[str, list[tuple[Usage, int]]] = {name: [] for name in names}
    for _ in range(options.repeats):
        folder = Path(tempfile.mkdtemp(prefix="mapped-", dir=options.work))
        for name in names:
            taken[name].append(run_scenario(folder, options.count, name))
    print(f"| {options.count:,} elements | run | should | wall s, min | median | cpu s | peak MB |\n|{'---|' * 7}")
    for name, runs in taken.items():
        should = SCENARIOS[name][1]
        counts = "/".join(str(count) for count in sorted({count for _, count in runs}))
        walls = [used.wall for used, _ in runs]
        cpu, rss = median(used.cpu for used, _ in runs), max(used.rss for used, _ in runs)
        row = (name, counts, options.count if should is None else should)
        print(f"| {' | '.join(map(str, row))} | {min(walls):.2f} | {median(walls):.2f} | {cpu:.2f} | {rss:.0f} |")


def run_scenario(folder: Path, count: int, name: str) -> tuple[Usage, int]:
    """List and extract once."""
    rooms = f"[nodes.rooms]\n{kind_line('rooms')}\nparams = {{ count = {count}{SCENARIOS[name][0]} }}\n"
    scenes = f'[nodes.scenes]\n{kind_line("extract")}\ninputs = {{ room = "rooms" }}\n'
    return run_spec(folder, f"{rooms}\n{scenes}")


if __name__ == "__main__":
    main()
