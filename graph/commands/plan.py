"""dataflow plan: what a run would find, compute, and why."""

from __future__ import annotations

import argparse

from graph.commands.operands import add_spec, print_rows
from graph.settings import store_url
from store.open import open_store


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    parser.add_argument("--until", metavar="NODE", help="only what this node needs")


def main(options: argparse.Namespace) -> int:
    """Print a row an instance."""
    from graph.plan import make_plan
    from graph.spec import load_spec

    spec = load_spec(options.spec, options.set)
    store = open_store(store_url(options.store, spec.store))
    plan = make_plan(spec, store, options.until)
    rows: list[tuple[str, ...]] = []
    for planned in plan:
        elements = f"{planned.missing} of {planned.elements}" if planned.missing else str(planned.elements or "")
        rows.append((planned.label, planned.state, elements, planned.reason))
    print_rows(("node", "state", "elements", "why"), rows)
    states = [planned.state for planned in plan]
    print(", ".join(f"{states.count(state)} {state}" for state in ("hit", "will run", "may run")))
    return 0
