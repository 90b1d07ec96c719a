"""One `dataflow run` of a spec in a bench's work folder: what it took, and how many bodies it executed."""

from __future__ import annotations

import os
from pathlib import Path

from process import Usage, measure_well

KINDS = Path(__file__).with_name("kinds.py").absolute()


def run_spec(folder: Path, text: str, *options: str) -> tuple[Usage, int]:
    """Write a spec into the folder and run it on the store there; return the usage and the number of bodies."""
    (folder / "spec.toml").write_text('[experiment]\nname = "bench"\n\n' + text)
    count = folder / "count"
    count.write_bytes(b"")
    command = [os.environ.get("DATAFLOW", "dataflow"), "run", "spec.toml", "--store", "store", *options]
    used = measure_well(command, folder, BENCH_COUNT=str(count.absolute()))
    return used, count.stat().st_size


def kind_line(name: str) -> str:
    """Return the line of a spec that names a kind of kinds.py."""
    return f'kind = "{KINDS}:{name}"'
