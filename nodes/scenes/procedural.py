"""Generated rooms: one to four coloured boxes in a box-shaped room and a camera that walks around them.

A room is drawn from H(generator version, style, number) and nothing else, its cameras from the same with the
number of frames, so neither the experiment's seed nor the other rooms can change it. Labels are unique in a
room ("red box"). Whatever changes a drawn room must raise VERSION: the version is in every room's id.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from nodes.scenes.camera import intrinsics, look_at
from nodes.scenes.colours import COLOURS
from nodes.scenes.drawn import scene_of_world
from nodes.scenes.geometry import yaw_rotation
from nodes.scenes.list import split_of
from nodes.scenes.render import World
from nodes.scenes.scene import Room, Scene
from nodes.scenes.seeds import generator, seed_of
from nodes.scenes.styles import find_style

if TYPE_CHECKING:
    import numpy as np

    from nodes.scenes.extract import Extract
    from nodes.scenes.list import ListRooms

VERSION = "procedural-v1"
TERMS = "generated"
WEIGHTS = (0.10, 0.25, 0.30, 0.35)  # of 1, 2, 3, 4 boxes: most tasks compare two
MARGIN_M = 1.75  # free ring along the walls, where the camera walks
GAP_M = 0.12
TRIES = 200


class Procedural:
    """The source of generated rooms: as many as one asks for, drawn from their numbers."""

    @staticmethod
    def rooms(params: ListRooms) -> Iterator[Room]:
        """Yield rooms 0, 1, 2, ... of a style, without end."""
        for number in count():
            place = room_id(params.style, number)
            yield Room(place, "procedural", place, split_of(place), TERMS, {"style": params.style, "number": number})

    @staticmethod
    def extract(room: Room, folder: Path | None, params: Extract) -> Scene:
        """Return the room, drawn from its style and number."""
        style, number = room.data["style"], room.data["number"]
        world = build_world(style, number, params.frames, params.size_px, params.every_s)
        counts = {label: 1 for label in world.labels}
        return scene_of_world(room, world, counts, float(world.room_size[0] * world.room_size[1]), invented=False)


def room_id(style: str, number: int) -> str:
    """Return a room's id, which is its place too: no two generated rooms share anything."""
    return f"{VERSION}-{style}-{number:05d}"


class Layout:
    """A drawn room: room size (3,) m, and of each box label, colour, centre (3,), size (3,) in m, yaw in rad."""

    def __init__(self, style: str, number: int) -> None:
        rng = generator(VERSION, style, number)
        self.room = [round(_draw(rng, low, high), 3) for low, high in ((5.2, 6.4), (5.2, 6.4), (2.5, 2.9))]
        drawn = rng.random()
        n = 1 + sum(drawn > sum(WEIGHTS[: k + 1]) for k in range(len(WEIGHTS) - 1))
        colours = list(COLOURS)
        self.boxes: list[tuple[str, list[float], list[float], float]] = []
        for _ in range(n):
            colour = colours.pop(int(rng.random() * len(colours)))
            box = self._place(rng)
            if box is not None:
                self.boxes.append((colour, *box))

    def _place(self, rng: np.random.Generator) -> tuple[list[float], list[float], float] | None:
        """Return centre, size, yaw of a box that touches no other, or None if the floor is full."""
        size = [round(_draw(rng, low, high), 3) for low, high in ((0.4, 0.9), (0.4, 0.9), (0.3, 1.5))]
        yaw = round(_draw(rng, 0.0, math.pi), 4)
        reach = math.hypot(size[0], size[1]) / 2
        for _ in range(TRIES):
            half = [side / 2 - MARGIN_M for side in self.room[:2]]
            x, y = (round(_draw(rng, -h, h), 3) for h in half)
            others = ((c, math.hypot(s[0], s[1]) / 2) for _, c, s, _ in self.boxes)
            if all(math.hypot(x - c[0], y - c[1]) >= reach + r + GAP_M for c, r in others):
                return [x, y, round(size[2] / 2, 4)], size, yaw
        return None


def build_world(style: str, number: int, frames: int, size_px: int, every_s: float) -> World:
    """Return the room with its cameras; rendering it gives the same pictures on every run."""
    import numpy as np

    layout, look = Layout(style, number), find_style(style)
    height = layout.room[2]
    return World(
        labels=[f"{colour} box" for colour, *_ in layout.boxes],
        centre=np.array([c for _, c, _, _ in layout.boxes]),
        size=np.array([s for _, _, s, _ in layout.boxes]),
        rotation=np.stack([yaw_rotation(yaw) for *_, yaw in layout.boxes]),
        colour=np.array([COLOURS[colour] for colour, *_ in layout.boxes]),
        room_centre=np.array([0.0, 0.0, height / 2]),
        room_size=np.array(layout.room),
        room_rotation=np.eye(3),
        K=intrinsics(size_px, look.fov_deg),
        T_wc=_walk(layout, style, number, frames),
        time_s=np.arange(frames, dtype=np.float64) * every_s,
        style=look,
        noise_seed=seed_of(VERSION, style, number, "noise"),
        size_px=size_px,
    )


def _walk(layout: Layout, style: str, number: int, frames: int) -> np.ndarray:
    """Return T_wc (F, 4, 4): once around the room along its walls, looking across its middle, turned a little away."""
    import numpy as np

    rng = generator(VERSION, style, number, "camera")
    low, high = find_style(style).camera_height_m
    start, way = rng.random(), 1 if rng.random() < 0.5 else -1
    poses = []
    for f in range(frames):
        angle = 2 * math.pi * (start + way * (f + _draw(rng, -0.3, 0.3)) / frames)
        # on a rectangle, not an ellipse: that one cuts the corners, where boxes stand
        scale = _draw(rng, 0.84, 1.0) / max(abs(math.cos(angle)), abs(math.sin(angle)))
        x, y = (scale * (side / 2 - 0.2) for side in layout.room[:2])
        eye = [x * math.cos(angle), y * math.sin(angle), _draw(rng, low, high)]
        target = [_draw(rng, -0.7, 0.7), _draw(rng, -0.7, 0.7), _draw(rng, 0.2, 0.8)]
        poses.append(look_at(eye, target))
    return np.stack(poses) if poses else np.zeros((0, 4, 4))


def _draw(rng: np.random.Generator, low: float, high: float) -> float:
    # .random() alone: of all the generator's methods the one whose stream is safest across numpy versions
    return low + (high - low) * float(rng.random())
