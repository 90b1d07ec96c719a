"""Questions: what they cost, from a JSON of annotated rooms to verified questions; memory over many scenes; feedback.

    python -m tests.bench.questions                       # everything, about ten minutes
    python -m tests.bench.questions speed feedback        # some of it

DATAFLOW_VSIBENCH names the folder of VSI-Bench's metadata. Speed is CPU seconds in this process, the best of three,
beside a plain loop that works every question out anew: closest distances by scipy's KD-tree over points sampled on both
boxes, directions and sizes by numpy. Memory and feedback are whole processes that run a spec in a fresh store.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.bench.process import Usage, measure_well

DATA = Path(os.environ.get("DATAFLOW_VSIBENCH", "shared/data/vsibench"))
ROOT = Path(__file__).parents[2]
EIGHT = {
    "object_counting": "counting",
    "object_abs_distance": "distance",
    "object_rel_distance": "distance",
    "object_rel_direction_easy": "direction",
    "object_rel_direction_medium": "direction",
    "object_rel_direction_hard": "direction",
    "object_size_estimation": "size",
    "room_size_estimation": "size",
}
PER_SCENE = 60
ROOMS = 400  # give over 10,000 questions at a budget of 60
SPEC = """
[experiment]
name = "many"

[compute]
executor = "local"
workers = 2

[nodes.rooms]
kind = "scene.list"
params = { source = "vsibench", path = "rooms.json" }

[nodes.scenes]
kind = "scene.extract"
inputs = { list = "rooms" }
params = { source = "vsibench", frames = 0 }

[nodes.feedback]
kind = "feedback.py:say"
inputs = { scenes = "scenes" }

[nodes.qa]
kind = "qa.synthesize"
inputs = { scenes = "scenes", feedback = "feedback" }
params = { tasks = TASKS }
"""
SAY = '''
from msgspec import Struct
from graph.node import node
from nodes.feedback.compile import SceneFeedback
from nodes.scenes.scene import Scene
from store.collection import Collection


class Say(Struct, frozen=True):
    budget: int = 60
    tilt: int = 0


@node("bench.say", version=1)
def say(scenes: Collection[Scene], *, params: Say) -> Collection[SceneFeedback]:
    """Weigh two cells by the number of the room."""
    weights = {key: {"object_counting": 25 + 25 * ((k + params.tilt) % 4)} for k, key in enumerate(scenes)}
    return Collection(SceneFeedback, {key: SceneFeedback(params.budget, weights[key]) for key in weights})
'''


def speed() -> None:
    """Print questions a CPU second, stage by stage, beside the plain loop."""
    heads = ("rooms", "questions", "list", "extract", "ask", "verify", "a CPU s", "plain")
    print("  ".join(f"{head:>11}" for head in heads))
    for name in ("scannet", "arkitscenes"):
        path = DATA / f"{name}_meta_info_val.json"
        seconds, rows, scenes = min((_stages(path) for _ in range(3)), key=lambda stages: sum(stages[0]))
        began = time.process_time()
        for row in rows:
            _plain(scenes[row.scene], row)
        plain = time.process_time() - began
        told = [name, len(rows), *(f"{s:.2f}" for s in seconds)]
        told += [f"{len(rows) / sum(seconds):.0f}", f"{len(rows) / plain:.0f}"]
        print("  ".join(f"{value:>11}" for value in told))


def _stages(path: Path) -> tuple[list[float], list[Any], dict[str, Any]]:
    """Return CPU seconds of listing, extraction, synthesis and verification, all questions, and the scenes."""
    from graph.node import External, Named
    from nodes.questions.synthesize import Synthesize, synthesize
    from nodes.questions.verify import Verify, check
    from nodes.scenes.extract import Extract, extract
    from nodes.scenes.list import ListRooms, list_rooms

    source = Named("vsibench", "nodes.scenes.vsibench:VsiBench")
    tasks = tuple(Named(task, f"nodes.questions.tasks.{module}:{task}") for task, module in EIGHT.items())
    ask = Synthesize(tasks=tasks, per_scene=PER_SCENE)
    marks = [time.process_time()]
    rooms = list_rooms(params=ListRooms(source=source, path=External(path)))
    marks.append(time.process_time())
    scenes = {key: extract(rooms[key], params=Extract(source=source, frames=0)) for key in rooms}
    marks.append(time.process_time())
    asked = {key: synthesize(scene, None, None, params=ask, seed=1) for key, scene in scenes.items()}
    marks.append(time.process_time())
    checked = [pair for key, asked_of in asked.items() for pair in check(asked_of.rows, scenes[key], Verify())]
    marks.append(time.process_time())
    assert not any(wrong for _, wrong in checked)
    rows = [row for questions in asked.values() for row in questions.rows]
    return [b - a for a, b in pairwise(marks)], rows, scenes


def _plain(scene: Any, row: Any) -> Any:
    """Work a question out as a script would: from its words, with nothing kept from the one before."""
    import re

    import numpy as np
    from scipy.spatial import cKDTree

    from nodes.scenes.geometry import vsi_points

    labels = re.findall(r'"([^"]+)"', row.program)
    index = [[i for i, label in enumerate(scene.labels) if label == name] for name in labels]

    def distance(a: list[int], b: list[int]) -> float:
        clouds = [[vsi_points(scene.centre[i], scene.size[i], scene.rotation[i]) for i in group] for group in (a, b)]
        return min(float(cKDTree(p).query(q)[0].min()) for p in clouds[0] for q in clouds[1])

    if row.task == "object_abs_distance":
        return distance(index[0], index[1])
    if row.task == "object_rel_distance":
        return int(np.argmin([distance(index[0], other) for other in index[1:5]]))
    if row.task.startswith("object_rel_direction"):
        stand, face, query = (scene.centre[group[0], :2] for group in index[:3])
        ahead, there = face - stand, query - stand
        return np.degrees(np.arctan2(ahead[0] * there[1] - ahead[1] * there[0], ahead @ there))
    if row.task == "object_size_estimation":
        return float(np.max(scene.size[index[0][0]]))
    return len(index[0]) if index else scene.area_m2


def memory() -> None:
    """Print the peak of the driver's processes and seconds for 150 and 1,500 scenes."""
    for n in (150, 1500):
        with tempfile.TemporaryDirectory() as folder:
            used = _run(Path(folder), n, "--set", "compute.executor=inline")
            print(f"{n:>6} scenes: {used.rss:.0f} MB, {used.wall:.1f} s, {used.text.strip().splitlines()[-2]}")


def feedback() -> None:
    """Print what 10,000 questions under changed feedback take, on two workers."""
    with tempfile.TemporaryDirectory() as folder:
        _run(Path(folder), ROOMS)
        used = _run(Path(folder), ROOMS, "--set", "nodes.feedback.params.tilt=1")
        asked = json.loads(_command(Path(folder), "show", "qa", "--json").text)["facts"]["questions"]
        print(f"{asked} questions, feedback changed for {ROOMS} rooms: {used.wall:.1f} s, {used.cpu:.1f} CPU s")
        print(used.text.strip().splitlines()[-2])


def _run(folder: Path, n: int, *words: str) -> Usage:
    """Run the spec on n rooms: all real ones, then again under other names."""
    real: dict[str, Any] = {}
    for name in ("scannet", "arkitscenes"):
        real |= json.loads((DATA / f"{name}_meta_info_val.json").read_bytes())
    entries = list(real.values())
    (folder / "rooms.json").write_text(json.dumps({f"room{k:05d}": entries[k % len(entries)] for k in range(n)}))
    (folder / "many.toml").write_text(SPEC.replace("TASKS", json.dumps(list(EIGHT))))
    (folder / "feedback.py").write_text(SAY)
    return _command(folder, "run", "many.toml", *words)


def _command(folder: Path, *words: str) -> Usage:
    """Run a command in a folder, with a store and settings below it."""
    places = {"XDG_CACHE_HOME": str(folder / "cache"), "XDG_CONFIG_HOME": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "graph.cli", *words]
    return measure_well(command, folder, DATAFLOW_STORE=str(folder / "store"), **places)


MEASURES = {"speed": speed, "memory": memory, "feedback": feedback}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", nargs="*", choices=[[], *MEASURES], help="absent: all")
    for what in parser.parse_args().what or MEASURES:
        MEASURES[what]()
