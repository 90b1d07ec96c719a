"""Published names: `refs/<name>/1`, signed, given once and never moved.

A name leads to an artifact's digest and says its type. In a shared store the first to publish a name has it; who has
pulled it keeps it as it was, so nobody can take it back or put another in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from store.digest import is_digest
from store.errors import Forged, Unacceptable
from store.numbered import Numbered
from store.refs import check_name

if TYPE_CHECKING:
    from store.objects import Objects
    from store.trust import Keyring, Policy


class Title(msgspec.Struct, frozen=True):
    """What a name stands for: an artifact's digest and type."""

    name: str
    digest: str
    type: str


class Given(NamedTuple):
    """A title that is believed, who gave it, and its payload."""

    title: Title
    signer: str
    payload: bytes


_decoder = msgspec.json.Decoder(Title)


class Published:
    """The published names of one store, as one reader sees them. `refused` says why one was not believed."""

    def __init__(self, objects: Objects, keyring: Keyring, policy: Policy) -> None:
        self.numbered = Numbered(objects, "refs")
        self.refused: dict[str, str] = {}
        self._keyring = keyring
        self._policy = policy

    def find(self, name: str) -> Given | None:
        """Return what a name stands for; None if nobody who is believed gave it."""
        from store.signing import open_signed

        check_name(name)
        payload = self.numbered.read(name, 1)
        if payload is None or is_digest(payload.decode("ascii", "replace")):
            return None  # a ref that moves: an experiment's newest results
        try:
            signed = open_signed(self.numbered.place(name, 1), payload)
            title = _decoder.decode(signed.body)
        except (Forged, msgspec.MsgspecError) as error:
            self.refused[name] = str(error)
            return None
        if title.name != name or not is_digest(title.digest):
            self.refused[name] = f"what {signed.signer[:8]} signed is another name"
        elif not self._keyring.accepts(signed.signer, self._policy):
            self.refused[name] = self._keyring.why_not(signed.signer, self._policy)
        else:
            return Given(title, signed.signer, payload)
        return None

    def give(self, title: Title) -> Given:
        """Publish a name. Raises Unacceptable: it stands for something else already, or for what moves."""
        check_name(title.name)
        payload = self._keyring.sign(self.numbered.place(title.name, 1), msgspec.json.encode(title))
        if not self.numbered.highest(title.name) and self.numbered.create_at(title.name, 1, payload):
            return Given(title, self._keyring.own, payload)
        held = self.check_free(title)
        if held is not None:
            return held
        raise Unacceptable(f"the name {title.name!r} is there, and cannot be read: take another")  # torn, say

    def check_free(self, title: Title) -> Given | None:
        """Return what a name stands for if that is this title, None if it is free. Raises Unacceptable otherwise."""
        check_name(title.name)
        if not self.numbered.highest(title.name):
            return None
        held = self.find(title.name)
        if held is not None and held.title == title:
            return held
        what = (
            f"artifact {held.title.digest[:12]}, by {self._keyring.describe(held.signer)}" if held else "something else"
        )
        raise Unacceptable(f"the name {title.name!r} stands for {what}: a published name never moves, take another")

    def keep(self, name: str, payload: bytes) -> bool:
        """Keep another store's name as it is; tell whether it was free here."""
        return not self.numbered.highest(name) and self.numbered.create_at(name, 1, payload)
