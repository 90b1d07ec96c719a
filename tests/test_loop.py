"""The whole loop on real rooms and questions, with a policy whose pass rates are known."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from graph.plan import make_plan
from graph.run import Result, run
from graph.spec import load_spec
from nodes.evaluate.scores import Scores
from nodes.feedback.compile import SceneFeedback
from nodes.questions.question import Questions, pool_rows
from nodes.report.curve import Curve
from store.collection import Collection
from store.open import Store, open_store

KINDS = Path(__file__).with_name("scripted_kinds.py")
# exists is mastered, closer is half known, taller hopeless; one update adds a tenth to what it was asked.
SPEC = """
[experiment]
name = "scripted"
seed = 7
rounds = 3
[nodes.rooms]
kind = "scene.list"
params = { style = "new", split = "train", count = 12 }
[nodes.scenes]
kind = "scene.extract"
inputs = { list = "rooms" }
params = { frames = 6 }
[nodes.test_rooms]
kind = "scene.list"
params = { style = "new", split = "test", count = 20 }
[nodes.test_scenes]
kind = "scene.extract"
inputs = { list = "test_rooms" }
params = { frames = 6 }
[nodes.test]
kind = "qa.synthesize"
inputs = { scenes = "test_scenes" }
params = { tasks = ["exists", "closer", "taller"], per_scene = 12 }
seed = 1
[nodes.start]
kind = "KINDS:policy"
params = { rates = { exists = 1.0, closer = 0.5, taller = 0.0 } }
[nodes.qa]
kind = "qa.synthesize"
inputs = { scenes = "scenes", feedback = "feedback[-1]" }
params = { tasks = ["exists", "closer", "taller"], per_scene = 12 }
[nodes.rollouts]
kind = "rollouts.draw"
inputs = { policy = "update[-1] | start", questions = "qa" }
params = { samples = 8 }
[nodes.probe]
kind = "probe.confidence"
inputs = { rollouts = "rollouts", questions = "qa" }
[nodes.selected]
kind = "select.band"
inputs = { probe = "probe", questions = "qa" }
params = { low = 0.1, high = 0.9, n = 1000, short = "repeat" }
[nodes.feedback]
kind = "feedback.compile"
inputs = { probe = "probe", questions = "qa" }
params = { budget = 12 }
[nodes.update]
kind = "KINDS:improve"
inputs = { policy = "update[-1] | start", questions = "selected" }
[nodes.before]
kind = "eval.questions"
inputs = { policy = "start", questions = "test" }
[nodes.eval]
kind = "eval.questions"
inputs = { policy = "update", questions = "test" }
[nodes.curve]
kind = "report.curve"
inputs = { before = "before", rounds = "eval[all]" }
"""
Outputs = dict[str, str]


class Loop:
    """One store and the spec above."""

    def __init__(self, folder: Path) -> None:
        self.store: Store = open_store(str(folder / "store"))
        self.path = folder / "loop.toml"
        self.path.write_text(SPEC.replace("KINDS", str(KINDS)))
        self.executed: Counter[str] = Counter()

    def run(self, *settings: str) -> Result:
        """Run it; `executed` counts actions by label."""
        self.executed = Counter()

        def count(event) -> None:
            if event.state == "done":
                self.executed[event.label] += event.ran

        return run(load_spec(self.path, list(settings)), self.store, list(settings), listeners=(count,))


@pytest.fixture(scope="module")
def loop(tmp_path_factory) -> Loop:
    return Loop(tmp_path_factory.mktemp("loop"))


@pytest.fixture(scope="module")
def outputs(loop: Loop) -> Outputs:
    return loop.run().outputs


def test_accuracy_before_the_loop_is_the_policy_s_pass_rate(loop, outputs):
    table = loop.store.open(outputs["before"], Scores).table
    assert table["exists"].mean == 1.0 and table["taller"].mean == 0.0
    assert abs(table["closer"].mean - 0.5) < 0.2  # about 80 questions: the standard error is .056


def test_only_what_is_in_the_band_is_selected(loop, outputs):
    for round in (1, 2, 3):
        pool = loop.store.open(outputs[f"selected[{round}]"], Collection[Questions])
        assert {row.task for row in pool_rows(pool)} == {"closer"}  # always right and always wrong teach nothing


def test_what_is_asked_is_learned_and_the_curve_says_so(loop, outputs):
    rows = loop.store.open(outputs["curve"], Curve).rows
    assert [row.round for row in rows] == [0, 1, 2, 3]
    closer = [loop.store.open(outputs[label], Scores).table["closer"].mean for label in ("before", "eval[3]")]
    assert closer[1] - closer[0] == pytest.approx(0.3, abs=0.15)  # three updates of a tenth
    assert rows[-1].gain > 0


def test_feedback_asks_more_of_what_the_policy_can_nearly_do(loop, outputs):
    feedback = loop.store.open(outputs["feedback[1]"], Collection[SceneFeedback])
    assert all(entry.weights.get("closer", 100) >= entry.weights.get("taller", 0) for entry in feedback.values())
    asked = []
    for label in ("qa[1]", "qa[2]"):
        by_task = Counter(row.task for row in pool_rows(loop.store.open(outputs[label], Collection[Questions])))
        asked.append(by_task["closer"] / by_task.total())
    assert asked[1] > asked[0]


def test_a_second_run_computes_nothing(loop, outputs):
    again = loop.run()
    assert again.computed == 0 and again.outputs == outputs


def test_a_fourth_round_runs_alone(loop, outputs):
    loop.run("experiment.rounds=4")
    ran = {label for label, count in loop.executed.items() if count}
    assert ran == {f"{name}[4]" for name in ("qa", "rollouts", "probe", "selected", "feedback", "update", "eval")} | {
        "curve"
    }


def test_one_room_more_is_one_extraction_and_one_synthesis_a_round(loop, outputs):
    loop.run("nodes.rooms.params.count=13")
    assert loop.executed["scenes"] == 1
    # This policy learns the same from either pool, so no other scene's feedback changes in any round.
    assert [loop.executed[f"qa[{round}]"] for round in (1, 2, 3)] == [1, 1, 1]
    assert not any(loop.executed[label] for label in ("test", "test_scenes", "before"))


def test_the_plan_names_what_a_param_reaches_and_no_more_runs(loop, outputs):
    setting = "nodes.selected.params.high=0.8"
    planned = {entry.label: entry for entry in make_plan(load_spec(loop.path, [setting]), loop.store)}
    assert planned["selected[1]"].reason == "params.high 0.9 -> 0.8"
    loop.run(setting)
    ran = {label for label, count in loop.executed.items() if count}
    assert "selected[1]" in ran and "probe[1]" not in ran
    assert ran <= {label for label, entry in planned.items() if entry.state != "hit"}
