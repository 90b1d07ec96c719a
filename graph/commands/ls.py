"""dataflow ls: what a run gave."""

from __future__ import annotations

import argparse

from graph.commands.operands import add_finished, open_finished, print_rows
from graph.errors import NotFoundError


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_finished(parser, "[SPEC]")
    parser.add_argument("--json", action="store_true", help="for programs")


def main(options: argparse.Namespace) -> int:
    """Print a row an instance of a run."""
    import msgspec

    from graph.show import list_run

    store, experiment, operands = open_finished(options)
    if operands:
        raise NotFoundError(f"dataflow ls: {operands[0]!r} is no spec (its name must end in .toml)")
    run, rows = list_run(store, options.run, experiment)
    if options.json:
        print(msgspec.json.encode({"run": run, "nodes": rows}).decode())
        return 0
    print(f"run {run}")
    header = ("node", "state", "type", "entries", "seconds", "digest")
    print_rows(header, [tuple("" if row[name] is None else str(row[name]) for name in header) for row in rows])
    return 0
