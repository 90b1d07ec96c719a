"""Signed records: what an action gave, as its signer says; for stores that several people write to.

They lie at `actions/ab/<key>/<signer>/<n>`, each signer in a folder of her own, so nobody can take another's place;
the whole name is under the signature. Whom to believe is the keyring's to say: her own key first, then those she
trusts, in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from store.condemned import Condemned
from store.errors import Forged, Unacceptable
from store.numbered import NUMBER, Numbered
from store.records import Record, decode_record, encode_record

if TYPE_CHECKING:
    from store.objects import Objects
    from store.trust import Keyring, Policy


class Held(NamedTuple):
    """A record that is believed, with where it lies and its payload there."""

    record: Record
    folder: str
    n: int
    payload: bytes


def open_record(name: str, payload: bytes) -> Record | None:
    """Return the record of any signer, or of none, that lies under a name; None if it is of another version.

    Raises:
        Forged: it is not what its signer has signed for that name.
    """
    from store.signing import open_signed

    signer = name.split("/")[3]
    if signer == "local":
        return decode_record(payload)
    signed = open_signed(name, payload)
    if signed.signer != signer:
        raise Forged(name, f"{signed.signer[:8]} has signed it")
    return decode_record(signed.body)


class SignedRecords:
    """The signed records of one store, as one reader sees them.

    `refused` says, by action key, why a record that is there was not believed.
    """

    def __init__(self, objects: Objects, keyring: Keyring, policy: Policy, condemned: Condemned | None = None) -> None:
        self.numbered = Numbered(objects, "actions")
        self.condemned = condemned or Condemned(objects)
        self.refused: dict[str, str] = {}
        self._keyring = keyring
        self._policy = policy

    def find(self, key: str) -> Held | None:
        """Return the newest record of an action by the first signer who is believed; None is a miss."""
        numbers: dict[str, list[int]] = {}
        for found in self.numbered.objects.walk(f"actions/{key[:2]}/{key}"):
            _, signer, number = found.name.rsplit("/", 2)
            if NUMBER.fullmatch(number):
                numbers.setdefault(signer, []).append(int(number))
        numbers.pop("local", None)
        if not numbers:
            return None
        order = self._keyring.order()
        for signer in [*(one for one in order if one in numbers), *sorted(numbers.keys() - set(order))]:
            if not self._keyring.accepts(signer, self._policy):
                self.refused[key] = self._keyring.why_not(signer, self._policy)
                continue
            for n in sorted(numbers[signer], reverse=True):
                held = self._read(key, signer, n)
                if held is not None:
                    return held
        return None

    def add(self, record: Record) -> Held:
        """Sign a record and add it; return the one that holds: an equal one, or another process's that came first."""
        own = self._keyring.own
        if not own:
            raise Unacceptable("there is no key to sign with: `dataflow keys new` makes one")
        folder, body = self._folder(record.key, own), encode_record(record)
        n = self.numbered.highest(folder)
        newest = self._read(record.key, own, n) if n else None
        is_same = newest is not None and newest.record.output == record.output
        if newest is not None and is_same and self.condemned.spare(self.numbered.place(folder, n)):
            return newest
        while True:
            n += 1
            payload = self._keyring.sign(self.numbered.place(folder, n), body)
            if self.numbered.create_at(folder, n, payload):
                return Held(record, folder, n, payload)
            first = self._read(record.key, own, n)
            if first is not None:
                return first

    def keep(self, held: Held) -> None:
        """Keep a record of another store as it is, signature and all."""
        self.numbered.create_at(held.folder, held.n, held.payload)

    def _read(self, key: str, signer: str, n: int) -> Held | None:
        from store.signing import open_signed

        folder = self._folder(key, signer)
        payload = self.numbered.read(folder, n)
        if payload is None:
            return None
        try:
            signed = open_signed(self.numbered.place(folder, n), payload)
        except Forged as error:
            self.refused[key] = str(error)
            return None
        record = decode_record(signed.body)
        if signed.signer != signer or record is None or record.key != key:
            self.refused[key] = f"what {signer[:8]} signed is no record of this action"
            return None
        return Held(record, folder, n, payload)

    @staticmethod
    def _folder(key: str, signer: str) -> str:
        return f"{key[:2]}/{key}/{signer}"
