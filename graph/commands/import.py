"""dataflow import: an exported folder, into the store. (Found by its name as text: no statement imports it.)"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from graph.settings import store_url
from store.open import open_store
from store.refs import check_name


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    about = "a spec names its store, and kinds of its own that know the folder's types"
    parser.add_argument("operands", nargs="*", metavar="[SPEC] DIR", help=about)
    parser.add_argument("--as", metavar="NAME", dest="name", help='a name for it: artifact = "NAME" reads it in a spec')
    parser.add_argument("--edited", action="store_true", help="take it although it was edited since it was exported")
    parser.add_argument("--store", metavar="URL", help="the store, in place of the spec's or the default one")


def main(options: argparse.Namespace) -> int:
    """Put what a folder holds into the store and print its digest."""
    from graph.classes import known_kinds
    from graph.exchange import import_artifact
    from graph.spec import load_spec

    operands = list(options.operands)
    spec = load_spec(Path(operands.pop(0)), []) if operands and operands[0].endswith(".toml") else None
    if len(operands) != 1:
        print("dataflow import: expected [SPEC] DIR", file=sys.stderr)
        return 2
    if options.name is not None:
        check_name(options.name)
    store = open_store(store_url(options.store, spec.store if spec is not None else None))
    digest = import_artifact(store, Path(operands[0]), known_kinds(spec), options.edited)
    if options.name is not None:
        store.refs.move(options.name, digest)
    print(digest)
    return 0
