"""Frames: msgpack messages on a pipe, each after its length; what a child and its parent say to each other."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from graph.task import Outcome

LENGTH = 4  # bytes, big end first
READ = 1 << 16


class Began(msgspec.Struct, frozen=True, tag=True):
    """The child begins the body of the next call: its time runs from here."""


class Told(msgspec.Struct, frozen=True, tag=True):
    """How far a body is."""

    label: str
    numbers: dict[str, float]


class Ended(msgspec.Struct, frozen=True, tag=True):
    """The next call is over."""

    outcome: Outcome


Message = Began | Told | Ended


def write_frame(pipe: int, message: Any) -> None:
    """Write one message whole. Raises BrokenPipeError: nobody is left to read it."""
    data = msgspec.msgpack.encode(message)
    rest = memoryview(len(data).to_bytes(LENGTH, "big") + data)
    while rest:
        rest = rest[os.write(pipe, rest) :]


class Frames:
    """The frames that come out of a pipe."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._held = bytearray()

    def read(self) -> list[bytes]:
        """Wait for bytes and return the frames that are whole by then. Raises EOFError: the other end is closed."""
        data = os.read(self._pipe, READ)
        if not data:
            raise EOFError
        self._held += data
        frames = []
        while len(self._held) >= LENGTH:
            end = LENGTH + int.from_bytes(self._held[:LENGTH], "big")
            if len(self._held) < end:
                break
            frames.append(bytes(self._held[LENGTH:end]))
            del self._held[:end]
        return frames
