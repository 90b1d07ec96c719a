"""Actions and their keys: the identity of a computation. With `graph.code`, the only place that hashes one.

Canonical bytes are tagged and length-prefixed, so that no two values share them: `True` is not `1`, `1` is not `1.0`,
`["ab"]` is not `["a", "b"]`. Floats go by their IEEE-754 bits, with one NaN; tables by the UTF-8 bytes of their keys.
What has no canonical form is refused. Golden tests pin the bytes; a change here throws every cache away.
"""

from __future__ import annotations

import datetime
import math
import struct
from typing import Any

import msgspec

from graph.errors import UnkeyableError
from graph.node import External
from store.digest import digest

KEY_FORMAT = 1
ARTIFACT_FORMAT = 1


class Action(msgspec.Struct, frozen=True):
    """All that a result depends on.

    Attributes:
        kind, version: as declared with `@node`.
        function: `nodes/select.py:band`: two functions of one file may claim the same kind.
        code: digest of the project source it may reach.
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
    function: str
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
        described["params"] = {name: _describe(getattr(self.params, name)) for name in self.params.__struct_fields__}
        return msgspec.json.decode(msgspec.json.encode(described, enc_hook=str))


def action_key(action: Action) -> str:
    """Return the key: the digest of the action's canonical bytes."""
    fields = {name: getattr(action, name) for name in action.__struct_fields__}
    return digest(canonical([KEY_FORMAT, ARTIFACT_FORMAT, fields]))


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
    tag, body = _encode(value)
    return tag + len(body).to_bytes(8, "big") + body


def _encode(value: Any) -> tuple[bytes, bytes]:
    # bool before int and datetime before date: each is a subclass of the latter.
    if value is None:
        return b"N", b""
    if isinstance(value, bool):
        return b"B", b"\x01" if value else b"\x00"
    if type(value) is int:
        return b"I", str(value).encode()
    if type(value) is float:
        return b"F", struct.pack(">d", math.nan if math.isnan(value) else value)
    if type(value) is str:
        return b"S", _utf8(value)
    if type(value) is bytes:
        return b"Y", value
    if isinstance(value, (list, tuple)):
        return b"L", b"".join(canonical(item) for item in value)
    if isinstance(value, dict):
        return b"T", _encode_table(value)
    if isinstance(value, External):
        if not value.digest:
            raise UnkeyableError(f"external {value.path} has not been digested")
        return b"X", value.digest.encode()
    if isinstance(value, msgspec.Struct):
        return b"T", _encode_table(_fields(value))
    if type(value) in _DATES:
        is_local = isinstance(value, datetime.datetime) and value.tzinfo is None
        return b"l" if is_local else _DATES[type(value)], value.isoformat().encode()
    raise UnkeyableError(f"a {type(value).__name__} cannot enter a key: {value!r}")


_DATES: dict[type, bytes] = {datetime.datetime: b"o", datetime.date: b"d", datetime.time: b"t"}


def _encode_table(table: dict) -> bytes:
    if not all(type(key) is str for key in table):
        raise UnkeyableError(f"a table with keys {list(table)!r} cannot enter a key: expected text keys")
    ordered = sorted(table, key=_utf8)
    return b"".join(canonical(key) + canonical(table[key]) for key in ordered)


def _fields(value: msgspec.Struct) -> dict[str, Any]:
    """Return a Struct as a table, with its tag if it has one: members of a union may have equal fields."""
    config = value.__struct_config__
    tag = {} if config.tag is None else {str(config.tag_field): config.tag}
    return {**tag, **{name: getattr(value, name) for name in value.__struct_fields__}}


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise UnkeyableError(f"a text that is not Unicode cannot enter a key: {text!r}") from None


def _describe(value: Any) -> Any:
    return f"content {value.digest[:12]}" if isinstance(value, External) else value
