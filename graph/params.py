"""Params: TOML tables to the frozen Structs that kinds declare, field by field, so that every mistake is told."""

from __future__ import annotations

import functools
import os
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from graph.errors import KindError, SpecError, nearest
from graph.node import External, Located, Named
from graph.registry import find_code, find_target, load_object

S = TypeVar("S", bound=msgspec.Struct)


class Mistakes:
    """The mistakes of one spec, collected while it is read.

    `origins` says of dotted keys that they stand in another file, or on the command line.
    """

    def __init__(self, file: str, origins: dict[str, str] | None = None) -> None:
        self.file = file
        self.origins = origins or {}
        self.lines: list[str] = []

    def add(self, table: str, what: str, expected: str) -> None:
        """Note one mistake: the table, the key with its value, what was expected."""
        place = " ".join(piece for piece in (f"[{table}]" if table else "", what) if piece)
        key = f"{table}.{what.partition(' = ')[0]}".strip(".")
        while key and key not in self.origins:
            key = key.rpartition(".")[0]
        self.lines.append(f"{self.origins.get(key, self.file)}: {place}: {expected}")

    def raise_any(self) -> None:
        """Raise SpecError if there are any."""
        if self.lines:
            raise SpecError(self.lines)


def check_keys(mistakes: Mistakes, where: str, table: dict[str, Any], known: set[str]) -> None:
    """Note the keys of a table that have no meaning there."""
    for key in table:
        if key not in known:
            what = key if isinstance(table[key], dict) else f"{key} = {table[key]!r}"
            listed = nearest(key, known) or f"; known: {', '.join(sorted(known))}"
            mistakes.add(where, what, f"no such key here{listed}")


def read_params(cls: type[S], table: Any, mistakes: Mistakes, where: str, folder: Path, prefix: str = "") -> S | None:
    """Return a table as `cls`; None after noting what is wrong with it.

    Args:
        folder: what External paths of the file are relative to.
        prefix: what stands before a field's name when a mistake is told.
    """
    if not isinstance(table, dict):
        mistakes.add(where, f"{prefix.rstrip('.')} = {table!r}" if prefix else "", "expected a table")
        return None
    known = fields_of(cls)
    before = len(mistakes.lines)
    for key in (key for key in table if key not in known):
        expected = nearest(key, known) or f"; known: {', '.join(known) or 'none'}"
        mistakes.add(where, f"{prefix}{key} = {table[key]!r}", f"no such param{expected}")
    values = {}
    for key, field in known.items():
        if key in table or (not field.required and mentions_named(field.type)):
            given = table[key] if key in table else as_written(default_of(field))
            values[field.name] = _read_value(field.type, given, mistakes, where, folder, f"{prefix}{key}")
        elif field.required:
            mistakes.add(where, f"{prefix}{key}", f"is missing: expected {type_text(field.type)}")
    if len(mistakes.lines) > before:
        return None
    try:
        return cls(**values)
    except (ValueError, TypeError) as error:
        mistakes.add(where, prefix.rstrip("."), str(error))
        return None


@functools.cache
def fields_of(cls: type[msgspec.Struct]) -> dict[str, Any]:
    """Return a Struct's fields by the names that specs use."""
    return {field.encode_name: field for field in msgspec.structs.fields(cls)}


def _read_value(hint: Any, value: Any, mistakes: Mistakes, where: str, folder: Path, name: str) -> Any:
    if _is_table(hint):
        return read_params(hint, value, mistakes, where, folder, f"{name}.")
    if kind := path_type(hint):
        return _read_path(kind, value, mistakes, where, folder, name)
    try:
        return msgspec.convert(as_written(_find_named(hint, value, folder)), hint)
    except KindError as error:
        mistakes.add(where, f"{name} = {value!r}", str(error))
        return None
    except msgspec.ValidationError as error:
        # Of a Literal msgspec says only that the value is not in it.
        is_choice = str(error).startswith("Invalid enum value")
        near = nearest(str(value), map(str, typing.get_args(hint))) if is_choice else ""
        expected = f"expected {type_text(hint)}{near}" if is_choice else _reword(str(error))
        mistakes.add(where, f"{name} = {value!r}", expected)
        return None


def _read_path(
    kind: type[External | Located], value: Any, mistakes: Mistakes, where: str, folder: Path, name: str
) -> External | Located | None:
    """Return where a path leads: a text, or for an External `{ path = "...", release = "..." }`."""
    given = {"path": value} if isinstance(value, str) else value
    has_release = isinstance(given, dict) and kind is External and set(given) == {"path", "release"}
    texts = given.values() if has_release else [value]
    if not all(isinstance(text, str) and text for text in texts):
        also = ', or { path = "...", release = "..." }' if kind is External else ""
        mistakes.add(where, f"{name} = {value!r}", f"expected text, a path{also}")
        return None
    base = getattr(given["path"], "folder", folder)  # of a text from elsewhere: graph.document
    place = os.path.expandvars(given["path"])
    if "${" in place:
        mistakes.add(where, f"{name} = {given['path']!r}", "this environment variable is not set")
    found = (base / Path(place).expanduser()).absolute()
    return External(found, release=str(given["release"])) if has_release else kind(found)


def mentions_named(hint: Any) -> bool:
    """Tell whether a type is or holds a Named."""
    if _is_table(hint):
        return any(mentions_named(field.type) for field in fields_of(hint).values())
    return typing.get_origin(hint) is Named or any(map(mentions_named, typing.get_args(hint)))


def _is_table(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct) and hint not in (External, Located)


def default_of(field: Any) -> Any:
    """Return the default of a field that has one."""
    return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()


def _find_named(hint: Any, value: Any, folder: Path) -> Any:
    """Return a plain value in which names of registered objects are tables of what was found. Raises KindError."""
    if not mentions_named(hint):
        return value
    if typing.get_origin(hint) in (typing.Annotated, typing.Union, types.UnionType):
        return _find_named(next(one for one in alternatives(hint) if mentions_named(one)), value, folder)
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is Named and isinstance(value, str):
        base = getattr(value, "folder", folder)
        target = find_target(value, base, f"dataflow.{arguments[0].__name__.lower()}")
        load_object(*target)
        return {"name": str(value), "target": ":".join(target), "code": find_code(*target).digest}
    if isinstance(value, dict):
        return {key: _find_named(arguments[-1], item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [_find_named(arguments[0], item, folder) for item in value]
    return value


def named_in(value: Any) -> Iterator[Named]:
    """Yield the registered objects that params name, wherever in them."""
    if isinstance(value, Named):
        yield value
    elif isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            yield from named_in(getattr(value, field))
    elif isinstance(value, (list, tuple, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from named_in(item)


def as_written(value: Any) -> Any:
    """Return a value of a param as a spec says it: plain, with registered objects by their names."""
    if isinstance(value, Named):
        return value.name
    if isinstance(value, msgspec.Struct) and not isinstance(value, (External, Located)):
        return {field.encode_name: as_written(getattr(value, field.name)) for field in fields_of(type(value)).values()}
    if isinstance(value, tuple):
        return [as_written(item) for item in value]
    if isinstance(value, dict):
        return {key: as_written(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_written(item) for item in value]
    if isinstance(value, int) and abs(value) >= 2**63:
        raise msgspec.ValidationError("Expected an integer of 64 bits")
    return str(value) if isinstance(value, str) else value


def path_type(hint: Any) -> type[External | Located] | None:
    """Return External or Located if a field holds one, maybe an absent one; else None."""
    return next((kind for kind in alternatives(hint) if kind in (External, Located)), None)


def alternatives(hint: Any) -> list[Any]:
    """Return the types that a field may hold, without what is noted: X and None of `Annotated[X, ...] | None`."""
    if typing.get_origin(hint) is typing.Annotated:
        return alternatives(typing.get_args(hint)[0])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [one for item in typing.get_args(hint) for one in alternatives(item)]
    return [hint]


def type_text(hint: Any) -> str:
    """Return a type as people write it: `int >= 1`, `'a' | 'b'`, `list[str]`, `path`."""
    if path_type(hint):
        return "path"
    if typing.get_origin(hint) is Named:
        return f"name of a {typing.get_args(hint)[0].__name__.lower()}"
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
    text = re.sub(r" - at `\$?([^`]*)`", r" at \1", text[0].lower() + text[1:])
    return re.sub(r"\bobject\b", "table", re.sub(r"\barray\b", "list", text)).replace("`", "")
