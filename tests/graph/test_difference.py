"""Two runs side by side: what was asked, what came out, and what was first to differ."""

from __future__ import annotations

import json

import pytest

from graph.difference import compare_runs, find_two
from graph.errors import NotFoundError, RunError
from graph.runs import Runs


def two(lab, loop, *settings):
    return compare_runs(lab.store, lab.run(loop).run, lab.run(loop, *settings).run)


def causes(difference):
    return {one.node: one.cause for one in difference.differing}


def test_first_cause_is_the_root_furthest_upstream(lab, loop):
    found = two(lab, loop, "nodes.data.params.first=1", "nodes.update.params.add=2.0")
    assert causes(found) == {
        "data": "params.first 0 -> 1",
        "scaled": "data params.first 0 -> 1",
        "sum": "data params.first 0 -> 1",
        "update[1]": "data params.first 0 -> 1 and 1 more",
        "update[2]": "data params.first 0 -> 1 and 2 more",
        "report": "data params.first 0 -> 1 and 1 more",
    }
    assert found.equal == 0 and found.after.settings == ["nodes.data.params.first=1", "nodes.update.params.add=2.0"]


def test_outputs_that_are_equal_are_only_counted(lab, loop):
    found = two(lab, loop, "nodes.sum.params.tag='other'")  # an equal sum
    assert causes(found) == {} and found.equal == 6
    assert found.text().endswith("6 outputs are equal, 0 differ")


def test_instances_of_one_run_alone_are_listed(lab, loop):
    found = two(lab, loop, "experiment.rounds=3")
    assert (found.only_before, found.only_after) == ([], ["update[3]"])
    assert causes(found) == {"report": "update[3] is new"}
    assert "only now: update[3]" in found.text()


def test_changed_lines_of_the_spec_and_settings_are_shown(lab, loop):
    first = lab.run(loop, "nodes.data.params.first=1").run
    second = lab.run(loop.replace("rounds = 2", "rounds = 1")).run
    lines = compare_runs(lab.store, first, second).text().splitlines()
    assert "- --set nodes.data.params.first=1" in lines
    assert "-rounds = 2" in lines and "+rounds = 1" in lines


def test_seconds_are_those_of_the_making(lab, loop):
    found = two(lab, loop, "nodes.data.params.first=1")
    keys = [Runs(lab.store).outcomes(run.run)["sum"].key for run in (found.before, found.after)]
    (row,) = [one for one in found.differing if one.node == "sum"]
    assert row.seconds == tuple(lab.store.records.find(key).ran["seconds"] for key in keys)


def test_failed_and_skipped_instances_say_so(lab, loop):
    first = lab.run(loop).run
    with pytest.raises(RunError):
        lab.run(loop, "nodes.scaled.params.fail_on=[1.0]")
    failed = next(Runs(lab.store).ids())
    assert causes(compare_runs(lab.store, first, failed))["scaled"] == "failed: 1 of 3 elements failed"
    assert causes(compare_runs(lab.store, first, failed))["sum"] == "skipped"
    assert causes(compare_runs(lab.store, failed, first))["scaled"] == "failed then"


def test_runs_are_found_by_beginning_spec_or_age(lab, loop):
    first, second = lab.run(loop).run, lab.run(loop, "nodes.data.params.first=1").run
    other = lab.run(loop.replace('"toy"', '"other"')).run
    spec = str(lab.write(loop))
    assert find_two(lab.store, [second[:21], first]) == (second, first)
    assert find_two(lab.store, [spec]) == (first, second)
    assert find_two(lab.store, [first]) == (first, second)
    assert find_two(lab.store, [other, spec]) == (other, second)
    with pytest.raises(NotFoundError, match="experiment 'other' has one run only"):
        find_two(lab.store, [])
    with pytest.raises(NotFoundError, match=f"3 runs begin with '2': {first}"):
        find_two(lab.store, ["2", first])
    with pytest.raises(NotFoundError, match="no run 'x' in this store"):
        find_two(lab.store, ["x"])


def test_command_prints_for_people_and_for_programs(lab, loop):
    spec = lab.write(loop)
    lab.command("run", spec)
    lab.command("run", spec, "--set", "nodes.scaled.params.factor=3.0")
    done = lab.command("diff")
    assert done.returncode == 0 and done.stdout.splitlines()[0].split() == ["run", "started", "ended", "time"]
    row = next(line for line in done.stdout.splitlines() if line.startswith("sum"))
    assert row.endswith("scaled params.factor 2.0 -> 3.0")
    told = json.loads(lab.command("diff", spec, "--json").stdout)
    assert told["equal"] == 1 and told["differing"][0]["node"] == "scaled"
    assert lab.command("diff", "a", "b", "c").returncode == 2
