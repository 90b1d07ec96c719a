"""dataflow publish: give what a node gave a name for good, that a spec's `artifact =` takes."""

from __future__ import annotations

import argparse

from graph.commands.operands import add_stored, open_wanted
from graph.errors import NotFoundError


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_stored(parser, "[SPEC] NODE")
    parser.add_argument("--as", dest="name", required=True, metavar="NAME", help="pools/indoor-v3; it never moves")


def main(options: argparse.Namespace) -> int:
    """Push the artifact, then its signed name."""
    from graph.passing import publish, targets

    store, wanted = open_wanted(options)
    if len(wanted.artifacts) != 1:
        raise NotFoundError(f"{wanted.name} is several artifacts, name one: {', '.join(wanted.artifacts)}")
    ((label, artifact),) = wanted.artifacts.items()
    tiers = targets(store, None) if store.tiers else []
    given = publish(store, artifact, options.name, tiers)
    where = ", ".join(tier.url for tier in tiers) or "this store alone"
    print(f"{given.title.name}  {given.title.type}  {given.title.digest}")
    print(f"{label}, signed by {given.signer[:8]}, in {where}")
    return 0
