"""dataflow pin: keep what a run or a node gave from being collected."""

from __future__ import annotations

import argparse

from graph.commands.operands import add_stored, open_wanted


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_stored(parser, "[SPEC] [NODE|RUN|REF]")
    parser.add_argument("--off", action="store_true", help="take the pin out again")


def main(options: argparse.Namespace) -> int:
    """Pin each artifact by its digest, or take its pin out."""
    store, wanted = open_wanted(options)
    for label, digest in wanted.artifacts.items():
        if options.off:
            store.refs.drop(f"pins/{digest}")
        else:
            store.refs.move(f"pins/{digest}", digest)
        print(f"{label}  {digest}  {'no longer pinned' if options.off else 'pinned'}")
    return 0
