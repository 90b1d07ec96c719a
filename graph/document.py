"""Documents: the text of a spec to one table, with what the files that it extends and the command line say.

`extends = "base.toml"` lays a spec over another: tables merge, deep inside too, and what the extending file says wins.
A node that gets an `artifact` in place of its kind, or a kind in place of its artifact, is replaced whole. Every text
knows the folder that paths in it are relative to, every mistake the file in which it stands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from graph.errors import SpecError, nearest
from graph.params import Mistakes

COMMAND_LINE = "--set"
NAMED = ("nodes", "arms")  # tables whose keys are names: one that is false is none


class Text(str):
    """A text from elsewhere than the spec's own file: a path in it is relative to `folder`."""

    folder: Path

    def __new__(cls, text: str, folder: Path) -> Text:
        """Make one."""
        made = super().__new__(cls, text)
        made.folder = folder
        return made


class Written(float):
    """A float of `[variants]`, which keeps how it was written: labels say 1e-5, not 1e-05."""

    def __new__(cls, text: str) -> Written:
        """Make one."""
        made = super().__new__(cls, text)
        made.text = text
        return made

    text: str


class Document(msgspec.Struct, frozen=True):
    """What a spec says, unchecked. `fixed` holds the dotted keys that the command line sets."""

    path: Path
    text: str
    tables: dict[str, Any]
    fixed: set[str]


def read_document(path: Path, settings: list[str], mistakes: Mistakes) -> Document:
    """Read a spec, the files that it extends, and settings in place of what they say.

    Raises:
        SpecError: a file is missing, no TOML, or extends itself.
    """
    text, tables = _read_file(path)
    chain = _read_chain(path, tables)
    if chain:
        texts = [f"# {path}\n{text}", *(f"# {base}\n{written}" for base, written, _ in chain)]
        text = "\n".join(texts)
        merged: dict[str, Any] = {}
        for file, _, found in [*reversed(chain), (path, "", tables)]:
            is_beside = file.parent.resolve() == path.parent.resolve()
            merged = lay_over(merged, found if is_beside else _owned(found, file.parent))
            _note_origins(found, str(file), mistakes.origins)
        tables = merged
    fixed = set()
    for setting in settings:
        key, _, value = setting.partition("=")
        parts = split_key(key)
        problem = check_key(tables, parts) if len(parts) > 1 and "=" in setting else "expected table.key=value"
        if problem:
            mistakes.add("", f"--set {setting!r}", problem)
            continue
        own = nest(parts, _owned(_read_value(value), Path()))
        tables = lay_over(tables, own)
        fixed.add(".".join(parts))
        mistakes.origins[".".join(parts)] = COMMAND_LINE
    return Document(path, text, tables, fixed)


def lay_over(base: dict[str, Any], own: dict[str, Any], is_named: bool = False) -> dict[str, Any]:
    """Return `base` with what `own` says: tables merge, everything else of `own` wins. Neither is changed.

    A node or an arm that `own` says is `false` is left out.
    """
    merged = dict(base)
    for key, value in own.items():
        if is_named and value is False and key in base:
            del merged[key]
            continue
        under = base.get(key)
        if isinstance(value, dict) and isinstance(under, dict) and not (is_named and _replaces(value, under)):
            value = lay_over(under, value, key in NAMED)
        merged[key] = value
    return merged


def _replaces(node: dict[str, Any], base: dict[str, Any]) -> bool:
    return ("artifact" in node and "kind" in base) or ("kind" in node and "artifact" in base)


def nest(parts: list[str], value: Any) -> dict[str, Any]:
    """Return tables that hold one value: `["a", "b"], 1` -> `{"a": {"b": 1}}`."""
    for part in reversed(parts):
        value = {part: value}
    return value


def split_key(key: str) -> list[str]:
    """Return the parts of a dotted key as TOML reads it, none if it is no key."""
    import tomli

    try:
        inner: Any = tomli.loads(f"{key} = 0")
    except tomli.TOMLDecodeError:
        return []
    parts: list[str] = []
    while isinstance(inner, dict) and len(inner) == 1:
        ((part, inner),) = inner.items()
        parts.append(part)
    return parts


def check_key(tables: dict[str, Any], parts: list[str]) -> str:
    """Return what is wrong with a dotted key that is to be set; "" where its tables are there, or can be."""
    for depth, part in enumerate(parts[:-1]):
        if part not in tables and depth == 1 and parts[0] in ("nodes", "tables"):
            return f"no {parts[0][:-1]} is named {part!r}{nearest(part, tables)}"
        tables = tables.get(part, {})
        if not isinstance(tables, dict):
            return f"{'.'.join(parts[: depth + 1])} is no table"
    return ""


def _read_file(path: Path) -> tuple[str, dict[str, Any]]:
    import tomli

    try:
        text = path.read_text(encoding="utf-8")
        tables = tomli.loads(text)
    except FileNotFoundError:
        raise SpecError([f"{path}: no such file{_nearest_file(path)}"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError([f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"]) from None
    except tomli.TOMLDecodeError as error:
        raise SpecError([f"{path}: not TOML: {error}"]) from None
    if "variants" in tables:
        tables["variants"] = tomli.loads(text, parse_float=Written)["variants"]
    return text, tables


def _nearest_file(path: Path) -> str:
    return nearest(path.name, [other.name for other in path.parent.glob("*.toml")])


def _read_chain(path: Path, tables: dict[str, Any]) -> list[tuple[Path, str, dict[str, Any]]]:
    """Return the files that a spec extends, nearest first; `extends` is taken out of all tables."""
    chain: list[tuple[Path, str, dict[str, Any]]] = []
    seen = [path]
    while "extends" in tables:
        name, file = tables.pop("extends"), seen[-1]
        place = f"{file}: extends = {name!r}"
        if not isinstance(name, str):
            raise SpecError([f"{place}: expected text, a path"])
        base = file.parent / Path(name).expanduser()
        if base.resolve() in [earlier.resolve() for earlier in seen]:
            raise SpecError([f"{place}: a cycle: {' -> '.join(str(item) for item in [*seen, base])}"])
        if not base.exists():
            raise SpecError([f"{place}: no such file{_nearest_file(base)}"])
        text, tables = _read_file(base)
        chain.append((base, text, tables))
        seen.append(base)
    return chain


def _read_value(text: str) -> Any:
    import tomli

    try:
        return tomli.loads(f"value = {text}")["value"]
    except tomli.TOMLDecodeError:
        return text


def _owned(value: Any, folder: Path) -> Any:
    """Return a value whose texts know the folder they belong to."""
    if isinstance(value, dict):
        return {key: _owned(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [_owned(item, folder) for item in value]
    return Text(value, folder) if isinstance(value, str) else value


def _note_origins(tables: dict[str, Any], file: str, origins: dict[str, str], prefix: str = "") -> None:
    for key, value in tables.items():
        origins[f"{prefix}{key}"] = file
        if isinstance(value, dict):
            _note_origins(value, file, origins, f"{prefix}{key}.")
