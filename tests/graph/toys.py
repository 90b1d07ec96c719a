"""Small real kinds for the engine's tests: numbers in, numbers out, no language and no space."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct

from graph.node import External, Located, Progress, node
from store.artifact import Artifact, Reader, Writer
from store.collection import Collection


class Numbers(Artifact):
    """A few float64 numbers."""

    type = "numbers/1"

    def __init__(self, values) -> None:
        self.values = np.asarray(values, dtype=np.float64)

    def write(self, w: Writer) -> None:
        w.array("values", self.values, ("n",))

    @classmethod
    def open(cls, r: Reader) -> Numbers:
        return cls(r.array("values"))


class Pair(Artifact):
    """Two parts of different types."""

    type = "pair/1"

    def __init__(self, numbers: Numbers, other: Notes) -> None:
        self.numbers, self.other = numbers, other

    def write(self, w: Writer) -> None:
        w.artifact("numbers", self.numbers)
        w.artifact("notes", self.other)

    @classmethod
    def open(cls, r: Reader) -> Pair:
        return cls(r.artifact("numbers", Numbers), r.artifact("notes", Notes))


class Notes(Artifact):
    """A text."""

    type = "notes/1"

    def __init__(self, text: str) -> None:
        self.text = text

    def write(self, w: Writer) -> None:
        w.attrs = {"text": self.text}

    @classmethod
    def open(cls, r: Reader) -> Notes:
        return cls(r.attrs["text"])


Pair.parts = {"numbers": Numbers, "notes": Notes}


def count_call(name: str) -> None:
    """Note an execution where the test that started it looks: TOYS_COUNT names a file."""
    if path := os.environ.get("TOYS_COUNT"):
        with open(path, "a") as file:
            file.write(f"{name}\n")


class List(Struct, frozen=True, forbid_unknown_fields=True):
    count: Annotated[int, Meta(ge=0, description="elements", extra={"unit": "elements"})] = 3
    first: int = 0
    size: int = 1
    path: External | None = None


@node("toy.list", version=1)
def make_list(*, params: List) -> Collection[Numbers]:
    """List small numbers."""
    count_call("list")
    numbers = range(params.first, params.first + params.count)
    return Collection(Numbers, {f"e{n:03d}": Numbers([n] * params.size) for n in numbers})


class Read(Struct, frozen=True, forbid_unknown_fields=True):
    path: External | None = None
    folder: Located | None = None


@node("toy.read", version=1)
def read(*, params: Read) -> Numbers:
    """Count the files of a folder that enters no key."""
    count_call("read")
    return Numbers([len(list(params.folder.path.iterdir())) if params.folder else 0])


class Scale(Struct, frozen=True, forbid_unknown_fields=True):
    factor: float = 2.0
    fail_on: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.factor < 0:
            raise ValueError(f"factor = {self.factor}: need 0 or more")


@node("toy.scale", version=1, each="item")
def scale(item: Numbers, bias: Numbers | None, *, params: Scale) -> Numbers:
    """Scale each element."""
    count_call("scale")
    if item.values[0] in params.fail_on:
        raise ValueError(f"value {item.values[0]} is not wanted")
    return Numbers(item.values * params.factor + (0 if bias is None else bias.values.sum()))


class Total(Struct, frozen=True, forbid_unknown_fields=True):
    tag: str = ""


@node("toy.sum", version=1)
def total(items: Collection[Numbers], *, params: Total, progress: Progress) -> Numbers:
    """Add all up."""
    count_call("sum")
    for n, _ in enumerate(items):
        progress(n + 1, len(items), last=float(n))
    return Numbers([sum(item.values.sum() for item in items.values())])


class Step(Struct, frozen=True, forbid_unknown_fields=True):
    add: float = 1.0
    wait_for: str = ""


@node("toy.step", version=1)
def step(before: Numbers, data: Numbers | None, *, params: Step, seed: int) -> Pair:
    """Draw and add: a stand-in for an update."""
    count_call("step")
    while params.wait_for and not Path(params.wait_for).exists():
        pass
    drawn = np.random.Generator(np.random.PCG64(seed)).integers(0, 10)
    return Pair(Numbers(before.values + params.add + drawn), Notes(f"drew {drawn}"))


class Clip(Struct, frozen=True, forbid_unknown_fields=True):
    top: float = 1000.0


@node("toy.clip", version=1)
def clip(numbers: Numbers, *, params: Clip) -> Numbers:
    """Cut off what is too large: different inputs can have equal outputs."""
    count_call("clip")
    return Numbers(np.minimum(numbers.values, params.top))


@node("toy.join", version=1)
def join(items: Collection[Numbers]) -> Numbers:
    """Put all numbers in a row."""
    count_call("join")
    return Numbers(np.concatenate([item.values for item in items.values()]))


@node("toy.spread", version=1, each="item")
def spread(item: Numbers, others: Collection[Numbers]) -> Numbers:
    """Subtract the mean of all others: a broadcast collection."""
    count_call("spread")
    return Numbers(item.values - np.mean([other.values for other in others.values()]))


@node("toy.draw", version=1, each="item")
def draw(item: Numbers, *, seed: int) -> Numbers:
    """Draw one number an element."""
    count_call("draw")
    return Numbers([np.random.Generator(np.random.PCG64(seed)).integers(0, 1 << 40)])


@node("toy.remember", version=1)
def remember(now: Numbers, past: Collection[Numbers]) -> Notes:
    """Tell how many rounds came before."""
    count_call("remember")
    return Notes(f"{now.values.sum():g} after {' '.join(past) or 'nothing'}")


@node("toy.quit", version=1)
def quit_early(*, params: Total) -> Numbers:
    """Leave in the rudest way, after a few words."""
    count_call("quit")
    print("last words")
    raise SystemExit(params.tag)


class Mute(Exception):
    """An error that cannot be told."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@node("toy.mute", version=1)
def fail_mutely() -> Numbers:
    """Fail, and fail to say how."""
    raise Mute


@node("toy.report", version=1)
def report(rounds: Collection[Numbers]) -> Notes:
    """Join rounds."""
    count_call("report")
    return Notes(" ".join(f"{key}:{item.values.sum():g}" for key, item in rounds.items()))


class Scan(Artifact):
    """Data of others, with their terms."""

    type = "scan/1"

    def __init__(self, terms: str) -> None:
        self.terms = terms

    def write(self, w: Writer) -> None:
        w.attrs = {"terms": self.terms, "points": "of others, " * 3}  # a text that stands in no source

    @classmethod
    def open(cls, r: Reader) -> Scan:
        return cls(r.attrs["terms"])


@node("toy.scan", version=1)
def scan() -> Scan:
    """Give data that may not be passed on."""
    count_call("scan")
    return Scan("ScanNet: research only")


class Wrapped(Artifact):
    """Data of others somewhere inside."""

    type = "wrapped/1"

    def __init__(self, scan: Scan) -> None:
        self.scan = scan

    def write(self, w: Writer) -> None:
        w.artifact("scan", self.scan)

    @classmethod
    def open(cls, r: Reader) -> Wrapped:
        return cls(r.artifact("scan", Scan))


Wrapped.parts = {"scan": Scan}


@node("toy.wrap", version=1)
def wrap(scan: Scan) -> Wrapped:
    """Put it inside."""
    count_call("wrap")
    return Wrapped(scan)


class Measure(Struct, frozen=True, forbid_unknown_fields=True):
    times: int = 1


@node("toy.measure", version=1)
def measure(scan: Scan, *, params: Measure) -> Numbers:
    """Say how long the terms are."""
    count_call("measure")
    return Numbers([len(scan.terms) * params.times])


@node("toy.count_runs", version=1)
def count_runs(items: Collection[Numbers]) -> Numbers:
    """Give how often anything ran: what no body may do."""
    count_call("count_runs")
    return Numbers([Path(os.environ["TOYS_COUNT"]).read_text().count("\n")])


class Ask(Struct, frozen=True, forbid_unknown_fields=True):
    server: str = ""


@node("toy.ask", version=1, external="server")
def ask(items: Collection[Numbers], *, params: Ask) -> Numbers:
    """Give what a server says, which is another thing each time; without one, how many items there are."""
    count_call("ask")
    return count_runs(items) if params.server else Numbers([len(items)])
