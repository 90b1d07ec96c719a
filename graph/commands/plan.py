"""dataflow plan: what a run would find, compute, and why."""

from __future__ import annotations

import argparse

from graph.commands.operands import add_spec
from graph.settings import open_stores

WOULD_RUN = 3  # exit status of --check


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument("--until", metavar="NODE", help="only what this node needs")
    parser.add_argument("--rounds", action="store_true", help="a row for every round and variant of a node")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--check", action="store_true", help=f"exit with {WOULD_RUN} if anything would run")


def main(options: argparse.Namespace) -> int:
    """Print a row a node, for all rounds and variants of which there is the same to say."""
    from graph.plan import make_plan
    from graph.spec import load_spec

    spec = load_spec(options.spec, options.set)
    plan = make_plan(spec, open_stores(options.store, spec, options.offline), options.until)
    print(plan.json() if options.json else plan.text(is_folded=not options.rounds))
    return WOULD_RUN if options.check and not plan.is_hit else 0
