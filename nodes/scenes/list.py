"""`scene.list`: the rooms of a source, each with all that its extraction needs, so that one more room is one
more extraction.

The split is a pure function of the place: train, dev and test are apart whatever a spec asks for, in every
source.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from graph.node import External, node
from nodes.scenes import styles
from nodes.scenes.scene import Room
from store.collection import Collection
from store.digest import digest

SOURCES = ("procedural", "vsibench")
SHARES = (("train", 0.7), ("dev", 0.8), ("test", 1.0))  # cumulative


class ListRooms(Struct, frozen=True, forbid_unknown_fields=True):
    """Which rooms."""

    source: Annotated[str, Meta(description="procedural (generated) | vsibench (annotated rooms of a JSON file)")] = (
        "procedural"
    )
    style: Annotated[str, Meta(description="look of the pictures: old | new")] = "old"
    first: Annotated[int, Meta(ge=0, description="number of the first room to look at, in the source's own order")] = 0
    count: (
        Annotated[int, Meta(ge=1, description="rooms to take; absent: all there are", extra={"unit": "rooms"})] | None
    ) = None
    split: Annotated[Literal["train", "dev", "test", "all"], Meta(description="take rooms of this split only")] = "all"
    path: External | None = None
    """The *_meta_info_val.json of vsibench."""

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            expected = f"expected one of {', '.join(SOURCES)}"
            raise ValueError(f"source = {self.source!r}: {expected}{styles.nearest(self.source, SOURCES)}")
        styles.find_style(self.style)
        if self.source == "procedural" and self.count is None:
            raise ValueError("count is absent: generated rooms have no end, need a count of 1 or more")
        if self.source == "procedural" and self.path is not None:
            raise ValueError("path is given, but source 'procedural' reads no file")
        if self.source == "vsibench" and self.path is None:
            raise ValueError("path is absent: source 'vsibench' needs a *_meta_info_val.json")


@node("scene.list", version=1)
def list_rooms(*, params: ListRooms) -> Collection[Room]:
    """Return the rooms asked for, in the source's order: numbers, or ids in the order of their names.

    Raises:
        ValueError: the file is missing, unreadable, or holds a broken room; fewer rooms than `count`.
    """
    rooms = _procedural(params) if params.source == "procedural" else _vsibench(params)
    return Collection(Room, {room.id: room for room in rooms})


def split_of(place: str) -> str:
    """Return train (70 %), dev (10 %) or test (20 %) by the place's name alone."""
    # 52 bits of the digest: exact as a float
    share = int(digest(f"split/1/{place}".encode())[:13], 16) / 16**13
    return next(name for name, below in SHARES if share < below)


def _procedural(params: ListRooms) -> list[Room]:
    from nodes.scenes import procedural

    rooms: list[Room] = []
    number = params.first
    while params.count is not None and len(rooms) < params.count:
        place = procedural.room_id(params.style, number)
        split = split_of(place)
        if params.split in ("all", split):
            data = {"style": params.style, "number": number}
            rooms.append(Room(place, "procedural", place, split, procedural.TERMS, data))
        number += 1
    return rooms


def _vsibench(params: ListRooms) -> list[Room]:
    from nodes.scenes import vsibench

    assert params.path is not None  # __post_init__ holds this
    path = params.path.path
    rooms = []
    for name, entry in sorted(vsibench.load_entries(path).items())[params.first :]:
        place = vsibench.place_of(name, entry["dataset"])
        split = split_of(place)
        if params.split in ("all", split):
            data = {"style": params.style, "entry": entry}
            rooms.append(Room(name, "vsibench", place, split, vsibench.terms_of(entry["dataset"]), data))
    if params.count is not None and len(rooms) < params.count:
        raise ValueError(
            f"{path}: {len(rooms)} rooms of split {params.split!r} from {params.first} on, expected {params.count}"
        )
    return rooms[: params.count]
