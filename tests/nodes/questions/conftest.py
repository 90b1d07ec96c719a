"""Scenes made by hand, and rooms of the generator, for the tests of questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nodes.scenes.extract import Extract, extract
from nodes.scenes.frames import Frames
from nodes.scenes.list import ListRooms, list_rooms
from nodes.scenes.scene import Scene

MakeScene = Callable[..., Scene]


def make_scene(
    labels: list[str],
    centre: Any,
    size: Any,
    *,
    instance: np.ndarray | None = None,
    visibility: np.ndarray | None = None,
    rotation: np.ndarray | None = None,
    cameras: Any = None,
    turn: np.ndarray | None = None,
    polygon: Any = ((0.0, 0.0), (5, 0), (5, 4), (0, 4)),
    frames: int = 2,
    **facts: Any,
) -> Scene:
    """Return a scene in memory; without `instance` every object covers 10 of 100 pixels in every frame.

    Cameras are level, look along +x and see nearly all that is in front of them; `turn` (3, 3) turns them, as points
    (N, 3) are by `points @ turn`.
    """
    n = len(labels)
    if instance is None:
        flat = np.repeat(np.arange(n) % 10 + 1, 10) if n else np.zeros(0)
        plain = np.resize(flat, 100).reshape(10, 10) if n else np.zeros((10, 10))
        instance = np.repeat(plain[None], frames, axis=0).astype(np.uint16)
        pixels = np.full((frames, n), 10)
    else:
        pixels = np.stack([np.bincount(frame.ravel(), minlength=n + 1)[1 : n + 1] for frame in instance])
    f = len(instance)
    poses = np.repeat(np.eye(4)[None], f, axis=0)
    axes = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])  # right, down, forward
    poses[:, :3, :3] = (axes if turn is None else axes @ turn).T
    poses[:, :3, 3] = (0.0, 0.0, 1.0) if cameras is None else cameras
    pictures = {
        "rgb": (instance[..., None] * np.array([50, 20, 5])).astype(np.uint8),
        "depth": np.ones(instance.shape, np.float32),
        "instance": instance.astype(np.uint16),
        "K": np.repeat(np.array([[0.5, 0, 5], [0, 0.5, 5], [0, 0, 1]])[None], f, axis=0),
        "T_wc": poses,
        "time_s": np.arange(f) * 1.0,
    }
    arrays = {
        "centre": np.asarray(centre, float).reshape(-1, 3),
        "size": np.asarray(size, float).reshape(-1, 3),
        "rotation": np.repeat(np.eye(3)[None], n, axis=0) if rotation is None else rotation,
        "polygon": np.asarray(polygon, float),
        "visibility": np.where(pixels > 0, 0.4, 0.0) if visibility is None else visibility,
        "pixels": pixels,
        "first_seen_s": np.zeros(n),
    }
    who = {"id": "hand", "source": "hand", "place": "hand", "split": "train", "terms": "generated"}
    known = {"area_m2": 20.0, "area_assumed": False, "polygon_assumed": False, "relations": []}
    counts = {label: labels.count(label) for label in labels}
    return Scene(who, arrays, labels=labels, frames=Frames(pictures), **{"counts": counts, **known, **facts})


@pytest.fixture(scope="session")
def scene_of() -> MakeScene:
    return make_scene


@pytest.fixture
def three_boxes() -> Scene:
    """Red, blue and green box; the camera stands at (0, 0, 1). Frame 0 shows red left of blue, frame 1 green alone.

    Red fills columns 1-2 of rows 0-4, blue columns 6-7; green has 10 pixels in frame 1 and none in frame 0.
    """
    instance = np.zeros((2, 10, 10), int)
    instance[0, :5, 1:3] = 1
    instance[0, :5, 6:8] = 2
    instance[1, 4:6, 2:7] = 3
    return make_scene(
        ["red box", "blue box", "green box"],
        centre=[(2, 1, 0.5), (4, -1, 1), (3, 3, 0.25)],
        size=[(1, 1, 1), (1, 1, 2), (0.5, 0.5, 0.5)],
        instance=instance,
    )


@pytest.fixture(scope="session")
def generated() -> list[Scene]:
    """60 generated rooms, 30 of each style, 8 frames."""
    rooms = [room for style in ("old", "new") for room in _rooms(style)]
    return [extract(room, params=Extract(frames=8, size_px=48)) for room in rooms]


def _rooms(style: str) -> list[Any]:
    listing = list_rooms(params=ListRooms(style=style, count=30))
    return [listing[key] for key in listing]
