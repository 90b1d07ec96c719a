"""What several commands share: the operands they take, and how they print a table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from graph.errors import NotFoundError
from graph.settings import open_stores
from store.errors import one_line
from store.open import Store

if TYPE_CHECKING:
    from graph.wanted import Wanted


def add_spec(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a command that reads a spec: SPEC, --set, --store."""
    parser.add_argument("spec", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="nodes.qa.params.per_scene=24")
    parser.add_argument("--store", metavar="URL", help="the store, in place of the spec's or the default one")
    add_offline(parser)


def add_finished(parser: argparse.ArgumentParser, operands: str) -> None:
    """Add the arguments of a command that reads what a run left: operands, --run, --store."""
    parser.add_argument("operands", nargs="*", metavar=operands, help="a spec narrows to its store and experiment")
    parser.add_argument("--run", metavar="ID", help="another run than the latest")
    parser.add_argument("--store", metavar="URL", help="the store, where there is no spec")
    add_offline(parser)


def add_stored(parser: argparse.ArgumentParser, operands: str) -> None:
    """Add the arguments of a command that is about artifacts by whatever name: operands, --store, --offline."""
    about = "a node of the latest run, the id of a run, a ref, or a digest; default: the latest run"
    parser.add_argument("operands", nargs="*", metavar=operands, help=about)
    parser.add_argument("--store", metavar="URL", help="the store, where there is no spec")
    add_offline(parser)


def open_wanted(options: argparse.Namespace) -> tuple[Store, Wanted]:
    """Return the store, and what the operands stand for. Raises NotFoundError."""
    from graph.wanted import find_wanted

    store, experiment, operands = open_finished(options)
    if len(operands) > 1:
        raise NotFoundError(f"expected one node, run, name or digest, got {', '.join(operands)}")
    return store, find_wanted(store, operands[0] if operands else None, experiment)


def add_offline(parser: argparse.ArgumentParser) -> None:
    """Add --offline."""
    parser.add_argument("--offline", action="store_true", help="leave the shared stores alone")


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a command that is about a whole store: --store, --json."""
    parser.add_argument("--store", metavar="URL", help="another store than the default one")
    parser.add_argument("--json", action="store_true", help="for programs")


def open_finished(options: argparse.Namespace) -> tuple[Store, str | None, list[str]]:
    """Return the store and the experiment that [SPEC] names, and the operands after it."""
    operands = list(options.operands)
    spec = experiment = None
    if operands and operands[0].endswith(".toml"):
        from graph.spec import load_spec

        spec = load_spec(Path(operands.pop(0)), [])
        experiment = spec.experiment.name
    return open_stores(options.store, spec, options.offline), experiment, operands


def print_rows(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table with aligned columns."""
    rows = [tuple(map(one_line, row)) for row in rows]  # a run's events may come from elsewhere
    widths = [max(len(row[n]) for row in [header, *rows]) for n in range(len(header))]
    for row in [header, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def size_text(n_bytes: int) -> str:
    """Return a number of bytes for people: `3.2 MB`."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes} bytes"


class Progress:
    """Tells on a terminal how far a command is, on one line that goes again; elsewhere nothing."""

    EVERY = 100

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()

    def __call__(self, what: str, n: int) -> None:
        if self._is_shown and n % self.EVERY == 0:
            print(f"\r{what} {n or ''}\033[K", end="\r", file=sys.stderr, flush=True)
