"""The harness's node as a kind: two numbers in, one out, by the body that all engines share."""

from __future__ import annotations

from eb_body import node_body
from msgspec import Struct

from graph.node import node
from store.artifact import Artifact, Reader, Writer


class Number(Artifact):
    """One whole number."""

    type = "number/1"

    def __init__(self, value: int) -> None:
        self.value = value

    def write(self, w: Writer) -> None:
        w.attrs = {"value": self.value}

    @classmethod
    def open(cls, r: Reader) -> Number:
        return cls(r.attrs["value"])


class Work(Struct, frozen=True):
    p: int
    tag: str = ""


@node("bench.work", version=1)
def work(left: Number | None, right: Number | None, *, params: Work) -> Number:
    """Combine what is above."""
    # fmt: off
    #@COMMENT@
    # fmt: on
    return Number(node_body(params.p, params.tag, [number.value for number in (left, right) if number is not None]))
