"""What can go wrong with stored data.

StoreError
├── Missing       named bytes are not in this store
├── Damaged       bytes are there, but are not the ones their name promises
└── Unacceptable  well-formed bytes that this store refuses (unsafe key, wrong type, not canonical)
"""

from __future__ import annotations


class StoreError(Exception):
    """Base of the store's errors; the text is one line for people."""


class Missing(StoreError):
    """Named bytes are not in this store. `digest` is what was looked for."""

    def __init__(self, what: str, digest: str) -> None:
        super().__init__(f"{what} {digest} is not in this store")
        self.what = what
        self.digest = digest

    def __reduce__(self) -> tuple:
        return (Missing, (self.what, self.digest))


class Damaged(StoreError):
    """Bytes differ from what their digest promises: a torn write or a changed file. `digest` names them."""

    def __init__(self, what: str, digest: str, found: str) -> None:
        super().__init__(f"{what} {digest} is damaged: {found}")
        self.what = what
        self.digest = digest
        self.found = found

    def __reduce__(self) -> tuple:
        return (Damaged, (self.what, self.digest, self.found))


class Unacceptable(StoreError):
    """Well-formed bytes that are refused: an unsafe key, another type, a manifest that is not canonical."""
