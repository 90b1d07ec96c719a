"""The one digest of the project: blake3-256 as lowercase hex."""

from __future__ import annotations

from blake3 import blake3

DIGEST_LENGTH = 64
_HEX = frozenset("0123456789abcdef")


def digest(data: bytes | bytearray | memoryview) -> str:
    """Return the digest of raw bytes: 64 lowercase hex digits of blake3-256."""
    return blake3(data).hexdigest()


def is_digest(text: str) -> bool:
    """Tell whether `text` could be a digest: 64 lowercase hex digits and nothing else."""
    return len(text) == DIGEST_LENGTH and _HEX.issuperset(text)
