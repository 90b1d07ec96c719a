"""Plans: what they say is what a run then does, and they say why."""

from __future__ import annotations

import pytest

from graph.errors import RunError
from graph.plan import make_plan

NAMES = {"data": "list", "scaled": "scale", "sum": "sum", "update": "step", "report": "report"}


def plan(lab, text, *settings, until=None):
    return {planned.label: planned for planned in make_plan(lab.load(text, *settings), lab.store, until)}


def test_nothing_has_run_yet(lab, loop):
    found = plan(lab, loop)
    assert found["data"].state == "will run" and found["data"].reason == "never run"
    assert {planned.state for label, planned in found.items() if label != "data"} == {"may run"}
    assert found["update[2]"].reason == "reads update[1]"
    lab.forget()
    assert lab.executed == {}


@pytest.mark.parametrize(
    ("settings", "label", "reason"),
    [
        (["nodes.scaled.params.factor=3.0"], "scaled", "params.factor 2.0 -> 3.0"),
        (["nodes.data.params.count=4"], "data", "params.count 3 -> 4"),
        (["experiment.seed=8"], "update[1]", "seed "),
        (["nodes.update.threads=2"], "update[1]", "threads absent -> 2"),
        (
            ["nodes.update.params={add=2.0,wait_for=''}", "nodes.update.seed=1"],
            "update[1]",
            "params.add 1.0 -> 2.0; seed",
        ),
    ],
)
def test_reason_names_the_changed_part_of_the_key(lab, loop, settings, label, reason):
    lab.run(loop)
    found = plan(lab, loop, *settings)
    assert found[label].state == "will run" and found[label].reason.startswith(reason)


def test_reason_names_the_changed_input(lab, loop):
    lab.run(loop)
    lab.run(loop, "nodes.data.params.first=1", until="data")
    found = plan(lab, loop, "nodes.data.params.first=1")
    assert found["data"].state == "hit"
    assert found["scaled"].reason == "input item changed"
    assert (found["scaled"].elements, found["scaled"].missing) == (3, 1)  # e001 and e002 are there already


def test_failure_is_the_reason(lab, loop):
    fail = "nodes.scaled.params.fail_on=[1.0]"
    with pytest.raises(RunError):
        lab.run(loop, fail)
    assert plan(lab, loop, fail)["scaled"].reason == "failed in its last run"


def test_lost_output_is_the_reason(lab, loop):
    digest = lab.run(loop).outputs["sum"]
    (lab.folder / "store" / "manifests" / digest[:2] / digest).unlink()
    assert plan(lab, loop)["sum"].reason == "its output is gone or damaged"


def test_elements_that_are_all_there_are_a_hit(lab, loop):
    lab.run(loop)
    lab.run(loop, "nodes.data.params.count=2", until="data")
    found = plan(lab, loop, "nodes.data.params.count=2")
    assert (found["scaled"].state, found["scaled"].elements) == ("hit", 2)
    assert found["sum"].state == "will run"


EDITS = [
    [],
    ["nodes.scaled.params.factor=3.0"],
    ["nodes.data.params.count=4"],
    ["nodes.data.params.count=2"],
    ["experiment.rounds=3"],
    ["experiment.seed=9"],
    ["nodes.update.params.add=0.5", "experiment.rounds=1"],
    ["nodes.sum.params.tag='other'"],
    [],
]


def test_run_does_what_the_plan_said(lab, loop):
    for settings in EDITS:
        before = plan(lab, loop, *settings)
        lab.run(loop, *settings)
        states = {name: set() for name in NAMES}
        for label, planned in before.items():
            states[label.split("[")[0]].add(planned.state)
        for name, toy in NAMES.items():
            count = lab.executed.get(toy, 0)
            if states[name] == {"hit"}:
                assert count == 0, (settings, name)
            if "will run" in states[name]:
                assert count >= 1, (settings, name)
        mapped = before["scaled"]
        if mapped.state == "will run":
            assert lab.executed["scale"] == mapped.missing
        after = plan(lab, loop, *settings)
        assert {planned.state for planned in after.values()} == {"hit"}


def test_cutoff_that_may_stop_a_change_is_said(lab, loop):
    lab.run(loop)
    found = plan(lab, loop, "nodes.sum.params.tag='other'")  # an equal sum
    assert [found[name].state for name in ("sum", "update[1]", "report")] == ["will run", "may run", "may run"]
    lab.run(loop, "nodes.sum.params.tag='other'")
    assert lab.executed == {"sum": 1}


def test_until_plans_what_a_node_needs(lab, loop):
    assert set(plan(lab, loop, until="scaled")) == {"data", "scaled"}


def test_reason_is_told_by_the_nearest_earlier_run_not_the_newest(lab, loop):
    lab.run(loop)
    lab.run(loop, "nodes.data.params.first=1", "nodes.scaled.params.factor=5.0")
    assert plan(lab, loop, "nodes.scaled.params.factor=3.0")["scaled"].reason == "params.factor 2.0 -> 3.0"
