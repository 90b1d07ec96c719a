"""dataflow log: what a node's body wrote, and how it failed."""

from __future__ import annotations

import argparse
import sys

from graph.commands.operands import add_finished, open_finished


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_finished(parser, "[SPEC] NODE")
    parser.add_argument("--round", type=int, metavar="N", help="default: the first that failed, else the last")
    parser.add_argument("--element", metavar="ID", help="one element of a map; default: failed ones, then the others")


def main(options: argparse.Namespace) -> int:
    """Print what the body wrote to stdout and stderr, under a line that says when and where."""
    from graph.log import find_logs

    store, experiment, operands = open_finished(options)
    if len(operands) != 1:
        print("dataflow log: expected [SPEC] NODE", file=sys.stderr)
        return 2
    logs = find_logs(store, operands[0], options.run, experiment, options.round, options.element)
    print("\n\n".join(log.text() for log in logs) or f"{operands[0]} wrote nothing")
    return 0
