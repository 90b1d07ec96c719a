"""VLMEvalKit: tables `<output>/<model>/<model>_<dataset>_<what>.csv`, and some data sets' `..._score.json`.

A table's columns of numbers are metrics, the others say of what: `split`, `Category`. Of files of one name, which
stand in a folder a run and are linked from above, the newest counts. What was said stands in spreadsheets, which are
not read.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from nodes.evaluate.harnesses.measured import Measure, Said, number, read_json


def read_vlmevalkit(folder: Path) -> tuple[list[Measure], list[Said]]:
    """Return what VLMEvalKit wrote below a folder. Raises ValueError: no number is there."""
    newest: dict[str, Path] = {}
    found = [path for pattern in ("*.csv", "*_score.json") for path in folder.rglob(pattern) if path.is_file()]
    for path in sorted(found, key=lambda path: path.stat().st_mtime):
        newest[path.name] = path
    measures = [
        measure
        for name, path in sorted(newest.items())
        for measure in (_from_json(name, path) if path.suffix == ".json" else _from_table(name, path))
    ]
    if not measures:
        raise ValueError(
            f"{folder}: holds no *.csv or *_score.json with numbers: give VLMEvalKit --work-dir {{output}}"
        )
    return measures, []


def _from_table(name: str, path: Path) -> Iterator[Measure]:
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: no table: {error}") from None
    columns = [column for column in (rows[0] if rows else ()) if column]
    metrics = [column for column in columns if all(_number(row[column]) is not None for row in rows)]
    for row in rows:
        of = [row[column] for column in columns if column not in metrics and row[column]]
        for column in metrics:
            value = number(_number(row[column]))
            if value is not None:
                yield Measure(_task(name, path), " ".join([*of, column]), value, math.nan)


def _from_json(name: str, path: Path) -> Iterator[Measure]:
    told = read_json(path.read_bytes(), str(path))
    for metric, given in told.items() if isinstance(told, dict) else ():
        value = number(given)
        if value is not None:
            yield Measure(_task(name, path), metric, value, math.nan)


def _task(name: str, path: Path) -> str:
    """Return data set and measure of a file, whose name begins with that of a folder above it, the model's."""
    model = next((parent.name for parent in path.parents if name.startswith(f"{parent.name}_")), "")
    return path.with_name(name.removeprefix(f"{model}_") if model else name).stem


def _number(text: str | None) -> float | None:
    """Return what a cell holds, NaN if that is nothing, None if it is a text."""
    try:
        return float(text or "nan")
    except ValueError:
        return None
