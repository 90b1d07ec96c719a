"""dataflow diff: what differs between two runs, and why."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from graph.settings import open_stores


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    about = "ids, or their unique beginnings; a spec is its experiment's newest run; default: the two newest"
    parser.add_argument("operands", nargs="*", metavar="RUN", help=about)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--store", metavar="URL", help="the store, where there is no spec")


def main(options: argparse.Namespace) -> int:
    """Print settings, instances and outputs that differ."""
    from graph.difference import compare_runs, find_two
    from graph.spec import load_spec

    specs = [operand for operand in options.operands if operand.endswith(".toml")]
    if len(options.operands) > 2:
        print("dataflow diff: expected at most two runs", file=sys.stderr)
        return 2
    store = open_stores(options.store, load_spec(Path(specs[0]), []) if specs else None, is_offline=True)
    diff = compare_runs(store, *find_two(store, options.operands))
    print(diff.json() if options.json else diff.text())
    return 0
