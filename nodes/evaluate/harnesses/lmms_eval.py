"""lmms-eval: `<output>/<model>/<date>_results.json`, and with --log_samples a `<date>_samples_<task>.jsonl` a task.

As of 0.7: `results` holds by task `<metric>,<filter>` beside `<metric>_stderr,<filter>` and other errors of the same
metric; what is no number ("N/A") was not measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nodes.evaluate.harnesses.measured import Measure, Said, number, read_json

ERRORS = ("_stderr_clt", "_stderr")  # the first that is a number
DEFAULT = "none"  # the filter that changes nothing


def read_lmms_eval(folder: Path) -> tuple[list[Measure], list[Said]]:
    """Return what lmms-eval wrote below a folder, the newest results of it. Raises ValueError: there are none."""
    found = sorted(folder.rglob("*_results.json"), key=lambda path: path.name)
    if not found:
        raise ValueError(f"{folder}: holds no *_results.json: give lmms-eval --output_path {{output}}")
    results = read_json(found[-1].read_bytes(), str(found[-1]))
    tasks = results.get("results") if isinstance(results, dict) else None
    if not isinstance(tasks, dict):
        raise ValueError(f"{found[-1]}: has no table `results`")
    measures = [measure for task, told in tasks.items() if isinstance(told, dict) for measure in _measures(task, told)]
    if not measures:
        raise ValueError(f"{found[-1]}: no number in its {len(tasks)} tasks")
    date = found[-1].name.removesuffix("_results.json")
    return measures, [said for path in sorted(folder.rglob(f"{date}_samples_*.jsonl")) for said in _said(path, date)]


def _measures(task: str, told: dict[str, Any]) -> Iterator[Measure]:
    for key, value in told.items():
        name, _, filtered = key.partition(",")
        measured = number(value)
        if measured is None or "_stderr" in name or not filtered:
            continue
        errors = (number(told.get(f"{name}{kind},{filtered}")) for kind in ERRORS)
        error = next((one for one in errors if one is not None), math.nan)
        yield Measure(task, name if filtered == DEFAULT else f"{name} {filtered}", measured, error)


def _said(path: Path, date: str) -> Iterator[Said]:
    task = path.name.removeprefix(f"{date}_samples_").removesuffix(".jsonl")
    with open(path, "rb") as lines:
        for place, line in enumerate(lines):
            row = read_json(line, f"{path}: line {place + 1}")
            if not isinstance(row, dict):
                raise ValueError(f"{path}: line {place + 1}: no JSON table")
            text = row.get("filtered_resps", row.get("resps", ""))
            while isinstance(text, list) and text:
                text = text[0]
            yield Said(task, str(row.get("doc_id", place)), text if isinstance(text, str) else str(text))
