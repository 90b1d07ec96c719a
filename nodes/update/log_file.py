"""The log that a program of others writes beside its model: `log.jsonl`, a step a line, `{"step": 1, "loss": 0.5}`.

A training is worth more than its log: what cannot be read of it is passed over, and told on stderr.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from nodes.update.update import Log, log_from
from store.errors import StoreError
from store.manifest import check_key

MOST_BYTES = 64 << 20
MOST_VALUES = 10_000_000  # steps x metrics: 80 MB


def read_log(path: Path) -> Log:
    """Return the log in a file, empty where there is none."""
    if not path.is_file():
        return Log({})
    with open(path, "rb") as file:
        lines = file.read(MOST_BYTES).splitlines()
    rows = [row for row in map(_read_row, lines) if row is not None]
    if len(rows) < len(lines):
        _tell(f"{len(lines) - len(rows)} of {len(lines)} lines, expected a step from 1 and numbers by name")
    names = {name for row in rows for name in row} - {"step"}
    if folders := {name for name in names if any(other.startswith(f"{name}/") for other in names)}:
        _tell(f"{', '.join(sorted(folders))}: folders of others")
        rows = [{name: value for name, value in row.items() if name not in folders} for row in rows]
    steps = max((row["step"] for row in rows), default=0)
    if steps * len(names) > MOST_VALUES:
        _tell(f"{steps} steps of {len(names)} metrics, expected at most {MOST_VALUES} values")
        return Log({})
    return log_from(rows, steps)


def _read_row(line: bytes) -> dict[str, Any] | None:
    """Return the step and the numbers of a line; other values stand for nothing."""
    try:
        row = json.loads(line)  # Python's own, which takes the NaN that Python's own writes
        if not isinstance(row, dict) or type(row.get("step")) is not int or row["step"] < 1:
            return None
        for name in row:
            check_key(f"metrics/{name}")
    except (ValueError, StoreError, RecursionError):
        return None
    return {name: value for name, value in row.items() if type(value) in (int, float) and abs(value) < 1e300}


def _tell(what: str) -> None:
    print(f"log.jsonl: passed over {what}", file=sys.stderr)
