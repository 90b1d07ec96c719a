"""`scene.extract`: one listed room becomes one Scene. One more room is one more extraction."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from graph.node import Located, Named, node
from nodes.scenes.scans.fit import BoxRule
from nodes.scenes.scene import Room, Scene
from nodes.scenes.source import PROCEDURAL, Source


class Extract(Struct, frozen=True, forbid_unknown_fields=True):
    """How a room is looked at."""

    source: Annotated[Named[Source], Meta(description="where the rooms come from")] = PROCEDURAL
    frames: Annotated[int, Meta(ge=0, le=4096, description="frames a room; 0: none", extra={"unit": "frames"})] = 24
    size_px: Annotated[int, Meta(ge=16, le=1024, description="edge of drawn images", extra={"unit": "px"})] = 64
    every_s: Annotated[float, Meta(gt=0, description="time between drawn frames", extra={"unit": "s"})] = 1.0
    boxes: Annotated[BoxRule, Meta(description="around scanned points: upright, or tilted as VSI-Bench's are")] = (
        "gravity"
    )
    path: (
        Annotated[Located, Meta(description="the source's files, where it reads them at extraction; in no key")] | None
    ) = None


@node("scene.extract", version=2, each="list", packages=("numpy",))
def extract(list: Room, *, params: Extract) -> Scene:
    """Return the room's scene: objects, extent, pictures, and what each frame shows.

    Raises:
        ValueError: the room is of another source; its files are missing, broken, or not what the listing names.
    """
    if list.source != params.source.name:
        raise ValueError(f"room {list.id}: of source {list.source!r}, params.source = {params.source.name!r}")
    folder = params.path.path if params.path else None
    return params.source.load().extract(list, folder, params)
