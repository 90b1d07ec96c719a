"""The contract between the engine and the functions it runs.

A node is a plain function from artifacts to an artifact. `@node` attaches facts and changes nothing: the function
can be called by hand. Everything it depends on is in its arguments.

    @node("select.band", version=1)
    def band(probe: Probe, questions: QuestionPool, *, params: Band, seed: int) -> QuestionPool: ...

Positional parameters are inputs, annotated with artifact types; `X | None` may be absent. Keyword-only ones are given
by the engine where the function names them: `params` (a frozen msgspec Struct), `seed` (only if it draws),
`progress` (see Progress), `scratch` (a folder that a killed run of the same action finds again; gone once its output
is committed).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import msgspec

F = TypeVar("F", bound=Callable)
T = TypeVar("T")
FACTS = "__dataflow__"


class Facts(msgspec.Struct, frozen=True):
    """What `@node` says of a function. `packages`: distributions whose exact version enters the key."""

    kind: str
    version: int
    each: str | None
    packages: tuple[str, ...]
    external: bool | str = False

    def is_external(self, params: msgspec.Struct) -> bool:
        """Tell whether the function asks a server when it is given these params."""
        return bool(getattr(params, self.external)) if isinstance(self.external, str) else self.external


class External(msgspec.Struct, frozen=True):
    """A file or folder outside the store, as a param. Its content's digest enters the key, its path never does.

    What is too large to digest often goes by a name: `{ path = "/data/scannet", release = "v2" }` vouches that the
    content is what that release holds, and the name alone enters the key.
    """

    path: Path
    digest: str = ""
    release: str = ""


class Located(msgspec.Struct, frozen=True):
    """Where a file or folder lies, as a param that enters no key.

    For functions that read there only what their inputs name, by digest or by release, and check it: one file more in a
    folder then changes the key of that file's action alone.
    """

    path: Path


class Named(msgspec.Struct, Generic[T], frozen=True):
    """A registered object as a param: `Named[Reward]` is given by a name of the entry-point group `dataflow.reward`,
    as `module:object`, or as `file.py:object`.

    Name and code of that one object enter the key: editing others of its family changes nothing.
    """

    name: str
    target: str = ""
    code: str = ""

    def load(self) -> T:
        """Import and return the object."""
        module, _, attribute = self.target.partition(":")
        return getattr(importlib.import_module(module), attribute)


def added_in_key(default: Any) -> msgspec.Meta:
    """Mark a param that came later, `Annotated[int, added_in_key(3)]`: it stays out of keys while it equals that."""
    return msgspec.Meta(extra={"added_in_key": default})


class Progress(Protocol):
    """Tells how far a long node is; may be called as often as one likes, at most ten calls a second travel."""

    def __call__(self, done: int, total: int, **numbers: float) -> None: ...


def node(
    kind: str,
    *,
    version: int,
    each: str | None = None,
    packages: tuple[str, ...] = (),
    depends: Sequence[Any] = (),
    external: bool | str = False,
) -> Callable[[F], F]:
    """Declare a function as a kind.

    Args:
        kind: the name that specs use, `family.verb`.
        version: enters the key; raise it to throw the kind's results away.
        each: the input to map over: one action an entry of its collection.
        packages: distributions whose exact version changes results (major.minor counts for all others).
        depends: what no reading of the source finds: functions, classes and modules that it reaches by computed names,
            and data files, as globs relative to its own folder. Read from the source, like all of its code.
        external: it asks a server, which need not say the same twice: the first record wins, and is never verified by
            running again. Or the name of a param: it asks one where that is given.
    """

    def attach(function: F) -> F:
        setattr(function, FACTS, Facts(kind, version, each, packages, external))
        return function

    return attach
