"""ScanNet's scans as the engine runs them: a scan more, a broken one, one without poses."""

from collections import Counter

import pytest

from graph.errors import RunError
from graph.run import run
from graph.spec import load_spec
from nodes.questions.question import Questions
from nodes.scenes.procedural import build_world
from nodes.scenes.render import render
from nodes.scenes.scene import Scene
from store.collection import Collection
from store.open import open_store
from tests.nodes.scenes.scans.scannet_files import scan_of

SPEC = """
[experiment]
name = "scannet"
seed = 7
[nodes.rooms]
kind = "scene.list"
params = { source = "scannet", path = "scans" }
[nodes.scenes]
kind = "scene.extract"
inputs = { list = "rooms" }
params = { source = "scannet", path = "scans", frames = 4 }
[nodes.shown]
kind = "frames.sample"
inputs = { scenes = "scenes" }
params = { n = 3 }
[nodes.qa]
kind = "qa.synthesize"
inputs = { scenes = "scenes", sample = "shown" }
params = { tasks = ["object_size_estimation", "room_size_estimation", "object_abs_distance", "closer"], per_scene = 8 }
"""


class Lab:
    """A folder of scans, a spec and a store."""

    def __init__(self, folder):
        self.folder, self.store = folder, open_store(str(folder / "store"))
        (folder / "spec.toml").write_text(SPEC)
        self.outputs, self.executed = {}, Counter()

    def scan(self, number, **change):
        world = build_world("old", 3 + number, 5, 96, 1.5)
        rgb, depth, _ = render(world)
        scan_of(self.folder / "scans" / f"scene{number:04d}_00", world, rgb, depth, **change)
        return self

    def run(self):
        self.executed = Counter()

        def count(event):
            if event.state == "done":
                self.executed[event.label] += event.ran

        self.outputs = run(load_spec(self.folder / "spec.toml", []), self.store, [], listeners=(count,)).outputs
        return self

    def open(self, node, item):
        return Collection.of(item, self.store.reader(self.outputs[node]))


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path)


def test_one_scan_more_is_one_extraction_and_one_synthesis(lab):
    lab.scan(0).scan(1).run()
    assert lab.executed == {"rooms": 1, "scenes": 2, "shown": 2, "qa": 2}
    asked = lab.open("qa", Questions)
    assert {question.task for question in asked["scene0000_00"].rows} >= {"room_size_estimation", "closer"}
    lab.scan(2).run()
    assert lab.executed == {"rooms": 1, "scenes": 1, "shown": 1, "qa": 1}
    lab.run()
    assert not +lab.executed


def test_a_broken_scan_fails_alone(lab):
    lab.scan(0).scan(1)
    path = lab.folder / "scans" / "scene0000_00" / "scene0000_00.sens"
    whole = path.read_bytes()
    path.write_bytes(whole[:5000])
    with pytest.raises(RunError, match=r"'scene0000_00': .*scene0000_00.sens: byte 5000: ends within frame 0 of 5"):
        lab.run()
    assert lab.executed["rooms"] == 1
    path.write_bytes(whole)
    # the listing sees other content; the good scan is not read again
    assert lab.run().executed == {"rooms": 1, "scenes": 1, "shown": 2, "qa": 2}


def test_without_poses_what_needs_none_is_asked(lab):
    lab.scan(0, lost=range(5)).run()
    scene = lab.open("scenes", Scene)["scene0000_00"]
    assert scene.lost == {"poses": "none of 5 frames has one"}
    asked = lab.open("qa", Questions)["scene0000_00"]
    assert {question.task for question in asked.rows} <= {
        "object_size_estimation", "room_size_estimation", "object_abs_distance",
    }  # fmt: skip
    assert "closer" in asked.dropped
