"""JSON files of scans, read as msgspec types: what is broken is told with path, line and byte, or the field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec


def read_json(path: Path, kind: Any) -> Any:
    """Return a JSON file as a type. Raises ValueError with line and byte, or the field."""
    try:
        data = path.read_bytes()
    except OSError as e:
        raise ValueError(f"{path}: {e.strerror or e}") from None
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as e:
        raise ValueError(f"{path}: {e}") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as e:
        raise ValueError(f"{path}: {_line_of(data, str(e))}") from None


def _line_of(data: bytes, message: str) -> str:
    """Return a message of msgspec's that ends in `(byte 17)` with the line of that byte; of one that names none, the
    last."""
    digits = message.rpartition("(byte ")[2].rstrip(")")
    at = int(digits) if digits.isdigit() else len(data)
    line = data.count(b"\n", 0, at) + 1
    return f"line {line}, byte {at}: {message.partition(' (byte')[0]}"
