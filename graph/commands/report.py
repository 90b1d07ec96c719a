"""dataflow report: a run, or two side by side, as one page."""

from __future__ import annotations

import argparse
from pathlib import Path

from graph.commands.operands import add_stored, open_finished, size_text
from graph.errors import NotFoundError


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_stored(parser, "[SPEC] [RUN] [RUN]")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the page goes; default: RUN.html")


def main(options: argparse.Namespace) -> int:
    """Write the page, and say where."""
    from graph.page import write_page
    from graph.report import draw_report
    from graph.runs import Runs

    store, experiment, operands = open_finished(options)
    if len(operands) > 2:
        raise NotFoundError(f"expected one run or two, got {', '.join(operands)}")
    asked: list[str | None] = [*operands] or [None]
    runs = [Runs(store).find(run, experiment) for run in asked]
    path = options.out or Path(f"{runs[0]}.html")
    write_page(draw_report(store, runs), path)
    print(f"{path}  {size_text(path.stat().st_size)}")
    return 0
