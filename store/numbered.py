"""Create-only numbered objects: the one primitive behind records, refs, leases and packs.

`<folder>/<n>` is written once, by whoever creates it first; the highest n whose bytes are whole is what the folder
says now. To change one's mind is to create n + 1; nothing is edited and nothing is deleted. Each object carries the
digest of its own payload in its first line, so a torn file is passed over, not believed. So is one over PAYLOAD_BYTES
and whatever is no file or has a name that is no number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from store.digest import DIGEST_LENGTH, digest
from store.errors import TooLarge, Unacceptable
from store.objects import Objects

PAYLOAD_BYTES = 1 << 20
NUMBER = re.compile("[1-9][0-9]{0,17}")  # more digits would make the next name too long for a file


class Numbered:
    """Numbered payloads in the folders below one prefix."""

    def __init__(self, objects: Objects, prefix: str, limit: int = PAYLOAD_BYTES) -> None:
        self.objects = objects
        self.limit = limit
        self.prefix = prefix

    def create(self, folder: str, payload: bytes) -> tuple[int, bytes]:
        """Add `payload` as the next number; return the number and the payload that holds it.

        Who loses the race for a number gets the winner's payload back and has written nothing.

        Raises:
            Unacceptable: more than PAYLOAD_BYTES, which nobody would read.
        """
        n = self.highest(folder) + 1
        if self.create_at(folder, n, payload):
            return n, payload
        found = self.read(folder, n)
        # A torn object keeps its number for ever; the next one is free.
        return (n, found) if found is not None else self.create(folder, payload)

    def create_first(self, folder: str, payload: bytes) -> bool:
        """Add `payload` as number 1 of an empty folder; tell whether it was empty."""
        return not self._numbers(folder) and self.create_at(folder, 1, payload)

    def create_at(self, folder: str, n: int, payload: bytes) -> bool:
        """Add `payload` as number `n`; tell whether that was free. Raises Unacceptable where it is too long to read."""
        if len(payload) > self.limit:
            raise Unacceptable(f"a numbered object of {len(payload)} bytes: at most {self.limit}")
        return self.objects.create(self.place(folder, n), seal(payload))

    def place(self, folder: str, n: int) -> str:
        """Return the whole name of number `n`."""
        return f"{self.prefix}/{folder}/{n}"

    def highest(self, folder: str) -> int:
        """Return the highest number that is taken, by a whole object or not; 0 if there is none."""
        return max(self._numbers(folder), default=0)

    def read(self, folder: str, n: int) -> bytes | None:
        """Return the payload of number `n`; None if it is absent or not whole."""
        try:
            return unseal(self.objects.read(self.place(folder, n), DIGEST_LENGTH + 1 + self.limit))
        except (FileNotFoundError, TooLarge):
            return None

    def newest(self, folder: str) -> Iterator[tuple[int, bytes]]:
        """Yield (n, payload) of the whole objects, highest n first."""
        for n in sorted(self._numbers(folder), reverse=True):
            payload = self.read(folder, n)
            if payload is not None:
                yield n, payload

    def _numbers(self, folder: str) -> list[int]:
        return [int(name) for name in self.objects.list(f"{self.prefix}/{folder}") if NUMBER.fullmatch(name)]


def seal(payload: bytes) -> bytes:
    """Return the bytes in which a payload lies at rest."""
    return digest(payload).encode() + b"\n" + payload


def unseal(data: bytes) -> bytes | None:
    """Return the payload of an object, None if it is not whole."""
    payload = data[DIGEST_LENGTH + 1 :]
    return payload if data[: DIGEST_LENGTH + 1] == digest(payload).encode() + b"\n" else None
