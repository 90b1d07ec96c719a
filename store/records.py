"""Records: action key -> output digest, with what explains it. That a record exists means the work is done.

A record lies at `actions/ab/<key>/local/<n>` and is written last, after every blob and manifest it leads to. These
are this store's own and bear no signature; what others may read is in `store.signed`.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from store.attributes import DEPTH, is_deeper
from store.condemned import Condemned
from store.digest import is_digest
from store.manifest import MANIFEST_BYTES
from store.numbered import Numbered
from store.objects import Objects


class Record(msgspec.Struct, frozen=True):
    """What one action gave.

    `size` is the output manifest's, in bytes. `action` holds the parts of the key, named, so that a later miss can
    say which part changed. `ran` tells of the execution (start as ISO 8601 UTC, wall seconds, host, python,
    platform): never part of a key or an output. `source` is the digest of the artifact that holds the project source
    behind `action["code"]`. `withheld` names the terms under which the output may not be passed on, where that is so
    and the record stands in a shared store: what reads the output has its digest, and nobody its bytes.
    """

    key: str
    output: str
    size: int
    type: str
    action: dict[str, Any]
    ran: dict[str, Any]
    source: str = ""
    withheld: str = ""


class _Action(msgspec.Struct):
    """What is read of `Record.action`: each part may be absent, none of another type."""

    kind: str = ""
    version: int = 0
    code: str = ""
    params: dict[str, Any] = {}
    inputs: dict[str, str | None] = {}
    packages: dict[str, str] = {}
    is_map: bool = False


class _Ran(msgspec.Struct):
    """What is read of `Record.ran`, in the same way."""

    started: str = ""
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    host: str = ""
    elements: Annotated[int, msgspec.Meta(ge=0)] = 0
    ran: Annotated[int, msgspec.Meta(ge=0)] = 0
    log: tuple[str, Annotated[int, msgspec.Meta(ge=0)]] | None = None


_decoder = msgspec.json.Decoder(Record)


def encode_record(record: Record) -> bytes:
    """Return a record's bytes."""
    return msgspec.json.encode(record)


def decode_record(payload: bytes) -> Record | None:
    """Return the record, None where it is none: who wrote it may be anybody, and all that it names is believed."""
    try:
        record = _decoder.decode(payload)
        action, ran = msgspec.convert(record.action, _Action), msgspec.convert(record.ran, _Ran)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    digests = [record.key, record.output, *filter(None, [record.source]), *(ran.log or ())[:1]]
    is_whole = all(is_digest(text) for text in digests) and 0 <= record.size <= MANIFEST_BYTES
    is_whole = is_whole and f"{record.type}{action.kind}{ran.started}{ran.host}{record.withheld}".isprintable()
    is_deep = payload.count(b"{") + payload.count(b"[") > DEPTH and is_deeper([record.action, record.ran], DEPTH)
    return record if is_whole and not is_deep else None


class Records:
    """The unsigned records of one store."""

    def __init__(self, objects: Objects, condemned: Condemned | None = None) -> None:
        self.numbered = Numbered(objects, "actions")
        self.condemned = condemned or Condemned(objects)

    def find(self, key: str) -> Record | None:
        """Return the newest whole record of an action; None is a miss."""
        return self._find(key)[1]

    def use(self, key: str) -> Record | None:
        """Return the record that `find` does, and see to it that gc leaves it and all that it leads to."""
        n, record = self._find(key)
        is_there = record is not None and self.condemned.keep(self.numbered.place(_folder(key), n))
        return record if is_there else None

    def _find(self, key: str) -> tuple[int, Record | None]:
        for n, payload in self.numbered.newest(_folder(key)):
            record = decode_record(payload)  # None is of another version: a miss, not a failure
            if record is not None and record.key == key:
                return n, record
        return 0, None

    def add(self, record: Record) -> Record:
        """Add a record and return the one that holds: another writer's, if it came first."""
        written = encode_record(record)
        _, payload = self.numbered.create(_folder(record.key), written)
        return record if payload is written else decode_record(payload) or self.add(record)

    def add_first(self, record: Record) -> bool:
        """Add the first record of an action; tell whether it was that."""
        return self.numbered.create_first(_folder(record.key), encode_record(record))


def _folder(key: str) -> str:
    return f"{key[:2]}/{key}/local"
