"""The one digest of the project: blake3-256 as lowercase hex."""

from __future__ import annotations

import re

from blake3 import blake3

from store.errors import Unacceptable

DIGEST_LENGTH = 64
_DIGEST = re.compile(f"[0-9a-f]{{{DIGEST_LENGTH}}}")


def digest(data: bytes | bytearray | memoryview) -> str:
    """Return the digest of raw bytes: 64 lowercase hex digits of blake3-256."""
    return blake3(data).hexdigest()


def is_digest(text: str) -> bool:
    """Tell whether `text` could be a digest: 64 lowercase hex digits and nothing else."""
    return _DIGEST.fullmatch(text) is not None


def check_digest(text: str) -> None:
    """Raise Unacceptable unless `text` could be a digest: it becomes part of a path, and others may have written it."""
    if not is_digest(text):
        raise Unacceptable(f"{text[:DIGEST_LENGTH]!r} is no digest: expected {DIGEST_LENGTH} lowercase hex digits")
