"""Kinds that take a while and say when they begin: for runs that are killed in the middle."""

from __future__ import annotations

import os
import time
from pathlib import Path

from msgspec import Struct

from graph.node import node
from store.artifact import Artifact, Reader, Writer
from store.collection import Collection


class Count(Artifact):
    """A number."""

    type = "count/1"

    def __init__(self, n: int) -> None:
        self.n = n

    def write(self, w: Writer) -> None:
        w.attrs = {"n": self.n}

    @classmethod
    def open(cls, r: Reader) -> Count:
        return cls(r.attrs["n"])


def note(what: str) -> None:
    """Append a line, whole, with the time to the file that SLOW_NOTES names."""
    if path := os.environ.get("SLOW_NOTES"):
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{time.time_ns()} {what}\n".encode())
        os.close(file)


class Pace(Struct, frozen=True):
    """Elements, or steps, and how long each takes."""

    count: int = 6
    seconds: float = 0.02


@node("slow.list", version=1)
def make_list(*, params: Pace) -> Collection[Count]:
    """List numbers."""
    note("list")
    return Collection(Count, {f"e{n}": Count(n) for n in range(params.count)})


@node("slow.square", version=1, each="item")
def square(item: Count, *, params: Pace) -> Count:
    """Square each number."""
    note(f"square e{item.n}")
    time.sleep(params.seconds)
    return Count(item.n**2)


@node("slow.add", version=1)
def add(items: Collection[Count], *, scratch: Path) -> Count:
    """Add all numbers up."""
    note(scratch.name)
    time.sleep(0.02)  # longer than the grain of a file's time
    return Count(sum(item.n for item in items.values()))


@node("slow.climb", version=1)
def climb(before: Count, *, params: Pace, scratch: Path) -> Count:
    """Go up step by step, and go on from the last one where it was killed."""
    note(scratch.name)
    reached = scratch / "reached"
    done = int(reached.read_text()) if reached.exists() else 0
    for n in range(done, params.count):
        note(f"step {n} of {scratch.name}")
        time.sleep(params.seconds)
        part = scratch / "part"
        part.write_text(str(n + 1))
        part.replace(reached)
    return Count(before.n + params.count)
