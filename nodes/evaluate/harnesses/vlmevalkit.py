"""VLMEvalKit: tables `<output>/<model>/<model>_<dataset>_<what>.csv`, and some data sets' `..._score.json`.

A table's columns that are numbers are metrics, the others say of what: `split`, `Category`. Of files of one name, which
stand in a folder a run and are linked from above, the newest counts. What was said stands in spreadsheets, which are
not read.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from nodes.evaluate.harnesses.measured import Measure, Said, is_number, read_json


def read_vlmevalkit(folder: Path) -> tuple[list[Measure], list[Said]]:
    """Return what VLMEvalKit wrote below a folder. Raises ValueError: no number is there."""
    newest: dict[str, Path] = {}
    for path in sorted([*folder.rglob("*.csv"), *folder.rglob("*_score.json")], key=lambda path: path.stat().st_mtime):
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
    for row in rows:
        numbers = {column: _number(text) for column, text in row.items() if column}
        of = " ".join(row[column] for column, value in numbers.items() if value is None and row[column])
        for column, value in numbers.items():
            if value is not None:
                yield Measure(_dataset(name, path), f"{of} {column}".strip(), value, math.nan)


def _from_json(name: str, path: Path) -> Iterator[Measure]:
    told = read_json(path)
    for metric, value in told.items() if isinstance(told, dict) else ():
        if is_number(value):
            yield Measure(_dataset(name, path), metric, float(value), math.nan)


def _dataset(name: str, path: Path) -> str:
    """Return the data set of a file, whose name begins with that of a folder above it, the model's."""
    model = next((parent.name for parent in path.parents if name.startswith(f"{parent.name}_")), "")
    stem = name.rpartition(".")[0].removeprefix(f"{model}_") if model else name.rpartition(".")[0]
    return stem.removesuffix("_acc").removesuffix("_score")


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
