"""Prints compare.py's lines as Markdown: wall seconds with the ratio to ours, nodes executed, peak memory.

    python tests/bench/table.py results.jsonl

A time is the median of its repeats; a ratio is the median over the repeats that both have, so a machine that changes
its speed between them changes it little. Above 1 is slower than ours.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Callable
from statistics import median

OURS = "engine"
SCENARIOS = ("cold", "cached", "param", "revert", "cutoff", "comment", "helper", "startup10")
WIDTH = 10  # of the graph, however deep

Rows = dict[tuple[str, str], dict[str, dict]]  # (peer, scenario) -> repeat -> the harness's line


def read(lines: list[str]) -> Rows:
    """Return the lines by peer and scenario; where there are finer repeats of a scenario, only those."""
    rows: Rows = defaultdict(dict)
    for line in map(json.loads, lines):
        rows[line["peer"], line["scen"]][line["repeat"]] = line
    for key, repeats in rows.items():
        finer = {repeat: line for repeat, line in repeats.items() if "again" in repeat}
        rows[key] = finer or repeats
    return rows


def wall_text(rows: Rows, peer: str, scenario: str) -> str:
    """Return `0.42 (1.8)`: the median wall time and the ratio to ours."""
    lines, ours = rows[peer, scenario], rows[OURS, scenario]
    if any(line["rc"] for line in lines.values()):
        return f"stopped at {max(line['wall_s'] for line in lines.values()):.0f}"
    wall = f"{median(line['wall_s'] for line in lines.values()):.3g}"
    ratios = [line["wall_s"] / ours[repeat]["wall_s"] for repeat, line in lines.items() if repeat in ours]
    if peer == OURS or not ratios:
        return wall
    ratio = median(ratios)
    return f"{wall} ({ratio:.2f})" if ratio < 2 else f"{wall} ({ratio:.{int(ratio < 10)}f})"


def executed_text(rows: Rows, peer: str, scenario: str) -> str:
    """Return how many nodes ran, bold where it is not what should."""
    lines = rows[peer, scenario].values()
    text = ", ".join(map(str, sorted({line["executed"] for line in lines})))
    is_right = all(line["executed"] == should_run(scenario, line.get("nodes", 0)) for line in lines)
    return text if is_right else f"**{text}**"


def should_run(scenario: str, nodes: int) -> int:
    """Return how many nodes a scenario should run: of a changed node in the middle, the cone below it."""
    below = nodes // WIDTH - nodes // WIDTH // 2
    cone = sum(min(WIDTH, layer) for layer in range(1, below + 1))
    return {"cold": nodes, "param": cone, "cutoff": 1, "helper": nodes}.get(scenario, 0)


def memory_text(rows: Rows, peer: str, scenario: str) -> str:
    """Return the largest process's peak in MB."""
    return f"{max(line['rss_mb'] or 0 for line in rows[peer, scenario].values()):.0f}"


def print_table(title: str, rows: Rows, text: Callable[[Rows, str, str], str]) -> None:
    """Print one Markdown table, ours first, then by the cold time."""
    cold = {
        peer: median(line["wall_s"] for line in rows[peer, "cold"].values()) for peer, s in list(rows) if s == "cold"
    }
    print(f"\n| {title} | {' | '.join(SCENARIOS)} |\n|---|{'---|' * len(SCENARIOS)}")
    for peer in sorted(cold, key=lambda peer: (peer != OURS, cold[peer])):
        cells = [text(rows, peer, scenario) if rows.get((peer, scenario)) else "" for scenario in SCENARIOS]
        print(f"| {'dataflow' if peer == OURS else peer} | {' | '.join(cells)} |")


def main() -> None:
    """Print the three tables."""
    lines = [line for path in sys.argv[1:] for line in open(path)]
    rows = read([line for line in lines if '"reset"' not in line and '"cold10"' not in line])
    print_table("seconds (x ours)", rows, wall_text)
    print_table("nodes executed", rows, executed_text)
    print_table("peak MB", rows, memory_text)


if __name__ == "__main__":
    main()
