"""What can go wrong with stored data.

StoreError
├── Missing       named bytes are not in this store
├── Damaged       bytes are there, but are not the ones their name promises
├── Forged        bytes that claim a signer, but are not what that key signed for this place
├── Unacceptable  well-formed bytes that this store refuses (unsafe key, wrong type, not canonical)
│   └── TooLarge  more bytes than whoever reads them takes; none were read
└── Unreachable   a place that does not answer, or not in time
"""

from __future__ import annotations


class StoreError(Exception):
    """Base of the store's errors; the text is one line for people."""


def one_line(text: str) -> str:
    """Return a text in one line in which no terminal finds a command: part of it may be another's."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


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


class Forged(StoreError):
    """Bytes at `place` are not what the signer they claim has signed for it; torn ones look the same."""

    def __init__(self, place: str, found: str) -> None:
        super().__init__(f"{place!r} is forged or torn: {found}")
        self.place = place
        self.found = found

    def __reduce__(self) -> tuple:
        return (Forged, (self.place, self.found))


class Unacceptable(StoreError):
    """Well-formed bytes that are refused: an unsafe key, another type, a manifest that is not canonical."""


class TooLarge(Unacceptable):
    """An object has more bytes than its reader takes. `size` is how many, `limit` what is taken."""

    def __init__(self, name: str, size: int, limit: int) -> None:
        super().__init__(f"{name} has {size} bytes, expected {limit} at most")
        self.name = name
        self.size = size
        self.limit = limit

    def __reduce__(self) -> tuple:
        return (TooLarge, (self.name, self.size, self.limit))


class Unreachable(StoreError):
    """A place that does not answer: no network, an error of its server, no credentials."""
