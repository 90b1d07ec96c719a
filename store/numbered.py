"""Create-only numbered objects: the one primitive behind records, refs and run segments.

`<folder>/<n>` is written once, by whoever creates it first; the highest n whose bytes are whole is what the folder
says now. To change one's mind is to create n + 1; nothing is edited and nothing is deleted. Each object carries the
digest of its own payload in its first line, so a torn file is passed over, not believed.
"""

from __future__ import annotations

from collections.abc import Iterator

from store.digest import DIGEST_LENGTH, digest
from store.objects import Objects


class Numbered:
    """Numbered payloads in the folders below one prefix."""

    def __init__(self, objects: Objects, prefix: str) -> None:
        self.objects = objects
        self.prefix = prefix

    def create(self, folder: str, payload: bytes) -> tuple[int, bytes]:
        """Add `payload` as the next number; return the number and the payload that holds it.

        Who loses the race for a number gets the winner's payload back and has written nothing.
        """
        n = max(self._numbers(folder), default=0) + 1
        if self.objects.create(f"{self.prefix}/{folder}/{n}", _seal(payload)):
            return n, payload
        found = self.read(folder, n)
        # A torn object keeps its number for ever; the next one is free.
        return (n, found) if found is not None else self.create(folder, payload)

    def create_first(self, folder: str, payload: bytes) -> bool:
        """Add `payload` as number 1 of an empty folder; tell whether it was empty."""
        return not self._numbers(folder) and self.objects.create(f"{self.prefix}/{folder}/1", _seal(payload))

    def read(self, folder: str, n: int) -> bytes | None:
        """Return the payload of number `n`; None if it is absent or not whole."""
        try:
            return _unseal(self.objects.read(f"{self.prefix}/{folder}/{n}"))
        except FileNotFoundError:
            return None

    def newest(self, folder: str) -> Iterator[tuple[int, bytes]]:
        """Yield (n, payload) of the whole objects, highest n first."""
        for n in sorted(self._numbers(folder), reverse=True):
            payload = self.read(folder, n)
            if payload is not None:
                yield n, payload

    def _numbers(self, folder: str) -> list[int]:
        return [int(name) for name in self.objects.list(f"{self.prefix}/{folder}") if name.isdecimal()]


def _seal(payload: bytes) -> bytes:
    return digest(payload).encode() + b"\n" + payload


def _unseal(data: bytes) -> bytes | None:
    payload = data[DIGEST_LENGTH + 1 :]
    return payload if data[: DIGEST_LENGTH + 1] == digest(payload).encode() + b"\n" else None
