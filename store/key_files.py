"""The folder in which a user's keys lie.

    own.pem      her key pair (PKCS8), for her eyes only; made once, never overwritten
    keys.json    [{"key", "name", "state": "trusted" | "revoked", "since"}], in the order of her trust
    keys.lock    held by who changes the list

What is there and cannot be read as that is refused, never taken for an empty list: a lost revocation lets a stolen key
in again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from store.errors import Unacceptable
from store.signing import is_key, is_time

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey as PrivateKey

# For terminals and tables; what looks like a key would be taken for one.
NAME = re.compile(r"(?![0-9a-fA-F]{64}$)\w[\w.@+-]{0,63}")


class Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key in the list: its name ("" if it has none), what is held of it, and since when."""

    key: str
    name: str
    state: Literal["trusted", "revoked"]
    since: str


_decoder = msgspec.json.Decoder(list[Known])


def read_list(folder: Path) -> list[Known]:
    """Return the list of a folder; empty where none has been made. Raises Unacceptable for a damaged or lost one."""
    path = folder / "keys.json"
    # Who makes a pair writes the list first: where there is a pair, there was a list. Asked before reading, or the
    # two could be made in between.
    has_own = (folder / "own.pem").exists()
    try:
        data = _read(path, others_may_not=0o022)
    except FileNotFoundError:
        if has_own:
            raise Unacceptable(f"{path}: is lost: expected it beside own.pem; write [] there to begin anew") from None
        return []
    try:
        keys = _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise Unacceptable(f"{path}: expected a list of key, name, state, since: {error}") from None
    if mistake := _find_mistake(keys):
        raise Unacceptable(f"{path}: {mistake}")
    return keys


def write_list(folder: Path, keys: list[Known]) -> None:
    """Write the list in place of the one that is there. Only for who holds the lock."""
    temporary = _write_temporary(folder, msgspec.json.format(msgspec.json.encode(keys), indent=2) + b"\n")
    os.replace(temporary, folder / "keys.json")
    _flush(folder)


def read_own(folder: Path) -> PrivateKey | None:
    """Return the user's key pair; None if she has none. Raises Unacceptable for a damaged or an open one."""
    path = folder / "own.pem"
    try:
        data = _read(path, others_may_not=0o077)
    except FileNotFoundError:
        return None
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it asks for a password
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise Unacceptable(f"{path}: expected an ed25519 key pair as PKCS8 PEM, without a password")
    return key


def check_no_own(folder: Path) -> None:
    """Raise Unacceptable if there is a key pair."""
    if (folder / "own.pem").exists():
        expected = "a key pair is never overwritten; move it away to make another"
        raise Unacceptable(f"{folder / 'own.pem'}: is there already: {expected}")


def make_own(folder: Path) -> PrivateKey:
    """Make the user's key pair. Raises FileExistsError if there is one."""
    from cryptography.hazmat.primitives import serialization as to
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    data = key.private_bytes(to.Encoding.PEM, to.PrivateFormat.PKCS8, to.NoEncryption())
    temporary = _write_temporary(folder, data)
    try:
        os.link(temporary, folder / "own.pem")  # whole or not at all, and never over another
    finally:
        os.unlink(temporary)
    _flush(folder)
    return key


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made if need be; whoever dies lets go of it.

    Raises:
        Unacceptable: on a file system that knows no locks: two changes at once would lose one, a revocation perhaps.
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)
    file = os.open(folder / "keys.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise Unacceptable(f"{folder}: cannot be locked: {error.strerror}: expected a local file system") from None
        yield
    finally:
        os.close(file)


def _find_mistake(keys: list[Known]) -> str:
    seen: set[str] = set()
    for n, known in enumerate(keys):
        if not is_key(known.key):
            return f"[{n}] key {known.key!r}: expected the 64 lowercase hex digits of an ed25519 public key"
        if known.name and not NAME.fullmatch(known.name):
            return f"[{n}] name {known.name!r}: expected letters, digits, '.', '_', '-', '@', '+', 64 at most"
        if not is_time(known.since):
            return f"[{n}] since {known.since!r}: expected the form 2026-01-31T09:30:00.000Z"
        for text in (known.key, known.name):
            if text in seen:
                return f"[{n}] {text!r}: is there twice, expected every key and name once"
        seen |= {known.key, known.name} - {""}
    return ""


def _read(path: Path, others_may_not: int) -> bytes:
    with open(path, "rb") as file:
        for name, mode in ((path, os.fstat(file.fileno()).st_mode), (path.parent, path.parent.stat().st_mode)):
            # Who may write to the folder may put another file in its place.
            if mode & (others_may_not if name is path else 0o022):
                can, fix = ("read", "600") if name is path and others_may_not & 0o044 else ("write", "go-w")
                raise Unacceptable(f"{name}: others than you can {can} it: expected only you: `chmod {fix} {name}`")
        return file.read()


def _write_temporary(folder: Path, data: bytes) -> Path:
    temporary = folder / f".{os.urandom(8).hex()}"
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(file, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(file)  # unlike what is in a store, it cannot be made again
    except BaseException:
        os.unlink(temporary)
        raise
    return temporary


def _flush(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
