"""Trackers: what shows a run's curves elsewhere, and the table `[report]` that names them.

A tracker is a class (or what is called like one) of the entry-point group `dataflow.tracker`. No key holds any of it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Protocol, TypeAlias

import msgspec

from graph.node import Located, Named

Axis: TypeAlias = Literal["step", "round"]


class Tracked(msgspec.Struct, frozen=True):
    """A run, or one variant of it, with its spec's text. `folder` is where files go."""

    experiment: str
    run: str
    variant: str
    folder: Path
    spec: str

    def of(self, variant: str) -> Tracked:
        """Return what is tracked of a variant."""
        return msgspec.structs.replace(self, variant=variant)

    @property
    def name(self) -> str:
        """The run's id, and the variant if there are some."""
        return f"{self.run} {self.variant}".strip()


class Curves(Protocol):
    """Takes the curves of one run or variant."""

    def log(self, axis: Axis, place: int, numbers: Mapping[str, float], seconds: float) -> None:
        """Take points of one node by name, `eval/accuracy`, that all stand at the same place of an axis.

        Args:
            seconds: since the epoch, of when they came about.
        """

    def close(self) -> None:
        """Bring to an end what is under way."""


class Tracker(Protocol):
    """Begins to take the curves of a run. `needs` is the package that it is made for, "" if none."""

    needs: str

    def __call__(self, tracked: Tracked) -> Curves: ...


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[report]`: where a run's curves go, beside the store."""

    to: Annotated[tuple[Named[Tracker], ...], msgspec.Meta(description="trackers: tensorboard, wandb, trackio")] = ()
    folder: Annotated[
        Located | None, msgspec.Meta(description="of trackers that write files; `curves` beside the spec")
    ] = None

    def lacking(self) -> dict[str, str]:
        """Return tracker -> the package that it needs and that is not installed."""
        needed = {named.name: getattr(named.load(), "needs", "").partition(".")[0] for named in self.to}
        return {name: top for name, top in needed.items() if top and importlib.util.find_spec(top) is None}
