"""The envelope of what a team shares: one object's bytes, signed for the one place where they may lie.

    dataflow-signed 1 <signer> <time> <signature>\\n    237 bytes, and nothing but this spelling
    <body>

`signer` is an ed25519 public key (64 hex digits), `time` the signer's clock (2026-01-31T09:30:00.000Z) and
`signature` 128 hex digits over the UTF-8 text

    dataflow-signed 1\\n<signer>\\n<time>\\n<blake3 of the body>\\n<place>

in which all has a fixed length but the place, which is last: no two signings share a text. The place is the whole
name of the object in its store (`refs/pools/indoor-v3/1`): domain, name and number are signed with the body.

It does not know whom to believe (`store.trust`), and a place says nothing of who signed: anybody can sign for
`actions/ab/<key>/<your key>/1`, so compare `Signed.signer`. The time is what the signer says it is.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from store.digest import digest, is_digest
from store.errors import Forged, Unacceptable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey as PrivateKey

VERSION = "dataflow-signed 1"
_HEADER = re.compile(VERSION.encode() + rb" ([0-9a-f]{64}) ([0-9T:.Z-]{24}) ([0-9a-f]{128})\n")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")

_PRIME = 2**255 - 19
_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
# The y of the points whose order divides 8: OpenSSL takes them as keys, and anybody can sign for them.
_WEAK = {0, 1, _PRIME - 1, _ORDER_8, _PRIME - _ORDER_8}


class Signed(msgspec.Struct, frozen=True):
    """What an envelope holds, the signature being right: who signed (64 hex digits), when she says, and the body."""

    signer: str
    at: str
    body: bytes


def sign(key: PrivateKey, place: str, body: bytes, at: str) -> bytes:
    """Return the envelope of `body` for that place. Raises Unacceptable for a time in another form."""
    if not is_time(at):
        raise Unacceptable(f"time {at!r}: expected the form 2026-01-31T09:30:00.000Z")
    signer = public_key(key)
    signature = key.sign(_message(place, signer, body, at)).hex()
    return f"{VERSION} {signer} {at} {signature}\n".encode() + body


def open_signed(place: str, data: bytes) -> Signed:
    """Return what the object at that place holds. Raises Forged unless every byte is what its signer signed for it."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    header = _HEADER.match(data)
    if header is None:
        raise Forged(place, f"expected a first line '{VERSION} <signer> <time> <signature>'")
    signer, at, signature = (group.decode() for group in header.groups())
    if not is_key(signer):
        raise Forged(place, f"signer {signer} is a key that anybody can sign for")
    if not is_time(at):
        raise Forged(place, f"time {at!r}: expected the form 2026-01-31T09:30:00.000Z")
    body = data[header.end() :]
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signer))
        public.verify(bytes.fromhex(signature), _message(place, signer, body, at))
    except (InvalidSignature, ValueError):  # ValueError: a place that is not text
        raise Forged(place, f"{signer[:8]}… has not signed these bytes for this place") from None
    return Signed(signer, at, body)


def public_key(key: PrivateKey) -> str:
    """Return the public half of a key pair: 64 hex digits."""
    return key.public_key().public_bytes_raw().hex()


def is_key(text: str) -> bool:
    """Tell whether `text` can be a signer: 64 lowercase hex digits, the one spelling of a point, and not a weak one.

    A second spelling of a revoked key would be another key; for a weak one, signatures can be made up.
    """
    if not is_digest(text):
        return False
    y = int.from_bytes(bytes.fromhex(text), "little") & (2**255 - 1)
    return y < _PRIME and y not in _WEAK


def is_time(text: str) -> bool:
    """Tell whether `text` is a time that there is, in the one form of it."""
    if not _TIME.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def now() -> str:
    """Return the time in the form of an envelope: UTC, ISO 8601, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(place: str, signer: str, body: bytes, at: str) -> bytes:
    return f"{VERSION}\n{signer}\n{at}\n{digest(body)}\n{place}".encode()
