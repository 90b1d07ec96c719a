"""The starter: a small experiment of one's own, which `dataflow init` writes: a spec, a node and a reward."""

from __future__ import annotations

from pathlib import Path


def files() -> dict[str, str]:
    """Return the starter's files by name."""
    folder = Path(__file__).parent
    return {name: (folder / name).read_text(encoding="utf-8") for name in ("experiment.toml", "my_nodes.py")}
