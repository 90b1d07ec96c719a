"""Annotated real rooms of VSI-Bench's metadata (ScanNet, ScanNet++, ARKitScenes): oriented boxes, area, counts by
category.

The file holds no frames, poses or outline. Walls are the tightest upright box around all boxes, widened to
the given area; cameras are invented from the room's id: from free spots at eye height, each looking at one
object in turn. Both are marked so in the Scene. Boxes and `object_counts` disagree for some categories; both
are carried. A broken room is listed with what is wrong with it, and its extraction alone fails, by room and field.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct

from nodes.scenes.camera import intrinsics
from nodes.scenes.colours import category_colour
from nodes.scenes.drawn import scene_of_world
from nodes.scenes.geometry import box_corners, into_box, yaw_rotation
from nodes.scenes.list import split_of
from nodes.scenes.render import World
from nodes.scenes.scene import Room, Scene
from nodes.scenes.seeds import seed_of
from nodes.scenes.styles import find_style
from nodes.scenes.views import invent_views

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes.scenes.extract import Extract
    from nodes.scenes.list import ListRooms

    Floats = NDArray[np.float64]

VERSION = "vsibench-v1"
TERMS = {
    "scannet": "ScanNet: non-commercial research; VSI-Bench metadata: Apache-2.0",
    "scannetpp": "ScanNet++: non-commercial research; VSI-Bench metadata: Apache-2.0",
    "arkitscenes": "ARKitScenes: non-commercial research; VSI-Bench metadata: Apache-2.0",
}
UNKNOWN_TERMS = "unknown"
WALL_M = 0.05
LONGEST_M = 100.0  # no room is longer; grids of points grow with the cube of it
MIRROR = [[1.0], [1.0], [-1.0]]
CEILING_M = 2.4

Triple = Annotated[list[float], Meta(min_length=3, max_length=3)]


class Box(Struct, frozen=True):
    """One annotated box; `min` and `max` of the file follow from these and are not kept."""

    centroid: Triple
    axesLengths: Triple
    normalizedAxes: Annotated[list[float], Meta(min_length=9, max_length=9)]


class Entry(Struct, frozen=True):
    """One room of the file, without its authors' video path."""

    dataset: str
    room_size: float
    object_counts: dict[str, int]
    object_bbox: dict[str, list[Box]]


class VsiBench:
    """The source of annotated rooms: a *_meta_info_val.json."""

    @staticmethod
    def rooms(params: ListRooms) -> Iterator[Room]:
        """Yield the file's rooms in the order of their ids, each with its own part of the file."""
        assert params.path is not None  # ListRooms holds this
        for name, part in sorted(load_entries(params.path.path).items()):
            data: dict[str, Any] = {"style": params.style}
            try:
                entry = entry_of(part)
                data["entry"], dataset = msgspec.to_builtins(entry), entry.dataset
            except ValueError as error:
                data["broken"], dataset = str(error), ""
                print(f"{params.path.path}: room {name!r}: {error}")
            place = place_of(name, dataset)
            yield Room(name, "vsibench", place, split_of(place), TERMS.get(dataset, UNKNOWN_TERMS), data)

    @staticmethod
    def extract(room: Room, folder: Path | None, params: Extract) -> Scene:
        """Return the room with assumed walls and invented cameras; with `frames = 0` what is annotated alone."""
        if "broken" in room.data:
            raise ValueError(f"room {room.id!r}: {room.data['broken']}")
        entry = entry_of(room.data["entry"])
        world = build_world(room.id, entry, room.data["style"], params.frames, params.size_px, params.every_s)
        return scene_of_world(room, world, entry.object_counts, entry.room_size, invented=True)


def load_entries(path: Path) -> dict[str, Any]:
    """Return room id -> its own part of the file, not checked yet.

    Raises:
        ValueError: the file cannot be read, or is no table of rooms.
    """
    try:
        return msgspec.convert(json.loads(path.read_bytes()), dict[str, Any])
    except OSError as e:
        raise ValueError(f"{path}: {e.strerror or e}, expected a *_meta_info_val.json of VSI-Bench") from None
    except (ValueError, RecursionError) as e:
        raise ValueError(f"{path}: {e}; expected a JSON table of rooms by id") from None


def entry_of(part: Any) -> Entry:
    """Return one room's part as an Entry. Raises ValueError that names the field."""
    entry = msgspec.convert(part, Entry)
    if entry.dataset not in TERMS:
        raise ValueError(f"dataset = {entry.dataset!r}: expected one of {', '.join(sorted(TERMS))}")
    if not 0 < entry.room_size < math.inf:
        raise ValueError(f"room_size = {entry.room_size}: expected a finite area above 0")
    if any(count < 0 for count in entry.object_counts.values()):
        raise ValueError(f"object_counts = {entry.object_counts}: expected counts of 0 or more")
    if not any(entry.object_bbox.values()):
        raise ValueError("object_bbox: holds no box, expected one or more")
    for category, boxes in entry.object_bbox.items():
        for n, box in enumerate(boxes):
            _check_box(f"object_bbox.{category}[{n}]", box)
    spans = [[box.centroid[k] for boxes in entry.object_bbox.values() for box in boxes] for k in range(3)]
    span = max(max(values) - min(values) for values in spans)
    if span > LONGEST_M:
        raise ValueError(f"object_bbox: boxes {span:g} m apart, expected at most {LONGEST_M:g} m; centimetres?")
    return entry


def _check_box(where: str, box: Box) -> None:
    for field in ("centroid", "axesLengths", "normalizedAxes"):
        values = getattr(box, field)
        if not all(math.isfinite(v) for v in values):
            raise ValueError(f"{where}.{field} = {values}: expected finite numbers")
    if not all(0 < length <= LONGEST_M for length in box.axesLengths):
        raise ValueError(f"{where}.axesLengths = {box.axesLengths}: expected lengths above 0, at most {LONGEST_M:g} m")
    axes = [box.normalizedAxes[k : k + 3] for k in (0, 3, 6)]
    for a in range(3):
        for b in range(a + 1):
            product = sum(u * v for u, v in zip(axes[a], axes[b], strict=True))
            if abs(product - (a == b)) > 1e-3:
                raise ValueError(
                    f"{where}.normalizedAxes: rows {b} and {a} have product {product:.4f}, expected unit axes"
                )


def place_of(room_id: str, dataset: str) -> str:
    """Return the physical room: scene0000_01 -> scene0000; the other data sets' ids name no room but their own."""
    return room_id.split("_")[0] if dataset == "scannet" else room_id


def build_world(room_id: str, entry: Entry, style: str, frames: int, size_px: int, every_s: float) -> World:
    """Return the room's boxes with assumed walls and invented cameras; categories in the order of their names."""
    import numpy as np

    # the data lists printers twice, box for box, and counts them once
    named = [(category, box) for category, boxes in sorted(entry.object_bbox.items()) for box in _different(boxes)]
    centre = np.array([box.centroid for _, box in named])
    size = np.array([box.axesLengths for _, box in named])
    rotation = np.array([box.normalizedAxes for _, box in named]).reshape(-1, 3, 3)
    # a box with a mirrored axis is the same box; what turns with its axes is not
    rotation = np.where(np.linalg.det(rotation)[:, None, None] < 0, rotation * MIRROR, rotation)
    look = find_style(style)
    walls = _walls(np.concatenate([box_corners(*b) for b in zip(centre, size, rotation, strict=True)]), entry.room_size)
    return World(
        labels=[category for category, _ in named],
        centre=centre,
        size=size,
        rotation=rotation,
        colour=np.array([category_colour(category) for category, _ in named]),
        room_centre=walls[0],
        room_size=walls[1],
        room_rotation=walls[2],
        K=intrinsics(size_px, look.fov_deg),
        T_wc=invent_views(room_id, (centre, size, rotation), walls, frames),
        time_s=np.arange(frames, dtype=np.float64) * every_s,
        style=look,
        noise_seed=seed_of(VERSION, room_id, style, "noise"),
        size_px=size_px,
    )


def _different(boxes: list[Box]) -> list[Box]:
    return [box for n, box in enumerate(boxes) if box not in boxes[:n]]


def _walls(corners: Floats, area_m2: float) -> tuple[Floats, Floats, Floats]:
    """Return centre, size, rotation of the smallest upright box around all corners (M, 3), widened to the area."""
    import numpy as np

    best: tuple[Floats, Floats, Floats] | None = None
    for degrees in range(0, 90, 3):
        rotation = yaw_rotation(math.radians(degrees))
        local = into_box(corners, np.zeros(3), rotation)
        low, high = local.min(0), local.max(0)
        size = high - low + [2 * WALL_M, 2 * WALL_M, 0.0]
        if best is None or size[0] * size[1] < best[1][0] * best[1][1]:
            best = ((low + high) / 2, size, rotation)
    assert best is not None  # range is not empty
    middle, size, rotation = best
    size[:2] *= max(1.0, math.sqrt(area_m2 / (size[0] * size[1])))
    # the floor is where the lowest box stands; a room is as high as its highest box but not lower than usual
    height = max(CEILING_M, size[2] + WALL_M)
    middle[2] += (height - size[2]) / 2
    size[2] = height
    return sum(middle[k] * rotation[k] for k in range(3)), size, rotation
