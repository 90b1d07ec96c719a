"""Leases: who is at an action now, so that others wait instead of doing the same. Nothing depends on them being right.

    leases/<key>/<n>          who has the lease: create-only, the highest n holds; an empty holder has let go
    leases/holders/<id>       a nonce that its process renews; "ended" once it is done

A waiter takes over when the nonce has not changed for a while by its own clock: no two clocks are ever compared. One
nonce serves all leases of a process.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
import re
import threading
import time
from typing import NamedTuple

import msgspec

from store.errors import StoreError, TooLarge, one_line
from store.numbered import Numbered
from store.objects import Objects

BEAT_S = 5.0
STALE_S = 20.0
CLOSE_S = 1.0  # for the last beat, where the store does not answer
FRESH_S = 0.3  # a nonce read so lately is not read again: one process may have a thousand leases
TRIES = 8
ENDED = b"ended"
WHO = 80  # characters of what another process says it is
ID = re.compile("[0-9a-f]{16}")


class Holder(msgspec.Struct, frozen=True):
    """Who has a lease: a process, in words for people, and the key that it signs with. An empty id is nobody."""

    id: str
    who: str = ""
    signer: str = ""


class _Beat(NamedTuple):
    nonce: bytes
    seen: float  # when this nonce was first seen, by our monotonic clock
    asked: float  # when it was last read


_decoder = msgspec.json.Decoder(Holder)
_NOBODY = Holder("")


class Leases:
    """The leases of one process in one store."""

    def __init__(self, objects: Objects, signer: str, stale_s: float = STALE_S, beat_s: float = BEAT_S) -> None:
        self.own = Holder(os.urandom(8).hex(), f"{_user()}@{platform.node()} ({os.getpid()})", signer)
        self._objects = objects
        self._numbered = Numbered(objects, "leases")
        self._stale_s, self._beat_s = stale_s, beat_s
        self._beats: dict[str, _Beat] = {}
        self._known: dict[str, tuple[int, Holder]] = {}  # key -> its highest number, and what that says for good
        self._held: dict[str, int] = {}
        self._lock = threading.Lock()
        self._beating = threading.Lock()  # the last beat is to be the last
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self, key: str) -> tuple[Holder | None, bool]:
        """Take the lease of an action, if it is free or its holder is gone.

        Returns:
            (None, whether nobody ever had it) if it is ours now; else (who has it, False).
        """
        self._start()
        for _ in range(TRIES):
            n, holder = self._newest(key)
            if holder.id == self.own.id:
                if self._held.get(key) == n:
                    return None, False  # else it is being let go of, by another thread
            elif holder.id and self._is_alive(holder.id):
                return holder, False
            if self._numbered.create_at(key, n + 1, msgspec.json.encode(self.own)):
                with self._lock:
                    self._held[key] = n + 1
                return None, n == 0
        return None, False  # somebody takes every number: without a lease then

    def release(self, key: str) -> None:
        """Let go of a lease; one that another has taken over meanwhile stays theirs."""
        with self._lock:
            n = self._held.pop(key, None)
        if n is not None:
            self._numbered.create_at(key, n + 1, msgspec.json.encode(_NOBODY))

    def close(self) -> None:
        """Let go of all leases at once."""
        self._is_over.set()
        if self._thread is not None:
            ending = threading.Thread(target=self._beat, args=(ENDED,), daemon=True)
            ending.start()
            ending.join(CLOSE_S)

    def holder(self, key: str) -> Holder | None:
        """Return who else has the lease of an action now; None if it is free, or ours, or its holder is gone."""
        holder = self._newest(key)[1]
        return holder if holder.id not in ("", self.own.id) and self._is_alive(holder.id) else None

    def _newest(self, key: str) -> tuple[int, Holder]:
        highest = self._numbered.highest(key)
        known = self._known.get(key)
        if known is None or known[0] != highest:
            known = self._known[key] = (highest, self._read(key, highest) if highest else _NOBODY)
        return known

    def _read(self, key: str, n: int) -> Holder:
        try:
            holder = _decoder.decode(self._numbered.read(key, n) or b"")
        except msgspec.MsgspecError:
            return _NOBODY
        is_one = ID.fullmatch(holder.id)
        return msgspec.structs.replace(holder, who=one_line(holder.who)[:WHO]) if is_one else _NOBODY

    def _is_alive(self, holder: str) -> bool:
        now = time.monotonic()
        beat = self._beats.get(holder)
        if beat is None or now - beat.asked >= FRESH_S:
            beat = self._look_at(holder, now, beat)
        return beat.nonce != ENDED and now - beat.seen < self._stale_s

    def _look_at(self, holder: str, now: float, known: _Beat | None) -> _Beat:
        try:
            nonce = self._objects.read(self._place(holder), 100)
        except (FileNotFoundError, TooLarge):
            nonce = ENDED
        is_same = known is not None and known.nonce == nonce
        beat = self._beats[holder] = _Beat(nonce, known.seen if known is not None and is_same else now, now)
        return beat

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._objects.write(self._place(self.own.id), os.urandom(8))  # before the first lease names it
                self._thread = threading.Thread(target=self._go_on, daemon=True)
                self._thread.start()

    def _go_on(self) -> None:
        while not self._is_over.wait(self._beat_s):
            self._beat(os.urandom(8))

    def _beat(self, nonce: bytes) -> None:
        # If it fails for long others take over, and do what we do.
        with self._beating, contextlib.suppress(StoreError, OSError):
            if nonce == ENDED or not self._is_over.is_set():
                self._objects.write(self._place(self.own.id), nonce)

    @staticmethod
    def _place(holder: str) -> str:
        return f"leases/holders/{holder}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a number without a name, as in containers
        return str(os.getuid())
