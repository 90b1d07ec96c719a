"""Questions on one image and its camera, by hand; every program says its answer in generated and in real rooms."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nodes.questions.synthesize import Synthesize, synthesize
from nodes.questions.verify import Verify, verify
from nodes.scenes.camera import look_at
from nodes.scenes.scene import Room, Scene
from nodes.scenes.vsibench import VsiBench, load_entries
from tests.nodes.questions.tasks import named
from tests.nodes.questions.test_spatialevo import CAMERA_TASKS, ask, stand, told

DATA = Path(os.environ.get("DATAFLOW_VSIBENCH", Path(__file__).parents[4] / "shared/data/vsibench"))


def one_camera(scene_of: Any, labels: list[str], centre: Any, size: Any, **facts: Any) -> Scene:
    """The camera stands at (0, 0, 1.5) and looks along x."""
    return stand(scene_of(labels, centre, size, frames=1, **facts), look_at((0, 0, 1.5), (1, 0, 1.5)))


def test_directions_by_hand(scene_of: Any) -> None:
    # bed: 2 ahead, 2 left, level: 45 degrees. chair: 1 ahead and 1.1 below: slope -47.7, steep from -26.6 on.
    # lamp: 3 ahead, 3 to the right, 1 above: 1 / 4.24 is no half. door: 1.5 ahead, 1.2 right, 1.2 above: -38.7
    # degrees; 1.2 / 1.92 = .62
    labels = ["bed", "chair", "lamp", "door"]
    centre = [(2, 2, 1.5), (1, 0, 0.4), (3, -3, 2.5), (1.5, -1.2, 2.7)]
    asked = ask(one_camera(scene_of, labels, centre, np.full((4, 3), 0.2)), "camera_direction")
    answers = {label: told(asked[f'camera_direction("{label}", frame=0)']) for label in labels}
    assert answers == {
        "bed": "front-left",
        "chair": "front and below",
        "lamp": "front-right",
        "door": "front-right and above",
    }
    # 38.66 - 22.5 = 16.2 to front, 67.5 - 38.66 = 28.8 to right; atan(1.2 / 1.921) = 31.99 - 26.57 = 5.4 to no longer
    # above
    assert round(asked['camera_direction("door", frame=0)'].margin, 1) == 5.4


def test_what_lies_beside_or_behind_is_no_question_of_one_image(scene_of: Any) -> None:
    scene = one_camera(scene_of, ["bed", "chair"], [(0, 2, 1.5), (-3, 0, 1.5)], np.full((2, 3), 0.2))
    assert not ask(scene, "camera_direction")


def test_depth_is_along_the_view_not_to_the_camera(scene_of: Any) -> None:
    # cubes of .2. bed at 2 ahead, 2 left: depth 1.9 to its nearest point, 2.83 from the camera; chair at 2.5 ahead:
    # 2.4, and 2.5 from the camera. The smaller gain is .5 by either
    asked = ask(
        one_camera(scene_of, ["bed", "chair"], [(2, 2, 1.5), (2.5, 0, 1.5)], np.full((2, 3), 0.2)), "depth_order"
    )
    (question,) = asked.values()
    assert (told(question), round(question.margin, 9), question.chance) == ("bed", 0.5, 0.5)


@pytest.mark.parametrize(("x", "size", "n"), [(2.2, 0.2, 0), (2.4, 0.2, 1), (2.4, 1.0, 0)])
def test_depths_that_are_close_or_contradict_are_not_asked(scene_of: Any, x: float, size: float, n: int) -> None:
    # bed: a cube of .2 at 2. Chair at 2.2: .2 apart, a tenth of the larger depth is .22; at 2.4: .4; at 2.4 but 1 m
    # deep: centre .4 farther, nearest point at 1.9 where the bed's is
    scene = one_camera(scene_of, ["bed", "chair"], [(2, 0, 1.5), (x, 1, 1.5)], [[0.2] * 3, [size, 0.2, 0.2]])
    assert len(ask(scene, "depth_order")) == n


def test_a_picture_on_its_side_has_no_left(scene_of: Any) -> None:
    scene = one_camera(scene_of, ["bed"], [(2, 2, 1.5)], np.full((1, 3), 0.2))
    assert len(ask(scene, "camera_direction")) == 1
    pose = scene.frames.T_wc[0].copy()
    pose[:3, 0], pose[:3, 1] = pose[:3, 1].copy(), -pose[:3, 0]  # a quarter turn about the view
    assert not ask(stand(scene, pose), "camera_direction")


def test_a_camera_that_looks_down_has_no_front(scene_of: Any) -> None:
    scene = one_camera(scene_of, ["bed"], [(2, 2, 1.5)], np.full((1, 3), 0.2))
    assert not ask(stand(scene, look_at((0, 0, 1.5), (0.1, 0, 0))), "camera_direction")


def wrong(scenes: list[Scene]) -> tuple[Counter[str], list[str]]:
    """Return how many questions there are by task, and what their programs say against their answers."""
    count: Counter[str] = Counter()
    found = []
    for scene in scenes:
        params = Synthesize(tasks=named(*CAMERA_TASKS), per_scene=80)
        questions = synthesize(scene, None, None, params=params, seed=1)
        verified = verify(questions, scene, params=Verify())
        found += [f"{key}: {why}" for key, why in verified.dropped.items() if key not in CAMERA_TASKS]
        count.update(row.task for row in questions.rows)
    return count, found


def test_programs_say_the_answers_in_generated_rooms(generated: list[Scene]) -> None:
    count, found = wrong(generated[::5])
    assert found == []
    assert set(count) == set(CAMERA_TASKS) and count.total() > 500


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no VSI-Bench data at {DATA}")
def test_programs_say_the_answers_in_real_rooms() -> None:
    from nodes.scenes.extract import Extract

    entries = load_entries(DATA / "scannet_meta_info_val.json")
    scenes = []
    for name in sorted(entries)[:12]:
        room = Room(name, "vsibench", name, "train", "", {"style": "new", "entry": entries[name]})
        scenes.append(VsiBench.extract(room, None, Extract(frames=12, size_px=64)))
    count, found = wrong(scenes)
    assert found == []
    assert set(count) == set(CAMERA_TASKS) and count.total() > 700
