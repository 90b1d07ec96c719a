"""The contract between the engine and the functions it runs.

A node is a plain function from artifacts to an artifact. `@node` attaches facts and changes nothing: the function
can be called by hand. Everything it depends on is in its arguments.

    @node("select.band", version=1)
    def band(probe: Probe, questions: QuestionPool, *, params: Band, seed: int) -> QuestionPool: ...

Positional parameters are inputs, annotated with artifact types; `X | None` may be absent. Keyword-only ones are given
by the engine where the function names them: `params` (a frozen msgspec Struct), `seed` (only if it draws),
`progress` (see Progress).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

F = TypeVar("F", bound=Callable)
FACTS = "__dataflow__"


class Facts(msgspec.Struct, frozen=True):
    """What `@node` says of a function. `packages`: distributions whose exact version enters the key."""

    kind: str
    version: int
    each: str | None
    packages: tuple[str, ...]


class External(msgspec.Struct, frozen=True):
    """A file or folder outside the store, as a param. Its content's digest enters the key, its path never does."""

    path: Path
    digest: str = ""


class Progress(Protocol):
    """Tells how far a long node is; may be called as often as one likes, at most ten calls a second travel."""

    def __call__(self, done: int, total: int, **numbers: float) -> None: ...


def node(kind: str, *, version: int, each: str | None = None, packages: tuple[str, ...] = ()) -> Callable[[F], F]:
    """Declare a function as a kind.

    Args:
        kind: the name that specs use, `family.verb`.
        version: enters the key; raise it to throw the kind's results away.
        each: the input to map over: one action an entry of its collection.
        packages: distributions whose exact version changes results (major.minor counts for all others).
    """

    def attach(function: F) -> F:
        setattr(function, FACTS, Facts(kind, version, each, packages))
        return function

    return attach
