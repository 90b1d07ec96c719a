"""dataflow show: what a node gave."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from graph.commands.operands import add_finished, open_finished, size_text


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_finished(parser, "[SPEC] NODE")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--round", type=int, metavar="N", help="the round of a node inside the loop; default: last")
    parser.add_argument("--html", action="store_true", help="draw it: one page for a browser, which needs nothing else")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the page goes; default: NODE.html")
    parser.add_argument("--sample", type=_positive, metavar="N", default=40, help="items on the page; default: 40")


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 1 on")
    return int(text)


def main(options: argparse.Namespace) -> int:
    """Print facts, arrays, files and entries of what a node gave, or draw its page."""
    from graph.show import describe_node, find_origins, find_output

    store, experiment, operands = open_finished(options)
    if len(operands) != 1:
        print("dataflow show: expected [SPEC] NODE", file=sys.stderr)
        return 2
    if options.html:
        from graph.page import draw_page, write_page

        label, digest, kinds = find_output(store, operands[0], options.run, experiment, options.round)
        origins = find_origins(store, digest, options.run, experiment)
        page = draw_page(store, label, digest, list(kinds), origins, options.sample)
        path = options.out or Path(f"{label.replace('/', '-')}.html")
        write_page(page, path)
        print(f"{path}  {size_text(path.stat().st_size)}")
        return 0
    described = describe_node(store, operands[0], options.run, experiment, options.round)
    print(described.json() if options.json else described.text())
    return 0
