"""dataflow export: what a node gave, as files that other tools open."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from graph.commands.operands import add_finished, open_finished


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_finished(parser, "[SPEC] NODE DIR")
    parser.add_argument("--round", type=int, metavar="N", help="the round of a node inside the loop; default: last")
    about = "only what is for people and other tools (pictures, tables, a model folder); it cannot be imported"
    parser.add_argument("--plain", action="store_true", help=about)
    about = "the plain form of that name alone, where a type has several: a wrong one tells which there are"
    parser.add_argument("--format", metavar="NAME", default="", help=about)


def main(options: argparse.Namespace) -> int:
    """Write an artifact to a folder and print what it is and what was written."""
    from graph.exchange import export_artifact
    from graph.show import find_output

    store, experiment, operands = open_finished(options)
    if len(operands) != 2:
        print("dataflow export: expected [SPEC] NODE DIR", file=sys.stderr)
        return 2
    node, folder = operands[0], Path(operands[1])
    label, digest, kinds = find_output(store, node, options.run, experiment, options.round)
    export_artifact(store, label, digest, list(kinds), folder, options.plain, options.format)
    print(f"{label}  {store.reader(digest).type}  {digest}")
    for part in sorted(folder.iterdir()):
        n_files = sum(path.is_file() for path in part.rglob("*"))
        print(f"{part}/  {n_files} files" if part.is_dir() else part)
    return 0
