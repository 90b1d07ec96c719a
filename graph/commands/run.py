"""dataflow run: run a spec."""

from __future__ import annotations

import argparse

from graph.commands.operands import add_spec, print_rows
from graph.settings import store_url
from store.open import open_store


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--until", metavar="NODE", help="run what this node needs, and nothing else")
    part.add_argument("--only", metavar="NODE", help="run this node alone: all that it reads must be there")
    parser.add_argument("--force", action="append", default=[], metavar="NODE", help="run it although it is there")


def main(options: argparse.Namespace) -> int:
    """Run a spec to the end, telling how far it is, and print what it gave."""
    from graph.progress import make_progress
    from graph.run import run
    from graph.spec import load_spec

    spec = load_spec(options.spec, options.set)
    store = open_store(store_url(options.store, spec.store))
    with make_progress() as progress:
        result = run(spec, store, options.set, options.until, (progress,), options.only, tuple(options.force))
    print(
        f"run {result.run}: {result.computed} computed, {result.found} found, {result.seconds:.2f} s\n"
        f"result {result.digest}"
    )
    if spec.variants:
        from graph.comparison import variant_table

        header, *rows = variant_table(spec, store, result.outputs)
        print()
        print_rows(header, rows)
    return 0
