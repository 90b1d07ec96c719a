"""dataflow kinds: what specs can name."""

from __future__ import annotations

import argparse
from pathlib import Path

from graph.commands.operands import print_rows


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("name", nargs="?")
    parser.add_argument("--markdown", action="store_true", help="the reference of all kinds, for a file")


def main(options: argparse.Namespace) -> int:
    """Print all kinds, or the params and inputs of one."""
    from graph.kinds import find_kind
    from graph.registry import registered
    from graph.show import describe_kind, list_kinds

    if options.markdown:
        from graph.catalogue import write_catalogue

        print(write_catalogue([options.name] if options.name else registered()), end="")
    elif options.name is None:
        print_rows(("kind", "what it does"), list_kinds(registered()))
    else:
        print(describe_kind(find_kind(options.name, Path.cwd())))
    return 0
