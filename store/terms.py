"""Terms: under which licence data may be used, as far as the artifacts say.

An artifact that holds data of others names their terms in its attribute `terms`: a text that begins with whose they
are, "ScanNet: non-commercial research; ...", or a list of such texts. What refers to such data and holds none of it (a
question pool) names none there.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

FREE = {"", "generated", "CC0-1.0", "CC-BY-4.0", "Apache-2.0", "MIT"}


class _Attributes(msgspec.Struct, frozen=True):
    terms: str | list[str] = ""


class _Group(msgspec.Struct, frozen=True):
    attributes: _Attributes = _Attributes()


_decoder = msgspec.json.Decoder(_Group)


def withheld_by(attributes: bytes, allowed: Collection[str]) -> str:
    """Return the terms that keep an artifact's bytes from being passed on; "" where they may be.

    Args:
        attributes: its zarr.json.
        allowed: whose terms permit it, by the word of the owner of the store it would go to: `ScanNet`.
    """
    if b'"terms"' not in attributes:
        return ""
    try:
        terms = _decoder.decode(attributes).attributes.terms
    except msgspec.MsgspecError:
        return ""
    named = [terms] if isinstance(terms, str) else terms
    return next((each for each in named if each not in FREE and each.partition(":")[0] not in allowed), "")
