"""dataflow show: what a node gave."""

from __future__ import annotations

import argparse
import sys

from graph.commands.operands import add_finished, open_finished


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_finished(parser, "[SPEC] NODE")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--round", type=int, metavar="N", help="the round of a node inside the loop; default: last")


def main(options: argparse.Namespace) -> int:
    """Print facts, arrays, files and entries of what a node gave."""
    from graph.show import describe_node

    store, experiment, operands = open_finished(options)
    if len(operands) != 1:
        print("dataflow show: expected [SPEC] NODE", file=sys.stderr)
        return 2
    described = describe_node(store, operands[0], options.run, experiment, options.round)
    print(described.json() if options.json else described.text())
    return 0
