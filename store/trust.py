"""Whom a user believes: her own key, then those she trusts, in her order; never one she has revoked.

It knows keys and no objects: that a signer has signed is for `store.signing` to say, before she is asked about here.
To revoke is for good and for everything the key ever signed, since its holder can sign with any date.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from store.errors import Unacceptable
from store.key_files import NAME, Known, check_no_own, lock, make_own, read_list, read_own, write_list
from store.signing import is_key, now, public_key, sign

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey as PrivateKey

Policy = Literal["own", "trusted", "any"]
POLICIES = ("own", "trusted", "any")


class Keyring:
    """The keys in one folder. The key pair is read when it is first needed, and travels to no other process."""

    def __init__(self, folder: Path, keys: list[Known]) -> None:
        self.folder = folder
        self.keys = keys

    @classmethod
    def load(cls, folder: Path | str) -> Keyring:
        """Read the list of a folder; one that is not there has no keys. Raises Unacceptable for a damaged one."""
        return cls(Path(folder), read_list(Path(folder)))

    def __reduce__(self) -> tuple:
        return (Keyring.load, (self.folder,))

    @property
    def own(self) -> str:
        """The user's public key; "" if she has none."""
        return self._own[0]

    @cached_property
    def _own(self) -> tuple[str, PrivateKey | None]:
        pair = read_own(self.folder)
        return (public_key(pair), pair) if pair is not None else ("", None)

    @cached_property
    def _known(self) -> dict[str, Known]:
        return {known.key: known for known in self.keys}

    def find(self, key_or_name: str) -> Known | None:
        """Return what the list says of a key or a name; None if it is silent."""
        return next((known for known in self.keys if key_or_name and key_or_name in (known.key, known.name)), None)

    def name_of(self, key: str) -> str:
        """Return the name of a key; "" if it has none."""
        known = self._known.get(key)
        return known.name if known is not None else ""

    def order(self) -> list[str]:
        """Return the keys to believe, in this order: the own one, then the trusted ones as the list has them."""
        keys = [self.own] if self.own and not self._is_revoked(self.own) else []
        return keys + [known.key for known in self.keys if known.state == "trusted" and known.key != self.own]

    def accepts(self, signer: str, policy: Policy) -> bool:
        """Tell whether to believe what `signer` has signed, who may be anybody under the policy "any"."""
        return not self.why_not(signer, policy)

    def why_not(self, signer: str, policy: Policy) -> str:
        """Return a line for people on why `signer` is not believed; "" if she is."""
        if policy not in POLICIES:
            raise Unacceptable(f"policy {policy!r}: expected one of {', '.join(POLICIES)}")
        if not is_key(signer):
            return f"signed by {signer!r}, which is no key: expected 64 hex digits"
        known = self._known.get(signer)
        if known is not None and known.state == "revoked":
            return f"signed by {self.describe(signer)}, revoked since {known.since}"
        if signer == self.own or policy == "any" or (policy == "trusted" and known is not None):
            return ""
        if policy == "own":
            return f"signed by {self.describe(signer)}, and only what you signed yourself is taken here"
        return f"signed by {self.describe(signer)}, not in your trust list: `dataflow keys trust {signer}`"

    def describe(self, key: str) -> str:
        """Return a key for people: its first digits, and its name."""
        name = self.name_of(key)
        return f"{key[:8]}… ({name})" if name else f"{key[:8]}…"

    def sign(self, place: str, body: bytes) -> bytes:
        """Return `body` as signed by the user for that place, now. Raises Unacceptable without a key that holds."""
        key, pair = self._own
        if pair is None:
            raise Unacceptable(f"{self.folder}: no own.pem, expected your key pair: `dataflow keys new` makes one")
        if self._is_revoked(key):
            expected = "move own.pem away and make another: `dataflow keys new`"
            raise Unacceptable(f"{self.folder}: your own key {self.describe(key)} is revoked: {expected}")
        return sign(pair, place, body, now())

    def new(self, name: str = "") -> str:
        """Make the user's key pair and return its public half. Raises Unacceptable if she has one."""
        with self._changing() as keys:
            check_no_own(self.folder)
            _check_name(name, keys)
            write_list(self.folder, keys)  # first: a key pair without a list has lost it
            key = public_key(make_own(self.folder))
            keys.append(Known(key, name, "trusted", now()))
        return key

    def trust(self, key: str, name: str = "") -> None:
        """Believe what `key` signs, after those already trusted. Raises Unacceptable for one that is there."""
        if not is_key(key):
            raise Unacceptable(f"key {key!r}: expected the 64 lowercase hex digits of an ed25519 public key")
        if key == self.own and not self._is_revoked(key):
            raise Unacceptable(f"key {self.describe(key)}: is your own, which is always trusted")
        with self._changing() as keys:
            if (known := self.find(key)) is not None:
                mistaken = f"; if by mistake, edit {self.folder / 'keys.json'}" if known.state == "revoked" else ""
                raise Unacceptable(f"key {self.describe(key)}: is {known.state} since {known.since}{mistaken}")
            _check_name(name, keys)
            keys.append(Known(key, name, "trusted", now()))

    def revoke(self, key_or_name: str) -> str:
        """Believe nothing that a key signs or has signed, in the list or not; return the key."""
        with self._changing() as keys:
            known = self.find(key_or_name)
            if known is None and not is_key(key_or_name):
                raise Unacceptable(f"{key_or_name!r}: expected a key of 64 lowercase hex digits, or a name in the list")
            if known is not None and known.state == "revoked":
                raise Unacceptable(f"key {self.describe(known.key)}: is revoked since {known.since} already")
            if known is None:
                keys.append(Known(key_or_name, "", "revoked", now()))
                return key_or_name
            keys[keys.index(known)] = msgspec.structs.replace(known, state="revoked", since=now())
            return known.key

    @contextlib.contextmanager
    def _changing(self) -> Iterator[list[Known]]:
        """Give the list as it is on disk, alone, and write what has become of it."""
        with lock(self.folder):
            self._take(read_list(self.folder))
            keys = list(self.keys)
            yield keys
            write_list(self.folder, keys)
            self._take(keys)

    def _take(self, keys: list[Known]) -> None:
        self.keys = keys
        for cached in ("_known", "_own"):
            self.__dict__.pop(cached, None)

    def _is_revoked(self, key: str) -> bool:
        known = self._known.get(key)
        return known is not None and known.state == "revoked"


def _check_name(name: str, keys: list[Known]) -> None:
    if name and not NAME.fullmatch(name):
        raise Unacceptable(f"name {name!r}: expected letters, digits, '.', '_', '-', '@', '+', 64 at most")
    for known in keys:
        if name and known.name == name:
            raise Unacceptable(f"name {name!r}: is that of {known.key[:8]}… already, expected another")
