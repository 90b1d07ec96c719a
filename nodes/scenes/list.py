"""`scene.list`: the rooms of a source, each with all that names its content, so that one more room is one more
extraction.

The split is a pure function of the place: train, dev and test are apart whatever a spec asks for, in every source.
"""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Literal

from msgspec import Meta, Struct

from graph.node import External, Named, node
from nodes.scenes.scene import Room
from nodes.scenes.source import PROCEDURAL, Source
from nodes.scenes.styles import find_style
from store.collection import Collection
from store.digest import digest

SHARES = (("train", 0.7), ("dev", 0.8), ("test", 1.0))  # cumulative


class ListRooms(Struct, frozen=True, forbid_unknown_fields=True):
    """Which rooms."""

    source: Annotated[Named[Source], Meta(description="where rooms come from")] = PROCEDURAL
    style: Annotated[str, Meta(description="look of drawn pictures: old | new")] = "old"
    first: Annotated[int, Meta(ge=0, description="number of the first room to look at, in the source's own order")] = 0
    count: (
        Annotated[int, Meta(ge=1, description="rooms to take; absent: all there are", extra={"unit": "rooms"})] | None
    ) = None
    split: Annotated[Literal["train", "dev", "test", "all"], Meta(description="take rooms of this split only")] = "all"
    official: Annotated[str, Meta(description="take rooms of the data set's own split only, where its lists lie")] = ""
    path: Annotated[External, Meta(description="the source's file or folder")] | None = None

    def __post_init__(self) -> None:
        find_style(self.style)
        if self.source.name == "procedural" and self.count is None:
            raise ValueError("count is absent: generated rooms have no end, need a count of 1 or more")
        if self.source.name == "procedural" and self.path is not None:
            raise ValueError("path is given, but source 'procedural' reads no file")
        if self.source.name != "procedural" and self.path is None:
            raise ValueError(f"path is absent: source {self.source.name!r} reads files")


@node("scene.list", version=2)
def list_rooms(*, params: ListRooms) -> Collection[Room]:
    """Return the rooms asked for, in the source's order.

    Raises:
        ValueError: the source's files are missing, unreadable, or hold a broken room; fewer rooms than `count`.
    """
    rooms = islice(params.source.load().rooms(params), params.first, None)
    wanted = (room for room in rooms if params.split in ("all", room.split))
    taken = list(islice((room for room in wanted if params.official in ("", room.data.get("official"))), params.count))
    if len(taken) < (params.count or 1):
        where = f"{params.path.path}: " if params.path else ""
        official = f" (officially {params.official})" if params.official else ""
        split = f"of split {params.split!r}{official} from {params.first} on"
        raise ValueError(f"{where}{len(taken)} rooms {split}, expected {params.count or '1 or more'}")
    return Collection(Room, {room.id: room for room in taken})


def split_of(place: str) -> str:
    """Return train (70 %), dev (10 %) or test (20 %) by the place's name alone."""
    # 52 bits of the digest: exact as a float
    share = int(digest(f"split/1/{place}".encode())[:13], 16) / 16**13
    return next(name for name, below in SHARES if share < below)
