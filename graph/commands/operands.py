"""What several commands share: the operands they take, and how they print a table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from graph.settings import store_url
from store.open import Store, open_store


def add_spec(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a command that reads a spec: SPEC, --set, --store."""
    parser.add_argument("spec", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="nodes.qa.params.per_scene=24")
    parser.add_argument("--store", metavar="URL", help="the store, in place of the spec's or the default one")


def add_finished(parser: argparse.ArgumentParser, operands: str) -> None:
    """Add the arguments of a command that reads what a run left: operands, --run, --store."""
    parser.add_argument("operands", nargs="*", metavar=operands, help="a spec narrows to its store and experiment")
    parser.add_argument("--run", metavar="ID", help="another run than the latest")
    parser.add_argument("--store", metavar="URL", help="the store, where there is no spec")


def open_finished(options: argparse.Namespace) -> tuple[Store, str | None, list[str]]:
    """Return the store and the experiment that [SPEC] names, and the operands after it."""
    operands = list(options.operands)
    url = experiment = None
    if operands and operands[0].endswith(".toml"):
        from graph.spec import load_spec

        spec = load_spec(Path(operands.pop(0)), [])
        url, experiment = spec.store, spec.experiment.name
    return open_store(store_url(options.store, url)), experiment, operands


def print_rows(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table with aligned columns."""
    widths = [max(len(row[n]) for row in [header, *rows]) for n in range(len(header))]
    for row in [header, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
