"""dataflow ls: what a run gave."""

from __future__ import annotations

import argparse

from graph.commands.operands import add_finished, open_finished, print_rows
from graph.errors import NotFoundError


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_finished(parser, "[SPEC]")
    parser.add_argument("--rounds", action="store_true", help="a row for every round and variant of a node")
    parser.add_argument("--json", action="store_true", help="for programs")


def main(options: argparse.Namespace) -> int:
    """Print a row a node of a run, for all rounds and variants that are in the same state."""
    import msgspec

    from graph.show import fold_rows, list_run, rows_text

    store, experiment, operands = open_finished(options)
    if operands:
        raise NotFoundError(f"dataflow ls: {operands[0]!r} is no spec (its name must end in .toml)")
    run, rows = list_run(store, options.run, experiment)
    if options.json:
        print(msgspec.json.encode({"run": run, "nodes": rows}).decode())
        return 0
    print(f"run {run}")
    header = ("node", "state", "type", "entries", "seconds", "digest")
    print_rows(header, rows_text(rows) if options.rounds else fold_rows(rows))
    return 0
