"""Raw rows: what stands in a file of questions, a row at a time, with where it stands; not yet believed.

A row that cannot be read is a row with an error; a file that cannot be read is a ValueError that names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

Format: TypeAlias = Literal["jsonl", "json", "parquet", "hf", "sr91k"]
SUFFIXES: dict[str, Format] = {".jsonl": "jsonl", ".json": "json", ".parquet": "parquet"}
HF_FILES = ("dataset_info.json", "dataset_dict.json")
MOST_BYTES = 1 << 20  # of one line


class Raw(Struct, frozen=True):
    """One row: `where` it stands ("questions.jsonl:17"), its fields, or why it has none."""

    where: str
    fields: dict[str, Any] = {}
    error: str = ""


def find_data(path: Path, format: Format | None) -> tuple[Path, Format]:
    """Return the file or folder of rows, and its format.

    Args:
        path: a file, or a folder that holds one, pictures beside it; for "hf", what `save_to_disk` wrote.
        format: by the file's name where it is absent.
    Raises:
        ValueError: there is none, or more than one.
    """
    if path.is_dir():
        if format in (None, "hf") and any((path / name).is_file() for name in HF_FILES):
            return path, "hf"
        if format == "hf":
            raise ValueError(f"{path}: expected a folder of `save_to_disk`, with {' or '.join(HF_FILES)}")
        suffixes = [f".{format}"] if format in ("json", "parquet") else [".jsonl"] if format else [".jsonl", ".parquet"]
        found = sorted(item for item in path.iterdir() if item.suffix in suffixes)
        if len(found) != 1:
            names = ", ".join(item.name for item in found[:5]) or "none"
            raise ValueError(f"{path}: expected one file that ends in {' or '.join(suffixes)}, found {names}")
        path = found[0]
    if format == "hf":
        raise ValueError(f"{path}: a file, expected a folder of `save_to_disk`")
    known = format or SUFFIXES.get(path.suffix)
    if known is None:
        raise ValueError(f"{path}: ends in neither {' nor '.join(SUFFIXES)}: name its `format`")
    return path, known


def read_rows(path: Path, format: Format) -> Iterator[Raw]:
    """Yield the rows of what `find_data` found. Raises ValueError: it is not of that format."""
    readers = {"json": read_list, "parquet": read_parquet, "hf": read_dataset}
    return readers.get(format, read_lines)(path)


def read_lines(path: Path) -> Iterator[Raw]:
    """Yield the rows of a file with a JSON object a line; empty lines are none."""
    with open(path, "rb") as file:
        number = 0
        while line := file.readline(MOST_BYTES + 1):
            number += 1
            where = f"{path.name}:{number}"
            if len(line) > MOST_BYTES:
                while line and not line.endswith(b"\n"):
                    line = file.readline(MOST_BYTES)
                yield Raw(where, error=f"longer than {MOST_BYTES} bytes")
                continue
            text = line.removeprefix(b"\xef\xbb\xbf").strip()
            if text:
                yield _decode(where, text)


def read_list(path: Path) -> Iterator[Raw]:
    """Yield the objects of a file that holds a JSON list, numbered from 1."""
    try:
        rows = msgspec.json.decode(path.read_bytes(), type=list[Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OSError) as error:
        raise ValueError(f"{path}: no JSON list: {_line(error)}") from None
    for number, fields in enumerate(rows, start=1):
        yield _object(f"{path.name}:{number}", fields)


def _decode(where: str, text: bytes) -> Raw:
    try:
        return _object(where, msgspec.json.decode(text))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Raw(where, error=f"no JSON: {error}")


def _object(where: str, value: Any) -> Raw:
    if not isinstance(value, dict):
        return Raw(where, error=f"a JSON {type(value).__name__}, expected an object")
    return Raw(where, value)


def read_parquet(path: Path) -> Iterator[Raw]:
    """Yield the rows of a Parquet file, numbered from 1."""
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=256):
                for fields in batch.to_pylist():
                    number += 1
                    yield Raw(f"{path.name}:{number}", fields)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        after = f" after row {number}" if number else ""
        raise ValueError(f"{path}: no Parquet file{after}: {_line(error)}") from None


def read_dataset(path: Path) -> Iterator[Raw]:
    """Yield the rows of a folder of `datasets`, of all its splits, numbered from 1; pictures as their bytes."""
    import datasets

    try:
        loaded = datasets.load_from_disk(str(path), keep_in_memory=True)
        splits = loaded if isinstance(loaded, datasets.DatasetDict) else {"": loaded}
        for split, rows in splits.items():
            rows = _undecoded(rows)
            for number in range(len(rows)):
                yield Raw(f"{split or path.name}:{number + 1}", rows[number])
    except Exception as error:  # a foreign folder: whatever that library makes of it
        raise ValueError(f"{path}: no folder of `save_to_disk`: {_line(error)}") from None


def _undecoded(rows: Any) -> Any:
    """Return a dataset whose pictures are read as bytes, so that they are checked before they are decoded."""
    import datasets

    for name, feature in rows.features.items():
        if isinstance(feature, datasets.Image):
            rows = rows.cast_column(name, datasets.Image(decode=False))
        elif isinstance(feature, datasets.List) and isinstance(feature.feature, datasets.Image):
            rows = rows.cast_column(name, datasets.List(datasets.Image(decode=False)))
    return rows


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
