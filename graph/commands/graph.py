"""dataflow graph: a spec as a picture."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from graph.commands.operands import add_spec
from graph.errors import DataflowError
from graph.settings import open_stores

if TYPE_CHECKING:
    from graph.spec import Spec
    from store.open import Store

FORMATS = (".svg", ".png", ".pdf")


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument("--rounds", action="store_true", help="a box for every round and variant of a node")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw it there (.svg, .png, .pdf) instead of Mermaid")


def main(options: argparse.Namespace) -> int:
    """Print a spec as Mermaid text or draw it, coloured by what is in the store."""
    from graph.overview import show_instances, show_nodes
    from graph.spec import load_spec

    if options.svg is not None and options.svg.suffix not in FORMATS:
        print(f"dataflow graph: --svg {options.svg}: expected a name in {', '.join(FORMATS)}", file=sys.stderr)
        return 2
    spec = load_spec(options.spec, options.set)
    states = _plan_states(spec, open_stores(options.store, spec, options.offline))
    overview = (show_instances if options.rounds else show_nodes)(spec, states)
    if options.svg is None:
        from graph.mermaid import draw_mermaid

        print(draw_mermaid(overview))
    else:
        from graph.drawing import draw_picture

        draw_picture(overview, options.svg)
    return 0


def _plan_states(spec: Spec, store: Store) -> dict[str, str]:
    """Return the state of every instance, nothing where there is no store yet or it cannot be planned."""
    from graph.plan import make_plan

    if not store.tiers and not store.objects.list("runs"):
        return {}
    try:
        return {planned.label: planned.state for planned in make_plan(spec, store)}
    except DataflowError as error:
        print(f"without colours, since it cannot be planned: {error}", file=sys.stderr)
        return {}
