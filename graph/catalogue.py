"""The catalogue: every registered kind in Markdown, from its docstring, its signature and its params."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from pathlib import Path

from graph.kinds import Kind, find_kind
from graph.show import describe_params
from store.open import type_name

SECTION = re.compile(r"(Args|Returns|Raises|Example):")


def write_catalogue(names: Iterable[str]) -> str:
    """Return the catalogue of these kinds. Raises KindError: one of them cannot be imported."""
    kinds = [find_kind(name, Path()) for name in names]
    head = "# Kinds\n\nWhat specs can name. Written by `dataflow kinds --markdown`, out of the kinds themselves."
    families = dict.fromkeys(kind.name.partition(".")[0] for kind in kinds)
    links = " · ".join(f"[{kind.name}](#{re.sub(r'[^a-z0-9_-]', '', kind.name)})" for kind in kinds)
    parts = [head, links]
    for family in families:
        parts += [_kind(kind) for kind in kinds if kind.name.partition(".")[0] == family]
    return "\n\n".join(parts) + "\n"


def _kind(kind: Kind) -> str:
    rows = []
    for name, wanted in kind.inputs.items():
        notes = (
            ["one action an entry" if name == kind.facts.each else "by the same key"] if wanted.is_mapped else []
        ) + (["may be absent"] if wanted.is_optional else [])
        rows.append(f"| `{name}` | `{type_name(wanted.type)}` | {', '.join(notes)} |")
    inputs = ["| input | type | |\n|---|---|---|\n" + "\n".join(rows)] if rows else []
    params = describe_params(kind.params, "")
    told = ["params\n\n" + "\n".join(f"    {line}".rstrip() for line in params)] if params else []
    return "\n\n".join([f"## {kind.name}", _about(kind), *inputs, f"gives `{type_name(kind.gives)}`", *told])


def _about(kind: Kind) -> str:
    """Return a docstring: what stands under Args and the like as it is indented there."""
    lines: list[str] = []
    inside = False
    for line in (inspect.getdoc(kind.function) or "").splitlines():
        inside = bool(SECTION.fullmatch(line)) or (inside and (not line or line.startswith(" ")))
        if inside and SECTION.fullmatch(line) and lines and lines[-1]:
            lines.append("")
        lines.append(f"    {line}".rstrip() if inside and line else line)
    return "\n".join(lines)
