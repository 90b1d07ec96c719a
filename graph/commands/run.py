"""dataflow run: run a spec."""

from __future__ import annotations

import argparse

from graph.commands.operands import add_spec
from graph.settings import store_url
from store.open import open_store


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument("--until", metavar="NODE", help="only what this node needs")


def main(options: argparse.Namespace) -> int:
    """Run a spec to the end, telling how far it is, and print what it gave."""
    from graph.progress import make_progress
    from graph.run import run
    from graph.spec import load_spec

    spec = load_spec(options.spec, options.set)
    store = open_store(store_url(options.store, spec.store))
    with make_progress() as progress:
        result = run(spec, store, options.set, options.until, (progress,))
    print(
        f"run {result.run}: {result.computed} computed, {result.found} found, {result.seconds:.2f} s\n"
        f"result {result.digest}"
    )
    return 0
