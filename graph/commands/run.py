"""dataflow run: run a spec."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from graph.commands.operands import add_spec, print_rows, size_text
from graph.settings import open_stores

if TYPE_CHECKING:
    from graph.run import Result
    from graph.spec import Spec
    from store.open import Store

LISTED = 5


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_spec(parser)
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--until", metavar="NODE", help="run what this node needs, and nothing else")
    part.add_argument("--only", metavar="NODE", help="run this node alone: all that it reads must be there")
    again = "run it again and compare with what is there; nothing is replaced"
    parser.add_argument("--recompute", action="append", default=[], metavar="NODE", help=again)
    parser.add_argument("--force", action="append", default=[], metavar="NODE", help="run it although it is there")


def tell_traffic(store: Store, result: Result) -> list[str]:
    """Return a line for each shared store that was asked or failed, and one for each node whose output stays here."""
    lines = []
    for tier in store.tiers.all if store.tiers else ():
        if tier.failure:
            lines.append(f"went on without {tier.url}: {tier.failure.removeprefix(f'store {tier.url}: ')}")
        elif tier.is_used:
            came, went = size_text(tier.meter.n_read), size_text(tier.meter.n_written)
            lines.append(f"{tier.url}: {came} came, {went} went, {tier.meter.requests} requests")
        if tier.lacks_leases:
            lines.append(f"{tier.url}: a name can be given twice there, so nobody waits for others' work")
    refused = sorted(set(store.tiers.refused.values())) if store.tiers else []
    lines += refused[:LISTED] + ([f"and {len(refused) - LISTED} more"] if len(refused) > LISTED else [])
    lines += [f"not passed on: {label}, {why}" for label, why in result.unsent.items()]
    return lines


def main(options: argparse.Namespace) -> int:
    """Run a spec to the end, telling how far it is, and print what it gave."""
    from graph.progress import make_progress
    from graph.run import run
    from graph.spec import load_spec

    spec = load_spec(options.spec, options.set)
    store = open_stores(options.store, spec, options.offline)
    with make_progress() as progress:
        result = run(spec, store, options.set, options.until, (progress,), options.only, tuple(options.force))
    print(
        f"run {result.run}: {result.computed} computed, {result.found} found, {result.seconds:.2f} s\n"
        f"result {result.digest}"
    )
    for line in [*result.left_out, *result.untold]:
        print(line, file=sys.stderr)
    for line in tell_traffic(store, result):
        print(line)
    if spec.variants:
        from graph.comparison import variant_table

        header, *rows = variant_table(spec, store, result.outputs)
        print()
        print_rows(header, rows)
    return int(any([tell_recomputed(spec, store, name) for name in options.recompute]))


def tell_recomputed(spec: Spec, store: Store, name: str) -> bool:
    """Run a node's actions again, print how that compares, and tell whether anything differs."""
    from graph.recompute import recompute

    is_different = False
    for compared in recompute(spec, store, name):
        if compared.is_external:
            print(f"{compared.label}: asks a server, its first answers stand; not run again")
            continue
        n_lines = len(compared.differences)
        as_before = compared.actions - n_lines
        print(f"{compared.label}: {compared.actions} actions again, {as_before} gave what they had given")
        for line in compared.differences[:LISTED]:
            print(f"  {line}")
        if n_lines > LISTED:
            print(f"  and {n_lines - LISTED} more")
        is_different = is_different or bool(n_lines)
    return is_different
