"""Changes: the parts of an action that differ from another action's, as people say them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from store.errors import one_line

NAMED = re.compile(r"(.+) ([0-9a-f]{12})")  # a Named object in a record: its name and the beginning of its code
SHOWN = 48  # characters of a value that a line shows


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One part of an action that differs: `params.low`, `code`, `input scenes`, `package torch`, `seed`.

    `before` and `after` are its values, None where it is absent; `detail` says more than two digests do.
    """

    part: str
    before: Any = None
    after: Any = None
    detail: str = ""

    @property
    def input(self) -> str:
        """The input's name if it is one that was there before and is there now; else ""."""
        is_input = self.part.startswith("input ") and self.before is not None and self.after is not None
        return self.part.removeprefix("input ") if is_input else ""

    @property
    def is_version(self) -> bool:
        """Tell whether it is the version of something installed."""
        return self.part == "python" or self.part.startswith("package ")

    def text(self) -> str:
        """Return it in one line; the other side may come from another's record."""
        return one_line(self._told())

    def _told(self) -> str:
        if self.part == "code":
            return f"code {self.detail}" if self.detail else "project code changed"
        if self.part == "seed":
            return "seed changed"  # derived numbers of 19 digits: they tell nobody anything
        if self.input:
            return f"{self.part} {self.detail or 'changed'}"
        if self.part.startswith("input "):
            return f"{self.part} {'was absent' if self.before is None else 'is absent now'}"
        if self.is_version:
            return f"{self.part} {self.before or 'absent'} -> {self.after or 'absent'}"
        return f"{self.part} {shown(self.before)} -> {shown(self.after)}"


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """Return the parts in which two described actions differ, what people edit first.

    An action's own element is not compared: what is compared are whole nodes.
    """
    changes = [Change(name, before.get(name), after.get(name)) for name in ("kind", "version")]
    changes += [Change("code", before.get("code"), after.get("code"))]
    changes += list(_leaves("params", before.get("params", {}), after.get("params", {})))
    changes += [Change(f"input {name}", *pair) for name, pair in _pairs(before, after, "inputs")]
    for name, pair in _pairs(before, after, "packages"):
        changes.append(Change(name if name == "python" else f"package {name}", *pair))
    changes += [Change(name, before.get(name), after.get(name)) for name in ("threads", "seed")]
    found: dict[str, Change] = {}
    for change in changes:
        if change.before != change.after:
            found.setdefault(change.part, change)  # code is told once, be it the function's or a named object's
    return list(found.values())


def near_miss(changes: list[Change]) -> str:
    """Return what alone stands between an action and a record, if that is installed versions; else ""."""
    if not changes or not all(change.is_version for change in changes):
        return ""
    versions = [
        f"{change.part.removeprefix('package ')} {change.after or 'absent'} (record has {change.before or 'none'})"
        for change in changes
    ]
    return one_line(f"would hit but for {', '.join(versions)}")


def sentence(changes: list[Change], roots: list[str]) -> str:
    """Return all changes in one line, with the roots behind the inputs that changed."""
    texts = [change.text() for change in changes if not change.input or change.detail]
    inputs = [change.input for change in changes if change.input and not change.detail]
    if inputs:
        behind = f" ({listed(roots, 2)})" if roots else ""
        texts.append(f"input {', '.join(inputs)} changed{behind}")
    return "; ".join(texts)


def listed(names: list[str], limit: int) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"{', '.join(names[:limit])}{more}"


def shown(value: Any) -> str:
    """Return a value as a line shows it: JSON, cut where it is long."""
    text = "absent" if value is None else msgspec.json.encode(value).decode()
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 4]} ..."


def _pairs(before: dict[str, Any], after: dict[str, Any], table: str) -> Iterator[tuple[str, tuple[Any, Any]]]:
    old, new = before.get(table, {}), after.get(table, {})
    for name in sorted(old.keys() | new.keys()):
        yield name, (old.get(name), new.get(name))


def _leaves(name: str, before: Any, after: Any) -> Iterator[Change]:
    """Yield the innermost params: tables and lists of equal length are gone into."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from _leaves(f"{name}.{key}", before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after)):
            yield from _leaves(f"{name}[{index}]", old, new)
    else:
        old, new = _named(before), _named(after)
        is_code = old is not None and new is not None and old[1] == new[1]
        yield Change("code", before, after) if is_code else Change(name, before, after)


def codes_of(action: dict[str, Any]) -> list[str]:
    """Return the code digests of an action: of its function and, their beginnings, of objects that its params name."""
    found, pending = [action.get("code", "")], [action.get("params", {})]
    while pending:
        value = pending.pop()
        if isinstance(value, dict | list):
            pending += value.values() if isinstance(value, dict) else value
        elif named := _named(value):
            found.append(named[2])
    return found


def _named(value: Any) -> re.Match[str] | None:
    return NAMED.fullmatch(value) if isinstance(value, str) else None
