"""Tables: aligned columns for a terminal, HTML for a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence


def text_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table with aligned columns."""
    widths = [max(len(row[n]) for row in [header, *rows]) for n in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in [header, *rows]
    )


def html_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]], below: str = "") -> str:
    """Return a table as HTML, with a line below."""
    lines = [_row("th", header), *(_row("td", row) for row in rows)]
    return f"<table>{''.join(lines)}</table><p>{html.escape(below)}</p>"


def _row(tag: str, cells: tuple[str, ...]) -> str:
    inner = "".join(f'<{tag} style="text-align: left">{html.escape(cell)}</{tag}>' for cell in cells)
    return f"<tr>{inner}</tr>"
