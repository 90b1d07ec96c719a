"""A group's zarr.json: its attributes as JSON with sorted keys, in one form only, of bounded size."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from store.errors import Unacceptable

ATTRIBUTES_BYTES = 16 << 20  # in memory `[]` takes twenty times what it does in JSON
DEPTH = 64  # of what people are shown, and of records: what walks them may be recursive
GROUP_END = b',"node_type":"group","zarr_format":3}'
STRANGE = "group metadata that is not in this store's form"

_decoder = msgspec.json.Decoder(dict[str, Any])
_encoder = msgspec.json.Encoder(order="deterministic")


def encode_group(attrs: dict[str, Any]) -> bytes:
    """Return the zarr.json of a group.

    Raises:
        Unacceptable: NaN or an infinity inside, or more than `decode_group` takes.
    """
    plain = msgspec.to_builtins(attrs)  # a struct's fields are sorted as well: who reads it knows of no structs
    data = encode_json({"attributes": plain, "zarr_format": 3, "node_type": "group"}, "attrs")
    if len(data) > ATTRIBUTES_BYTES:
        raise Unacceptable(f"attributes of {len(data)} bytes: at most {ATTRIBUTES_BYTES}")
    return data


def decode_group(data: bytes) -> dict[str, Any]:
    """Return the attributes of a group, ATTRIBUTES_BYTES at most: who reads them sees to that, before.

    Raises:
        Unacceptable: anything that `encode_group` does not write.
    """
    if not is_group(data):
        raise Unacceptable(STRANGE)
    try:
        document = _decoder.decode(data)
        # Of a key that stands twice, one reader takes the first and another one the last.
        is_ours = _encoder.encode(document) == data
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Unacceptable(f"{STRANGE}: {error}") from None
    attrs = document.get("attributes")
    if not is_ours or len(document) != 3 or not isinstance(attrs, dict):
        raise Unacceptable(STRANGE)
    return attrs


def is_group(data: bytes) -> bool:
    """Tell whether a zarr.json is that of a group, not of an array."""
    return data.endswith(GROUP_END)


def encode_json(value: Any, where: str) -> bytes:
    """Return JSON with sorted keys. Raises Unacceptable for NaN and infinities: JSON would turn them into null."""
    if not _is_finite(msgspec.to_builtins(value)):
        raise Unacceptable(f"{where}: JSON has no NaN and no infinity; write an array, or None")
    return _encoder.encode(value)


def is_deeper(value: Any, depth: int) -> bool:
    """Tell whether tables and lists stand inside each other more than `depth` deep; level by level, not recursively."""
    level = [value]
    for _ in range(depth + 1):
        if not level:
            return False
        inside = (item.values() if isinstance(item, dict) else item for item in level)
        level = [item for items in inside for item in items if isinstance(item, (dict, list, tuple))]
    return True


def _is_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_finite(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return all(_is_finite(item) for item in value)
    return not isinstance(value, float) or math.isfinite(value)
