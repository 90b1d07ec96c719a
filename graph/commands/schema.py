"""dataflow schema: what a spec may say, for editors."""

from __future__ import annotations

import argparse


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments: none."""


def main(options: argparse.Namespace) -> int:
    """Print a JSON Schema of specs with every registered kind."""
    import json

    from graph.schema import make_schema

    print(json.dumps(make_schema(), indent=2))
    return 0
