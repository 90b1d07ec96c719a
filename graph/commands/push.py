"""dataflow push: pass on what a run or a node gave."""

from __future__ import annotations

import argparse
from pathlib import Path

from graph.commands.operands import add_stored, open_wanted, size_text
from graph.commands.progress_bar import bytes_bar
from graph.settings import place_of


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_stored(parser, "[SPEC] [NODE|RUN|REF]")
    parser.add_argument("--to", metavar="URL", help="one of the shared stores; default: all that runs push to")


def main(options: argparse.Namespace) -> int:
    """Send what is missing in the shared stores, and say how much that was; 1 if terms kept some of it here."""
    from graph.passing import push_wanted, targets

    store, wanted = open_wanted(options)
    withheld: set[str] = set()
    to = place_of(options.to, Path.cwd()) if options.to else None
    for tier in targets(store, to):
        with bytes_bar(f"to {tier.url}") as tell:
            traffic, n_records, terms = push_wanted(store, wanted, tier, tell)
        sent, saved = size_text(traffic.bytes), size_text(traffic.saved)
        told = f"{n_records} records, {traffic.objects} objects, {sent} sent, {saved} was there"
        print(f"{wanted.name} to {tier.url}: {told}")
        withheld |= terms
    for text in sorted(withheld):
        print(f"not passed on, by the terms of {text}: `allow` in your settings of a store says what may go there")
    return 1 if withheld else 0
