"""Ten thousand random questions over randomly turned rooms, each answered anew by an oracle that shares no code."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from graph.node import External, Named
from nodes.questions.question import Question
from nodes.questions.synthesize import Synthesize, synthesize
from nodes.questions.vocabulary import ARKITSCENES, SCANNET
from nodes.scenes.camera import look_at
from nodes.scenes.extract import Extract, extract
from nodes.scenes.frames import Frames
from nodes.scenes.geometry import yaw_rotation
from nodes.scenes.list import ListRooms, list_rooms
from nodes.scenes.scene import Scene
from tests.nodes.questions.oracle import ORACLES, judge, text_of
from tests.nodes.questions.tasks import TASKS, named

DATA = Path(os.environ.get("DATAFLOW_VSIBENCH", Path(__file__).parents[4] / "shared/data/vsibench"))
FAMILIES = ("image", "counting", "distance", "direction", "order", "route", "groups", "size")
N_RANDOM = 105
LABELS = tuple(sorted({*SCANNET, *ARKITSCENES}))


def random_scene(scene_of: Any, seed: int) -> Scene:
    """Return a room of 5 to 12 boxes, a third of them tilted, some labels twice; 6 frames of random blots of ids."""
    rng = np.random.default_rng([11, seed])
    n = int(rng.integers(5, 13))
    labels = [LABELS[i] for i in rng.choice(len(LABELS), n, replace=False)]
    if seed % 2:
        labels[-1] = labels[0]
    side = rng.uniform([4, 4], [9, 9])
    centre = np.column_stack([rng.uniform(-0.5, 0.5, (n, 2)) * side, rng.uniform(0.2, 1.2, n)])
    size = rng.uniform(0.15, 1.2, (n, 3))
    axes = np.stack([yaw_rotation(a) for a in rng.uniform(0, 6.3, n)])
    tilted = rng.random(n) < 1 / 3
    axes[tilted] = Rotation.random(n, random_state=seed).as_matrix()[tilted]
    instance = np.zeros((6, 20, 20), int)
    for f in range(6):
        for i in rng.permutation(n)[: int(rng.integers(2, n + 1))]:
            r, c = rng.integers(0, 18, 2)
            instance[f, r : r + int(rng.integers(1, 6)), c : c + int(rng.integers(1, 6))] = i + 1
    covered = np.stack([np.bincount(frame.ravel(), minlength=n + 1)[1:] for frame in instance])
    visibility = np.where(covered > 0, rng.uniform(0.05, 0.6, covered.shape), 0.0)
    box = side / 2 + 0.3
    walls = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * box
    scene = scene_of(
        labels,
        centre,
        size,
        instance=instance,
        visibility=visibility,
        rotation=axes,
        polygon=walls,
        area_m2=math.prod(2 * box),
    )
    eyes = np.column_stack([rng.uniform(-3, 3, (6, 2)), rng.uniform(0.5, 2, 6)])
    scene.frames.T_wc[:] = np.stack([look_at(eye, centre[k % n] + 0.01) for k, eye in enumerate(eyes)])
    scene.frames.K[:] = [[4.0, 0, 10], [0, 4, 10], [0, 0, 1]]
    return scene


def moved(scene: Scene, seed: int) -> Scene:
    """Return the scene turned about the vertical and shifted: never mirrored."""
    rng = np.random.default_rng([12, seed])
    turn, shift = yaw_rotation(float(rng.uniform(-math.pi, math.pi))), rng.uniform(-9, 9, 3)
    arrays = {name: getattr(scene, name) for name in Scene.DIMS}
    arrays["centre"] = scene.centre @ turn + shift
    arrays["rotation"] = scene.rotation @ turn
    arrays["polygon"] = scene.polygon @ turn[:2, :2] + shift[:2]
    frames = None
    if scene.has_frames:
        old = scene.frames
        pictures = {
            name: np.stack([getattr(old, name)(f) for f in range(len(old))]) for name in ("rgb", "instance", "depth")
        }
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = turn.T, shift
        frames = Frames({**pictures, "K": old.K, "T_wc": pose @ old.T_wc, "time_s": old.time_s})
    who = {name: getattr(scene, name) for name in ("id", "source", "place", "split", "terms")}
    facts = {name: getattr(scene, name) for name in ("labels", "area_m2", "area_assumed", "polygon_assumed", "counts")}
    return Scene(who, arrays, relations=[], frames=frames, **facts)


def annotated(limit: int, frames: int = 0) -> Iterator[Scene]:
    """Yield real rooms where the data folder is there, `limit` of each data set."""
    source = Named("vsibench", "nodes.scenes.vsibench:VsiBench")
    for name in ("scannet", "arkitscenes") if DATA.is_dir() else ():
        listing = list_rooms(params=ListRooms(source=source, path=External(DATA / f"{name}_meta_info_val.json")))
        for key in list(listing)[:limit]:
            yield extract(listing[key], params=Extract(source=source, frames=frames, size_px=32))


def families() -> tuple[str, ...]:
    """Return the registered tasks of the families that the oracle is held to know."""
    return tuple(t.name for t in named(*TASKS) if t.target.split(":")[0].rsplit(".", 1)[1] in FAMILIES)


def ask(scene: Scene, seed: int, per_scene: int) -> list[Question]:
    return synthesize(
        scene, None, None, params=Synthesize(tasks=named(*families()), per_scene=per_scene), seed=seed
    ).rows


def test_the_oracle_knows_every_task() -> None:
    assert set(families()) == set(ORACLES)


def test_an_oracle_of_other_code_agrees_on_ten_thousand_questions(generated: list[Scene], scene_of: Any) -> None:
    rooms = [random_scene(scene_of, k) for k in range(N_RANDOM)] + generated + list(annotated(20))
    asked: Counter[str] = Counter()
    wrong = []
    for k, room in enumerate(rooms):
        scene = moved(room, k)
        for question in ask(scene, k, 64):
            answer, _ = judge(scene, question)
            asked[question.task] += 1
            if answer != text_of(question):
                wrong.append((question.prompt, text_of(question), answer))
    print(dict(sorted(asked.items())), asked.total())
    assert wrong == []
    assert asked.total() >= 10_000 and min(asked[name] for name in families()) >= 15
