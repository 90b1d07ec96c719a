"""Params: TOML tables to the frozen Structs that kinds declare, field by field, so that every mistake is told."""

from __future__ import annotations

import os
import re
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from graph.errors import SpecError, nearest
from graph.node import External

S = TypeVar("S", bound=msgspec.Struct)


class Mistakes:
    """The mistakes of one spec, collected while it is read."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: list[str] = []

    def add(self, table: str, what: str, expected: str) -> None:
        """Note one mistake: the table, the key with its value, what was expected."""
        place = " ".join(piece for piece in (f"[{table}]" if table else "", what) if piece)
        self.lines.append(f"{self.file}: {place}: {expected}")

    def raise_any(self) -> None:
        """Raise SpecError if there are any."""
        if self.lines:
            raise SpecError(self.lines)


def read_params(cls: type[S], table: Any, mistakes: Mistakes, where: str, folder: Path, prefix: str = "") -> S | None:
    """Return a table as `cls`; None after noting what is wrong with it.

    Args:
        folder: what External paths of the file are relative to.
        prefix: what stands before a field's name when a mistake is told.
    """
    if not isinstance(table, dict):
        mistakes.add(where, f"{prefix.rstrip('.')} = {table!r}" if prefix else "", "expected a table")
        return None
    known = {field.encode_name: field for field in msgspec.structs.fields(cls)}
    before = len(mistakes.lines)
    for key in (key for key in table if key not in known):
        expected = nearest(key, known) or f"; known: {', '.join(known) or 'none'}"
        mistakes.add(where, f"{prefix}{key} = {table[key]!r}", f"no such param{expected}")
    values = {}
    for key, field in known.items():
        if key in table:
            values[field.name] = _read_value(field.type, table[key], mistakes, where, folder, f"{prefix}{key}")
        elif field.required:
            mistakes.add(where, f"{prefix}{key}", f"is missing: expected {type_text(field.type)}")
    if len(mistakes.lines) > before:
        return None
    try:
        return cls(**values)
    except (ValueError, TypeError) as error:
        mistakes.add(where, prefix.rstrip("."), str(error))
        return None


def _read_value(hint: Any, value: Any, mistakes: Mistakes, where: str, folder: Path, name: str) -> Any:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct) and hint is not External:
        return read_params(hint, value, mistakes, where, folder, f"{name}.")
    if is_external(hint) and isinstance(value, str):
        # A Setting comes from the command line, where paths are relative to the working folder.
        base = folder if type(value) is str else Path()
        place = os.path.expandvars(value)
        if "${" in place:
            mistakes.add(where, f"{name} = {value!r}", "this environment variable is not set")
        return External((base / Path(place).expanduser()).absolute())
    if is_external(hint):
        mistakes.add(where, f"{name} = {value!r}", "expected text, a path")
        return None
    try:
        return msgspec.convert(_plain(value), hint)
    except msgspec.ValidationError as error:
        # Of a Literal msgspec says only that the value is not in it.
        is_choice = str(error).startswith("Invalid enum value")
        near = nearest(str(value), map(str, typing.get_args(hint))) if is_choice else ""
        expected = f"expected {type_text(hint)}{near}" if is_choice else _reword(str(error))
        mistakes.add(where, f"{name} = {value!r}", expected)
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def is_external(hint: Any) -> bool:
    """Tell whether a field holds an External, maybe an absent one."""
    return hint is External or External in typing.get_args(hint)


def type_text(hint: Any) -> str:
    """Return a type as people write it: `int >= 1`, `'a' | 'b'`, `list[str]`, `path`."""
    if is_external(hint):
        return "path"
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return " ".join([type_text(arguments[0]), *(_bounds(meta) for meta in arguments[1:])]).strip()
    if origin is typing.Literal:
        return " | ".join(repr(argument) for argument in arguments)
    if origin in (typing.Union, types.UnionType):
        return " | ".join("absent" if item is type(None) else type_text(item) for item in arguments)
    if origin is not None:
        return f"{origin.__name__}[{', '.join(type_text(item) for item in arguments if item is not ...)}]"
    return getattr(hint, "__name__", str(hint))


def _bounds(meta: Any) -> str:
    signs = {
        "ge": ">=",
        "gt": ">",
        "le": "<=",
        "lt": "<",
        "min_length": "length >=",
        "max_length": "length <=",
    }
    return ", ".join(
        f"{sign} {getattr(meta, key)}" for key, sign in signs.items() if getattr(meta, key, None) is not None
    )


def _reword(text: str) -> str:
    """Turn msgspec's text into ours: "Expected `int` >= 1 - at `$[0]`" -> "expected int >= 1 at [0]"."""
    return re.sub(r" - at `\$?([^`]*)`", r" at \1", text[0].lower() + text[1:]).replace("`", "")
