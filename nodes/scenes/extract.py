"""`scene.extract`: one listed room becomes one Scene with pictures. One more room is one more extraction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from graph.node import node
from nodes.scenes.scene import Frames, Room, Scene

if TYPE_CHECKING:
    import numpy as np

    from nodes.scenes.render import World


class Extract(Struct, frozen=True, forbid_unknown_fields=True):
    """How a room is looked at."""

    frames: Annotated[int, Meta(ge=1, le=4096, description="frames a room", extra={"unit": "frames"})] = 24
    size_px: Annotated[int, Meta(ge=16, le=1024, description="edge of the square images", extra={"unit": "px"})] = 64
    every_s: Annotated[float, Meta(gt=0, description="time between frames", extra={"unit": "s"})] = 1.0


@node("scene.extract", version=1, each="list", packages=("numpy",))
def extract(list: Room, *, params: Extract) -> Scene:
    """Return the room's scene: objects, extent, pictures, and what each frame shows.

    Raises:
        ValueError: a room of a source that this version does not know.
    """
    room = list
    if room.source == "procedural":
        from nodes.scenes import procedural

        style, number = room.data["style"], room.data["number"]
        world = procedural.build_world(style, number, params.frames, params.size_px, params.every_s)
        counts = {label: 1 for label in world.labels}
        return _scene(room, world, counts, float(world.room_size[0] * world.room_size[1]), invented=False)
    if room.source == "vsibench":
        from nodes.scenes import vsibench

        entry = vsibench.entry_of(room.data["entry"])
        world = vsibench.build_world(room.id, entry, room.data["style"], params.frames, params.size_px, params.every_s)
        return _scene(room, world, entry.object_counts, entry.room_size, invented=True)
    raise ValueError(f"room {room.id}: source {room.source!r} is unknown, expected 'procedural' or 'vsibench'")


def _scene(room: Room, world: World, counts: dict[str, int], area_m2: float, *, invented: bool) -> Scene:
    """Render a world and put together what is known of it; `invented`: walls and cameras are ours, not the data's."""
    from nodes.scenes.geometry import box_corners
    from nodes.scenes.relations import find_relations
    from nodes.scenes.render import render
    from nodes.scenes.visibility import count_pixels, first_seen, visibility

    rgb, depth, instance = render(world)
    frames = _frames(world, {"rgb": rgb, "depth": depth, "instance": instance}, invented)
    boxes = (world.centre, world.size, world.rotation)
    share = visibility(boxes, world.T_wc, world.K, depth)
    pixels = count_pixels(instance, len(world.labels))
    corners = box_corners(world.room_centre, world.room_size, world.room_rotation)
    arrays: dict[str, np.ndarray] = {
        "centre": world.centre,
        "size": world.size,
        "rotation": world.rotation,
        "polygon": corners[[0, 1, 3, 2], :2],  # the floor's corners, counter-clockwise
        "visibility": share,
        "pixels": pixels,
        "first_seen_s": first_seen(share, pixels, world.size_px**2, world.time_s),
    }
    return Scene(
        {name: getattr(room, name) for name in ("id", "source", "place", "split", "terms")},
        arrays,
        labels=world.labels,
        area_m2=area_m2,
        area_assumed=False,
        polygon_assumed=invented,
        counts=counts,
        style=room.data["style"],
        relations=find_relations(*boxes),
        frames=frames,
    )


def _frames(world: World, pictures: dict[str, np.ndarray], invented: bool) -> Frames:
    """Put pictures and cameras together; K is repeated by frame, as recorded rooms have one each."""
    import numpy as np

    cameras = {"K": np.repeat(world.K[None], len(world.T_wc), axis=0), "T_wc": world.T_wc, "time_s": world.time_s}
    return Frames({**pictures, **cameras}, invented=invented)
