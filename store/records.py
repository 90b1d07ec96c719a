"""Records: action key -> output digest, with what explains it. That a record exists means the work is done.

A record lies at `actions/ab/<key>/local/<n>` and is written last, after every blob and manifest it leads to.
"""

from __future__ import annotations

from typing import Any

import msgspec

from store.digest import is_digest
from store.numbered import Numbered
from store.objects import Objects


class Record(msgspec.Struct, frozen=True):
    """What one action gave.

    `size` is the output manifest's, in bytes. `action` holds the parts of the key, named, so that a later miss can
    say which part changed. `ran` tells of the execution (start as ISO 8601 UTC, wall seconds, host, python,
    platform): never part of a key or an output. `source` is the digest of the artifact that holds the project source
    behind `action["code"]`.
    """

    key: str
    output: str
    size: int
    type: str
    action: dict[str, Any]
    ran: dict[str, Any]
    source: str = ""


_decoder = msgspec.json.Decoder(Record)


class Records:
    """The records of one store, by their signer; unsigned local ones for now."""

    def __init__(self, objects: Objects, signer: str = "local") -> None:
        self.numbered = Numbered(objects, "actions")
        self.signer = signer

    def find(self, key: str) -> Record | None:
        """Return the newest whole record of an action; None is a miss."""
        for _, payload in self.numbered.newest(self._folder(key)):
            try:
                record = _decoder.decode(payload)
            except msgspec.MsgspecError:
                continue  # of another version: a miss, not a failure
            if record.key == key and is_digest(record.output):
                return record
        return None

    def add(self, record: Record) -> Record:
        """Add a record and return the one that holds: another writer's, if it came first."""
        written = msgspec.json.encode(record)
        _, payload = self.numbered.create(self._folder(record.key), written)
        return record if payload is written else _decoder.decode(payload)

    def add_first(self, record: Record) -> bool:
        """Add the first record of an action; tell whether it was that."""
        return self.numbered.create_first(self._folder(record.key), msgspec.json.encode(record))

    def _folder(self, key: str) -> str:
        return f"{key[:2]}/{key}/{self.signer}"
