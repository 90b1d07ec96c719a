"""The registered tasks by name, as a spec finds them."""

from __future__ import annotations

from pathlib import Path

from graph.node import Named
from graph.registry import find_target, registered
from nodes.questions.task import facts_of


def named(*names: str) -> tuple[Named, ...]:
    """Return tasks as params hold them."""
    found = ((name, find_target(name, Path(), "dataflow.task")) for name in names)
    return tuple(Named(name, ":".join(target)) for name, target in found)


TASKS = tuple(registered("dataflow.task"))
IMAGE_TASKS = tuple(name for name in TASKS if facts_of(named(name)[0].load()).shows == "image")
VIDEO_TASKS = tuple(name for name in TASKS if facts_of(named(name)[0].load()).shows == "video")
