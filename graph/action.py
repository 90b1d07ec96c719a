"""Actions and their keys: the identity of a computation. With `graph.code`, the only place that hashes one.

Canonical bytes are tagged and length-prefixed, so that no two values share them: `True` is not `1`, `1` is not `1.0`,
`["ab"]` is not `["a", "b"]`. Floats go by their IEEE-754 bits, with one NaN; tables by the UTF-8 bytes of their keys.
What has no canonical form is refused. Golden tests pin the bytes; a change here throws every cache away.
"""

from __future__ import annotations

import datetime
import functools
import math
import struct
import typing
from collections.abc import Callable
from typing import Any

import msgspec

from graph.errors import UnkeyableError
from graph.node import External, Located, Named
from store.digest import digest

KEY_FORMAT = 2
ARTIFACT_FORMAT = 1


class Action(msgspec.Struct, frozen=True):
    """All that a result depends on.

    Attributes:
        kind, version: as declared with `@node`.
        code: digest of the project code that its function may reach.
        params: resolved, defaults included.
        inputs: input name -> output digest; None is absent.
        element: the entry's id under `each`; None for a whole node.
        seed: None where the function draws none.
        threads: None for one thread.
        packages: distribution -> version, and `python`.
        is_map: the record of a whole map, not of one action.
    """

    kind: str
    version: int
    code: str
    params: msgspec.Struct
    inputs: dict[str, str | None]
    element: str | None
    seed: int | None
    threads: int | None
    packages: dict[str, str]
    is_map: bool = False

    def described(self) -> dict[str, Any]:
        """Return the parts of the key as JSON-able values, for records and for `plan`'s reasons."""
        described = {name: getattr(self, name) for name in self.__struct_fields__}
        described["params"] = _describe(self.params)
        return msgspec.json.decode(msgspec.json.encode(described, enc_hook=str))


def action_key(action: Action) -> str:
    """Return the key: the digest of the action's canonical bytes."""
    fields = {name: getattr(action, name) for name in action.__struct_fields__}
    return digest(canonical([KEY_FORMAT, ARTIFACT_FORMAT, fields]))


class ActionKeys:
    """The keys of actions that differ in inputs, element and seed alone: what they share is encoded once."""

    def __init__(self, action: Action) -> None:
        shared = (action.kind, action.version, action.code, tuple(action.packages.items()), action.threads)
        self._fields = {
            **_encode_shared(*shared, action.is_map),
            "params": _NAMES["params"] + canonical(action.params),
        }

    def key(self, inputs: dict[str, str | None], element: str | None, seed: int | None) -> str:
        """Return `action_key` of the action with these."""
        for name, value in (("inputs", inputs), ("element", element), ("seed", seed)):
            self._fields[name] = _NAMES[name] + canonical(value)
        fields = b"".join([self._fields[name] for name in _NAMES])
        body = _FORMATS + b"T" + len(fields).to_bytes(8, "big") + fields
        return digest(b"L" + len(body).to_bytes(8, "big") + body)


def action_seed(seed: int, kind: str, round: int | None, element: str | None) -> int:
    """Return the seed of one action, 0 <= seed < 2**63: from the spec's seed, the kind, the round inside the loop and
    the element's id. Node names, indices and code enter no seed."""
    return int(digest(canonical(["seed", seed, kind, round, element]))[:16], 16) >> 1


def canonical(value: Any) -> bytes:
    """Return the canonical bytes of a value: a tag, the length of the rest, the rest.

    Raises:
        UnkeyableError: not None, bool, int, float, str, bytes, a TOML date or time, External, or a list, tuple, table
            or msgspec Struct of these.
    """
    encode = _ENCODERS.get(type(value))
    tag, body = encode(value) if encode is not None else _encode_other(value)
    return tag + len(body).to_bytes(8, "big") + body


def _encode_text(value: str) -> tuple[bytes, bytes]:
    try:
        return b"S", value.encode()
    except UnicodeEncodeError:
        raise UnkeyableError(f"a text that is not Unicode cannot enter a key: {value!r}") from None


def _encode_list(value: list | tuple) -> tuple[bytes, bytes]:
    return b"L", b"".join([canonical(item) for item in value])


def _encode_table(table: dict) -> tuple[bytes, bytes]:
    if not all(type(key) is str for key in table):
        raise UnkeyableError(f"a table with keys {list(table)!r} cannot enter a key: expected text keys")
    # Code points sort as their UTF-8 bytes do.
    return b"T", b"".join([canonical(key) + canonical(table[key]) for key in sorted(table)])


def _encode_datetime(value: datetime.datetime) -> tuple[bytes, bytes]:
    return b"l" if value.tzinfo is None else b"o", value.isoformat().encode()


def _encode_external(value: External) -> tuple[bytes, bytes]:
    if not value.digest:
        raise UnkeyableError(f"external {value.path} has not been digested")
    return b"X", value.digest.encode()


def _encode_named(value: Named) -> tuple[bytes, bytes]:
    if not value.code:
        raise UnkeyableError(f"{value.name!r} has not been found")
    return _encode_table({"name": value.name, "code": value.code})


# By exact type: True is no int here, and a datetime no date.
_ENCODERS: dict[type, Callable[[Any], tuple[bytes, bytes]]] = {
    type(None): lambda value: (b"N", b""),
    bool: lambda value: (b"B", b"\x01" if value else b"\x00"),
    int: lambda value: (b"I", str(value).encode()),
    float: lambda value: (b"F", struct.pack(">d", math.nan if math.isnan(value) else value)),
    str: _encode_text,
    bytes: lambda value: (b"Y", value),
    list: _encode_list,
    tuple: _encode_list,
    dict: _encode_table,
    External: _encode_external,
    Located: lambda value: (b"P", b""),
    Named: _encode_named,
    datetime.datetime: _encode_datetime,
    datetime.date: lambda value: (b"d", value.isoformat().encode()),
    datetime.time: lambda value: (b"t", value.isoformat().encode()),
}


def _encode_other(value: Any) -> tuple[bytes, bytes]:
    if isinstance(value, msgspec.Struct):
        return _encode_table(_fields(value))
    raise UnkeyableError(f"a {type(value).__name__} cannot enter a key: {value!r}")


def _fields(value: msgspec.Struct) -> dict[str, Any]:
    """Return a Struct as a table, with its tag if it has one: members of a union may have equal fields.

    A field that came later is left out while it equals what it was taken to be before (`added_in_key`).
    """
    config = value.__struct_config__
    fields = {} if config.tag is None else {str(config.tag_field): config.tag}
    added = _added(type(value))
    for name in value.__struct_fields__:
        item = getattr(value, name)
        if name not in added or canonical(item) != added[name]:
            fields[name] = item
    return fields


@functools.cache
def _added(cls: type[msgspec.Struct]) -> dict[str, bytes]:
    """Return the fields marked by `added_in_key`, with the canonical bytes at which they stay out."""
    added = {}
    for field in msgspec.structs.fields(cls):
        for meta in typing.get_args(field.type)[1:]:
            extra = getattr(meta, "extra", None) or {}
            if "added_in_key" in extra:
                added[field.name] = canonical(extra["added_in_key"])
    return added


_NAMES = {name: canonical(name) for name in sorted(Action.__struct_fields__)}
_FORMATS = canonical(KEY_FORMAT) + canonical(ARTIFACT_FORMAT)


@functools.lru_cache
def _encode_shared(
    kind: str, version: int, code: str, packages: tuple[tuple[str, str], ...], threads: int | None, is_map: bool
) -> dict[str, bytes]:
    """Return the fields that all nodes of a kind have in common, encoded: a spec may have a thousand of one kind."""
    fields = {"kind": kind, "version": version, "code": code, "packages": dict(packages), "threads": threads}
    return {name: _NAMES[name] + canonical(value) for name, value in {**fields, "is_map": is_map}.items()}


def _describe(value: Any) -> Any:
    if isinstance(value, External):
        # with no space: `name digest` is a Named
        return f"release:{value.release.replace(' ', '_')}" if value.release else f"content:{value.digest[:12]}"
    if isinstance(value, Located):
        return None
    if isinstance(value, Named):
        return f"{value.name} {value.code[:12]}"
    if isinstance(value, msgspec.Struct):
        return {name: _describe(item) for name, item in _fields(value).items()}
    if isinstance(value, (list, tuple)):
        return [_describe(item) for item in value]
    return value
