"""Small kinds for the benches: rooms that are listed and extracted, numbers that are made, added to and summed."""

from __future__ import annotations

import os
import time

from msgspec import Struct

from graph.node import node
from store.artifact import Artifact, Reader, Writer
from store.collection import Collection


class Room(Artifact):
    """A small array."""

    type = "bench room/1"

    def __init__(self, corners) -> None:
        self.corners = corners

    def write(self, w: Writer) -> None:
        w.array("corners", self.corners, ("corner", "axis"))

    @classmethod
    def open(cls, r: Reader) -> Room:
        return cls(r.array("corners"))


class Number(Artifact):
    """One whole number."""

    type = "bench number/1"

    def __init__(self, value: int) -> None:
        self.value = value

    def write(self, w: Writer) -> None:
        w.attrs = {"value": self.value}

    @classmethod
    def open(cls, r: Reader) -> Number:
        return cls(r.attrs["value"])


class Rooms(Struct, frozen=True):
    """`changed` has another content, `dropped` is not there, `inserted` is one more; -1 and "" are none."""

    count: int
    changed: int = -1
    dropped: int = -1
    inserted: str = ""
    is_reversed: bool = False


@node("bench.rooms", version=1)
def rooms(*, params: Rooms) -> Collection[Room]:
    """List rooms of eight corners, no two alike."""
    import numpy as np

    named = {
        f"room{number:06d}": Room(np.full((8, 3), number + 0.5 * (number == params.changed)))
        for number in range(params.count)
        if number != params.dropped
    }
    if params.inserted:
        named[params.inserted] = Room(np.full((8, 3), -1.0))
    return Collection(Room, dict(reversed(named.items())) if params.is_reversed else named)


@node("bench.extract", version=1, each="room")
def extract(room: Room) -> Room:
    """Turn a room by a quarter."""
    tick()
    return Room(room.corners[:, [1, 0, 2]] * [-1.0, 1.0, 1.0])


class Value(Struct, frozen=True):
    value: int


@node("bench.number", version=1)
def number(*, params: Value) -> Number:
    """Give a number."""
    tick()
    return Number(params.value)


class Count(Struct, frozen=True):
    count: int


@node("bench.numbers", version=1)
def numbers(*, params: Count) -> Collection[Number]:
    """List numbers."""
    return Collection(Number, {f"n{value:06d}": Number(value) for value in range(params.count)})


@node("bench.next", version=1, each="number")
def add_one(number: Number) -> Number:
    """Give the next number."""
    tick()
    return Number(number.value + 1)


@node("bench.combine", version=1)
def combine(left: Number | None, right: Number | None, *, params: Value) -> Number:
    """Make one number of two and another."""
    tick()
    above = sum(number.value for number in (left, right) if number is not None)
    return Number((7 * above + params.value) % 1_000_003)


class Wait(Struct, frozen=True):
    seconds: float


@node("bench.slow", version=1, each="number")
def add_slowly(number: Number, *, params: Wait) -> Number:
    """Give the next number after a while."""
    time.sleep(params.seconds)
    tick()
    return Number(number.value + 1)


@node("bench.total", version=1)
def total(numbers: Collection[Number]) -> Number:
    """Add all up."""
    tick()
    return Number(sum(number.value for number in numbers.values()))


def tick() -> None:
    """Add a byte where the bench counts; os.write is atomic across processes."""
    file = os.open(os.environ["BENCH_COUNT"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, b".")
    os.close(file)
