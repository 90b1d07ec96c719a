"""Telling: what artifacts say of themselves, as lines for people."""

from __future__ import annotations

import itertools
from types import NoneType
from typing import Any

from store.errors import one_line

LONG = 24  # characters of a list's item, from which every item has a line of its own


def fact_lines(facts: dict[str, Any], indent: str = "") -> list[str]:
    """Return facts as lines, tables in them indented; those of the same few facts that come first are lines under one
    head."""
    tables = dict(itertools.takewhile(lambda fact: isinstance(fact[1], dict), facts.items()))
    if _are_rows(tables):
        rows = [
            ("", *next(iter(tables.values()))),
            *((one_line(str(k)), *map(_round, v.values())) for k, v in tables.items()),
        ]
        widths = [max(len(str(cell)) for cell in column) for column in zip(*rows)]
        aligned = ("  ".join(f"{cell!s:<{width}}" for cell, width in zip(row, widths)).rstrip() for row in rows)
        rest = {name: value for name, value in facts.items() if name not in tables}
        return [*(f"{indent}{line}" for line in aligned), *fact_lines(rest, indent)]
    lines = []
    for told, value in facts.items():
        name = one_line(str(told))
        if isinstance(value, dict):
            lines += [f"{indent}{name}", *fact_lines(value, indent + "  ")]
        elif isinstance(value, (list, tuple)) and any(len(str(item)) > LONG for item in value):
            lines += [f"{indent}{name}", *(f"{indent}  {_round(item)}" for item in value)]
        else:
            lines.append(f"{indent}{name}  {_round(value)}")
    return lines


def _are_rows(facts: dict[str, Any]) -> bool:
    """Tell whether facts are two or more tables of the same few numbers, short texts, and what is not known."""
    tables = list(facts.values())
    if len(tables) < 2 or not all(isinstance(table, dict) and len(table) in range(2, 9) for table in tables):
        return False
    cells = [cell for table in tables for cell in table.values()]
    return all(table.keys() == tables[0].keys() for table in tables) and all(
        isinstance(cell, (int, float, str, NoneType)) and len(str(cell)) <= LONG for cell in cells
    )


def _round(value: Any) -> Any:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str):
        return one_line(value)
    return "  ".join(str(_round(item)) for item in value) if isinstance(value, (list, tuple)) else value
