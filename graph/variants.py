"""Variants: what `[variants]` lists, each a set of settings over the spec. What two of them share: `graph.sharing`.

A grid varies keys, each through a list of values; with several keys every combination is a variant. A list of tables
names each variant and what it sets.

    [variants]                                          [[variants]]
    "nodes.selected.params.low" = [0.1, 0.3]            name = "no_feedback"
    "experiment.seed" = [7, 8]                          "nodes.feedback.params.budget" = 0
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


class Variant(msgspec.Struct, frozen=True):
    """One variant: its name in labels (`low=0.1,seed=7`), and what it sets.

    Attributes:
        texts: short name of each key -> its value as labels say it, in the order of the spec.
        settings: the key's parts -> its value.
        is_grid: its name is made of `texts`.
    """

    name: str
    texts: dict[str, str]
    settings: dict[tuple[str, ...], Any]
    is_grid: bool


def apply_variant(document: Document, variant: Variant) -> Document:
    """Return the document with what a variant sets, and without variants."""
    tables = {key: value for key, value in document.tables.items() if key != "variants"}
    for parts, value in variant.settings.items():
        tables = lay_over(tables, nest(list(parts), value))
    return msgspec.structs.replace(document, tables=tables)


def read_variants(document: Document, mistakes: Mistakes) -> list[Variant]:
    """Return the variants of a spec, none if it has no `[variants]`. A key that `--set` fixes varies no more."""
    table = document.tables.get("variants", {})
    if isinstance(table, dict):
        return _read_grid(document, table, mistakes)
    if not isinstance(table, list) or not all(isinstance(item, dict) for item in table):
        mistakes.add("", f"variants = {table!r}", "expected a table [variants] or several [[variants]]")
        return []
    return _read_list(document, table, mistakes)


def _read_grid(document: Document, table: dict[str, Any], mistakes: Mistakes) -> list[Variant]:
    axes: dict[tuple[str, ...], list[Any]] = {}
    for parts, values in _keys(document, table, mistakes):
        if isinstance(values, list) and values:
            axes[parts] = values
        else:
            mistakes.add("variants", f"{_dotted(parts)} = {values!r}", "expected a list of values")
    names = _short_names(list(axes))
    texts = [_texts(values) for values in axes.values()]
    variants = []
    for numbers in itertools.product(*(range(len(values)) for values in axes.values())) if axes else ():
        said = {name: column[n] for name, column, n in zip(names, texts, numbers)}
        settings = {parts: _plain(values[n]) for (parts, values), n in zip(axes.items(), numbers)}
        variants.append(Variant(",".join(f"{name}={text}" for name, text in said.items()), said, settings, True))
    return variants


def _read_list(document: Document, tables: list[dict[str, Any]], mistakes: Mistakes) -> list[Variant]:
    rows: dict[str, dict[tuple[str, ...], Any]] = {}
    for number, table in enumerate(tables, 1):
        name = table.get("name")
        if not isinstance(name, str) or not VARIANT_NAME.fullmatch(name):
            expected = "expected letters, digits, '.', '_' and '-'"
            mistakes.add("variants", f"name = {name!r}" if "name" in table else f"{number}: name", expected)
        elif name in rows:
            mistakes.add("variants", f"name = {name!r}", "stands there twice")
        else:
            rows[name] = {}
        said = {key: value for key, value in table.items() if key != "name"}
        rows.setdefault(str(name), {}).update(_keys(document, said, mistakes))
    keys = list(dict.fromkeys(key for row in rows.values() for key in row))
    short = dict(zip(keys, _short_names(keys)))
    return [
        Variant(
            name,
            {short[key]: _text(value) for key, value in row.items()},
            {key: _plain(value) for key, value in row.items()},
            is_grid=False,
        )
        for name, row in rows.items()
    ]


def _keys(document: Document, table: dict[str, Any], mistakes: Mistakes) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the keys of a table with their values: `"a.b" = 1` and `a.b = 1` are the same here."""
    known = {key: document.tables.get(key, {}) for key in VARYING}
    for parts, value in _flat(table, []):
        key = _dotted(parts)
        if key in document.fixed:
            continue
        if parts[0] not in VARYING or len(parts) < 2 or key == "experiment.name":
            near = nearest(parts[0], VARYING) or f"; what may vary: {', '.join(VARYING)}"
            mistakes.add("variants", key, f"cannot vary{near}")
        elif problem := check_key(known, parts):
            mistakes.add("variants", key, problem)
        else:
            yield tuple(parts), value


def _flat(table: dict[str, Any], before: list[str]) -> Iterator[tuple[list[str], Any]]:
    for key, value in table.items():
        parts = [*before, *(split_key(key) or [key])]
        if isinstance(value, dict) and value:
            yield from _flat(value, parts)
        else:
            yield parts, value


def _short_names(keys: list[tuple[str, ...]]) -> list[str]:
    """Return the shortest ending of each key that no other one has: `low`, `selected.low`; `params` says nothing."""
    names = []
    for key in keys:
        others = [_telling(other) for other in keys if other != key]
        words = _telling(key) if _telling(key) not in others else key
        endings = (words[-n:] for n in range(1, len(words) + 1))
        short = (end for end in endings if all(other[-len(end) :] != end for other in others))
        names.append(".".join(next(short, words)))
    return names


def _telling(key: tuple[str, ...]) -> tuple[str, ...]:
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


def _dotted(parts: tuple[str, ...] | list[str]) -> str:
    return ".".join(parts)
