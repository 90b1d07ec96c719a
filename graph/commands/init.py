"""dataflow init: a small experiment to begin with."""

from __future__ import annotations

import argparse
from pathlib import Path

from graph.errors import ExportError

GROUP = "dataflow.starter"


def options(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="default: this one")


def main(options: argparse.Namespace) -> int:
    """Write the starter's files, none over one that is there."""
    from graph.registry import find_target, load_object, registered

    for name in registered(GROUP):
        files: dict[str, str] = load_object(*find_target(name, Path(), GROUP))()
        if there := [name for name in files if (options.folder / name).exists()]:
            raise ExportError(f"{options.folder / there[0]} is there already; nothing was written")
        options.folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (options.folder / file).write_text(text, encoding="utf-8")
            print(options.folder / file)
    print(f"dataflow run {options.folder / 'experiment.toml'}")
    return 0
