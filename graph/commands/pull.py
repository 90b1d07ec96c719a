"""dataflow pull: bring what a run, a node or a name stands for, whole."""

from __future__ import annotations

import argparse

from graph.commands.operands import add_stored, open_wanted, size_text
from graph.commands.progress_bar import bytes_bar


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_stored(parser, "[SPEC] [NODE|RUN|REF]")


def main(options: argparse.Namespace) -> int:
    """Bring what is missing here, and say how much that was."""
    from graph.passing import pull_wanted

    store, wanted = open_wanted(options)
    with bytes_bar("from shared stores") as tell:
        traffic = pull_wanted(store, wanted, tell)
    print(f"{wanted.name}: {traffic.objects} objects, {size_text(traffic.bytes)} came; all of it is here")
    return 0
