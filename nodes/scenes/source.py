"""Sources of scenes by name: `scannet` in a spec is the entry point of that name in the group `dataflow.source`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from graph.node import Named

if TYPE_CHECKING:
    from nodes.scenes.extract import Extract
    from nodes.scenes.list import ListRooms
    from nodes.scenes.scene import Room, Scene


class Source(Protocol):
    """Where rooms come from: it lists them, each with all that names its content, and makes a Scene of one."""

    @staticmethod
    def rooms(params: ListRooms) -> Iterable[Room]:
        """Yield the rooms of the whole source in its own order; the listing takes those of its split.

        What a room's extraction reads from files is named in `Room.data`: its content's digests, or the release that
        `params.path` goes by. Raises ValueError: what is listed cannot be read.
        """

    @staticmethod
    def extract(room: Room, folder: Path | None, params: Extract) -> Scene:
        """Return the room's scene; `folder` is where the source's files lie, for those that need them.

        Raises ValueError: a file is missing or broken, with its path and byte or line, or not what the room names.
        """


PROCEDURAL: Named[Source] = Named("procedural", "nodes.scenes.procedural:Procedural")
