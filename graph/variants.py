"""Variants: what `[variants]` lists, each a set of settings over the spec. What two of them share: `graph.sharing`.

A grid varies keys, each through a list of values; arms have names, and each sets what it likes. Every arm is run with
every combination of the grid's values. A list of tables is arms without a grid.

    [variants]                                          [[variants]]
    "experiment.seed" = [7, 8, 9]                       name = "few"
    [variants.arms.no_feedback]                         "nodes.data.params.count" = 3
    "nodes.feedback.params.budget" = 0
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from graph.document import Document, Written, check_key, lay_over, nest, split_key
from graph.errors import nearest
from graph.params import Mistakes

VARYING = ("experiment", "tables", "nodes", "rounds")
VARIANT_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
SHOWN = 24  # characters of a value in a label
ARMS = "arms"
ARM = ""  # the axis of the arms; those of the grid go by their keys' short names

Key = tuple[str, ...]


class Variant(msgspec.Struct, frozen=True):
    """One variant: its name in labels (`uniform,low=0.1,seed=7`), and what it sets.

    Attributes:
        axes: axis -> what labels say of its place there: `{"": "uniform", "seed": "seed=7"}`; no "" without arms.
        texts: short name of each key -> its value as labels say it; those of the grid first.
        settings: the key's parts -> its value.
    """

    name: str
    axes: dict[str, str]
    texts: dict[str, str]
    settings: dict[Key, Any]


def apply_variant(document: Document, variant: Variant) -> Document:
    """Return the document with what a variant sets, and without variants."""
    tables = {key: value for key, value in document.tables.items() if key != "variants"}
    for parts, value in variant.settings.items():
        tables = lay_over(tables, nest(list(parts), value))
    return msgspec.structs.replace(document, tables=tables)


def read_variants(document: Document, mistakes: Mistakes) -> list[Variant]:
    """Return the variants of a spec, none if it has no `[variants]`. A key that `--set` fixes varies no more."""
    table = document.tables.get("variants", {})
    if isinstance(table, list) and all(isinstance(item, dict) for item in table):
        grid, arms = {}, _read_arms(document, _named(table, mistakes), mistakes, "variants")
    elif isinstance(table, dict):
        grid = _read_grid(document, {key: value for key, value in table.items() if key != ARMS}, mistakes)
        arms = _read_arms(document, _arms_of(table, mistakes), mistakes, f"variants.{ARMS}.")
    else:
        mistakes.add("", f"variants = {table!r}", "expected a table [variants] or several [[variants]]")
        return []
    keys = list(dict.fromkeys([*grid, *(key for row in arms.values() for key in row)]))
    short = dict(zip(keys, _short_names(keys)))
    for name, key in ((name, key) for name, row in arms.items() for key in row if key in grid):
        mistakes.add(f"variants.{ARMS}.{name}", _dotted(key), "[variants] varies it already")
    return list(_combine(grid, arms, short))


def _combine(grid: dict[Key, list[Any]], arms: dict[str, dict[Key, Any]], short: dict[Key, str]) -> Iterator[Variant]:
    """Yield every arm with every combination of the grid's values."""
    if not grid and not arms:
        return
    texts = {key: _texts(values) for key, values in grid.items()}
    for name, row in arms.items() or [("", {})]:
        for numbers in itertools.product(*(range(len(values)) for values in grid.values())):
            said = {short[key]: texts[key][n] for key, n in zip(grid, numbers)}
            axes = {**({ARM: name} if name else {}), **{key: f"{key}={text}" for key, text in said.items()}}
            said |= {short[key]: _text(value) for key, value in row.items()}
            settings = {key: _plain(grid[key][n]) for key, n in zip(grid, numbers)}
            settings |= {key: _plain(value) for key, value in row.items()}
            yield Variant(",".join(axes.values()), axes, said, settings)


def _read_grid(document: Document, table: dict[str, Any], mistakes: Mistakes) -> dict[Key, list[Any]]:
    axes: dict[Key, list[Any]] = {}
    for parts, values in _keys(document, table, mistakes, "variants"):
        if not isinstance(values, list) or not values:
            mistakes.add("variants", f"{_dotted(parts)} = {values!r}", "expected a list of values")
        elif twice := _repeated(values):
            mistakes.add("variants", f"{_dotted(parts)} = {values!r}", f"{twice[0]!r} stands there twice")
        else:
            axes[parts] = values
    return axes


def _repeated(values: list[Any]) -> list[Any]:
    """Return the values that stand there before; 1 and 1.0 are two, as in keys."""
    seen = [repr(_plain(value)) for value in values]
    return [value for n, value in enumerate(values) if seen[n] in seen[:n]]


def _named(tables: list[dict[str, Any]], mistakes: Mistakes) -> dict[str, Any]:
    """Return the tables of a list by the names that they have."""
    named: dict[str, Any] = {}
    for number, table in enumerate(tables, 1):
        name = table.get("name")
        if not isinstance(name, str):
            expected = "expected letters, digits, '.', '_' and '-'"
            mistakes.add("variants", f"name = {name!r}" if "name" in table else f"{number}: name", expected)
        elif name in named:
            mistakes.add("variants", f"name = {name!r}", "stands there twice")
        named[str(name)] = {key: value for key, value in table.items() if key != "name"}
    return named


def _arms_of(table: dict[str, Any], mistakes: Mistakes) -> dict[str, Any]:
    arms = table.get(ARMS, {})
    if not isinstance(arms, dict):
        mistakes.add("variants", f"{ARMS} = {arms!r}", f"expected tables [variants.{ARMS}.NAME]")
        return {}
    for name in [name for name, row in arms.items() if not isinstance(row, dict)]:
        mistakes.add(f"variants.{ARMS}", f"{name} = {arms[name]!r}", "expected a table of what the arm sets")
    return {name: row for name, row in arms.items() if isinstance(row, dict)}


def _read_arms(document: Document, arms: dict[str, Any], mistakes: Mistakes, where: str) -> dict[str, dict[Key, Any]]:
    """Return what each arm sets. `where` tells its table in the file; the name follows a dot at its end."""
    for name in (name for name in arms if not VARIANT_NAME.fullmatch(name)):
        mistakes.add(where.rstrip("."), f"name = {name!r}", "expected letters, digits, '.', '_' and '-'")
    return {
        name: dict(_keys(document, row, mistakes, f"{where}{name}" if where.endswith(".") else where))
        for name, row in arms.items()
    }


def _keys(document: Document, table: dict[str, Any], mistakes: Mistakes, where: str) -> Iterator[tuple[Key, Any]]:
    """Yield the keys of a table with their values: `"a.b" = 1` and `a.b = 1` are the same here."""
    known = {key: document.tables.get(key, {}) for key in VARYING}
    for parts, value in _flat(table, []):
        key = _dotted(parts)
        if key in document.fixed:
            continue
        if parts[0] not in VARYING or len(parts) < 2 or key == "experiment.name":
            near = nearest(parts[0], VARYING) or f"; what may vary: {', '.join(VARYING)}"
            mistakes.add(where, key, f"cannot vary{near}")
        elif problem := check_key(known, parts):
            mistakes.add(where, key, problem)
        else:
            yield tuple(parts), value


def _flat(table: dict[str, Any], before: list[str]) -> Iterator[tuple[list[str], Any]]:
    for key, value in table.items():
        parts = [*before, *(split_key(key) or [key])]
        if isinstance(value, dict) and value:
            yield from _flat(value, parts)
        else:
            yield parts, value


def _short_names(keys: list[Key]) -> list[str]:
    """Return the shortest ending of each key that no other one has: `low`, `selected.low`; `params` says nothing."""
    names = []
    for key in keys:
        others = [_telling(other) for other in keys if other != key]
        words = _telling(key) if _telling(key) not in others else key
        endings = (words[-n:] for n in range(1, len(words) + 1))
        short = (end for end in endings if all(other[-len(end) :] != end for other in others))
        names.append(".".join(next(short, words)))
    return names


def _telling(key: Key) -> Key:
    return tuple(part for part in key if part not in ("nodes", "params", "tables", "experiment"))


def _texts(values: list[Any]) -> list[str]:
    """Return what labels say of the values of one key: distinct, if need be by number."""
    texts = [_text(value) for value in values]
    return texts if len(set(texts)) == len(texts) else [f"#{n}" for n in range(1, len(values) + 1)]


def _text(value: Any) -> str:
    if isinstance(value, Written):
        return value.text
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        value = "+".join(_text(item) for item in value)
    return re.sub(r"[^\w.+-]+", "-", str(value))[:SHOWN]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return float(value) if isinstance(value, float) else value


def _dotted(parts: Key | list[str]) -> str:
    return ".".join(parts)
