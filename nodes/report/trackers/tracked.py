"""What trackers are given, as they see it: `graph.tracker.Tracked`, which a run makes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol, TypeAlias

Axis: TypeAlias = Literal["step", "round"]


class Tracked(Protocol):
    """A run, or one variant of it."""

    @property
    def experiment(self) -> str: ...
    @property
    def run(self) -> str: ...
    @property
    def variant(self) -> str: ...
    @property
    def folder(self) -> Path: ...
    @property
    def spec(self) -> str: ...
    @property
    def name(self) -> str: ...
