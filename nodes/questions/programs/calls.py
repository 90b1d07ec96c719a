"""Calls of the scene API as text, for programs that templates write."""

from __future__ import annotations

import json


def call(name: str, *args: str | float, **named: str | float) -> str:
    """Return the source of a call, whatever characters a label has.

    Example:
        >>> call("exists", "red box", frame=3)
        'exists("red box", frame=3)'
    """
    words = [_literal(value) for value in args] + [f"{key}={_literal(value)}" for key, value in named.items()]
    return f"{name}({', '.join(words)})"


def _literal(value: str | float) -> str:
    if not isinstance(value, str):
        return repr(value)
    if value.isprintable() and '"' not in value and "\\" not in value:
        return f'"{value}"'
    # JSON's text is Python's as well, as long as only control characters, quotes and backslashes are escaped
    return json.dumps(value, ensure_ascii=False)
