"""dataflow why: why a node would run, with the diffs of edited code."""

from __future__ import annotations

import argparse

from graph.commands.operands import add_spec
from graph.settings import open_stores


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument("node", help="a node's name, or an instance: qa[2]")
    parser.add_argument("--round", type=int, metavar="N", help="default: the first that is not there")


def main(options: argparse.Namespace) -> int:
    """Print what differs from the nearest earlier action."""
    from graph.explanation import explain
    from graph.spec import load_spec

    spec = load_spec(options.spec, options.set)
    print(explain(spec, open_stores(options.store, spec, options.offline), options.node, options.round))
    return 0
