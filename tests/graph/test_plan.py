"""Plans: what they say is what a run then does, and they say why, and how long it may take."""

from __future__ import annotations

import json
import shutil

import pytest

from graph.errors import RunError
from graph.plan import make_plan
from graph.table import html_table

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
        (["experiment.seed=8"], "update[1]", "seed changed"),
        (["nodes.update.threads=2"], "update[1]", "threads absent -> 2"),
        (
            ["nodes.update.params={add=2.0,wait_for=''}", "nodes.update.seed=1"],
            "update[1]",
            "params.add 1.0 -> 2.0; seed changed",
        ),
    ],
)
def test_reason_names_the_changed_part_of_the_key(lab, loop, settings, label, reason):
    lab.run(loop)
    found = plan(lab, loop, *settings)
    assert found[label].state == "will run" and found[label].reason == reason


def test_reason_follows_a_changed_input_to_its_root(lab, loop):
    lab.run(loop)
    lab.run(loop, "nodes.data.params.first=1", until="sum")
    found = plan(lab, loop, "nodes.data.params.first=1")
    assert found["sum"].state == "hit"
    assert found["update[1]"].reason == "input before changed (data params.first 0 -> 1)"


def test_reason_of_a_map_is_grouped_by_element(lab, loop):
    lab.run(loop)
    lab.run(loop, "nodes.data.params.first=1", until="data")
    found = plan(lab, loop, "nodes.data.params.first=1")  # e001 and e002 are there already
    assert found["scaled"].reason == "1 new: input item changed (data params.first 0 -> 1)"
    assert (found["scaled"].elements, found["scaled"].missing) == (3, 1)
    lab.run(loop, "nodes.data.params={size=2,count=4}", until="data")
    found = plan(lab, loop, "nodes.data.params={size=2,count=4}")
    roots = "data params.count 3 -> 4, data params.size 1 -> 2"
    assert found["scaled"].reason == f"1 new, 3 changed: input item changed ({roots})"


def test_what_may_run_tells_what_else_of_it_has_changed(lab, loop):
    lab.run(loop)
    found = plan(lab, loop, "nodes.data.params.first=1", "nodes.update.params.add=2.0")
    assert found["update[1]"].state == "may run"
    assert found["update[1]"].reason == "params.add 1.0 -> 2.0; reads sum"
    assert found["report"].reason == "reads update[1], update[2]"


def test_new_instances_are_compared_with_others_of_their_kind(lab, loop):
    lab.run(loop)
    assert plan(lab, loop, "experiment.rounds=3")["update[3]"].reason == "never run"
    added = loop + '[nodes.more]\nkind = "TOYS:scale"\ninputs = { item = "data" }\nparams = { factor = 5.0 }\n'
    assert plan(lab, added)["more"].reason == "never run; nearest is scaled: params.factor 2.0 -> 5.0"
    other = added.replace('"toy"', '"other"')  # an experiment that has not run at all
    assert plan(lab, other)["more"].reason == "never run; nearest is scaled: params.factor 2.0 -> 5.0"


def test_failure_is_the_reason_until_something_changes(lab, loop):
    lab.run(loop)
    fail = "nodes.scaled.params.fail_on=[1.0]"
    with pytest.raises(RunError):
        lab.run(loop, fail)
    assert plan(lab, loop, fail)["scaled"].reason == "failed in its last run: 1 of 3 elements failed"
    changed = plan(lab, loop, "nodes.scaled.params.fail_on=[2.0]")["scaled"]
    assert changed.reason == "params.fail_on [] -> [2.0]"


def test_failure_of_what_has_changed_since_is_told_as_that(lab, loop):
    with pytest.raises(RunError):
        lab.run(loop, "nodes.scaled.params.fail_on=[1.0]")
    changed = plan(lab, loop, "nodes.scaled.params.fail_on=[2.0]")["scaled"]
    assert changed.reason == "has changed since it failed: 1 of 3 elements failed"


def test_lost_output_is_the_reason(lab, loop):
    digest = lab.run(loop).outputs["sum"]
    (lab.folder / "store" / "manifests" / digest[:2] / digest).unlink()
    assert plan(lab, loop)["sum"].reason == "its output is gone or damaged"


def test_lost_record_is_the_reason(lab, loop):
    lab.run(loop)
    shutil.rmtree(lab.folder / "store" / "actions")
    assert plan(lab, loop)["data"].reason == "its record is gone"


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


def test_plan_of_what_is_all_there_reads_no_log(lab, loop):
    lab.run(loop)
    for log in (lab.folder / "store" / "runs").glob("*/*"):
        log.unlink()
        log.mkdir()  # to read it is an error now
    assert {planned.state for planned in plan(lab, loop).values()} == {"hit"}


def seconds_of(lab, key):
    return lab.store.records.find(key).ran["seconds"]


def test_estimate_is_what_it_took_the_last_time(lab, loop):
    lab.run(loop)
    (log,) = (lab.folder / "store" / "runs").glob("*/events-*")
    keys = {event["label"]: event.get("key") for event in map(json.loads, log.read_text().splitlines())}
    found = plan(lab, loop, "nodes.scaled.params.factor=3.0")
    assert found["data"].seconds == 0
    assert found["scaled"].seconds == pytest.approx(seconds_of(lab, keys["scaled"]))  # 3 of 3 elements
    assert found["update[2]"].seconds == seconds_of(lab, keys["update[2]"])


def test_estimate_of_a_map_is_by_element(lab, loop):
    lab.run(loop)
    lab.run(loop, "nodes.data.params.count=5", until="data")
    (two,) = [one for one in make_plan(lab.load(loop, "nodes.data.params.count=5"), lab.store) if one.missing]
    records = [
        lab.store.records.find(path.parent.parent.name) for path in (lab.folder / "store").glob("actions/*/*/*/1")
    ]
    each = [one.ran["seconds"] for one in records if one.action["element"] is not None]
    assert len(each) == 3 and two.missing == 2
    assert two.seconds == pytest.approx(2 * sum(each) / 3)


def test_what_no_record_tells_is_unknown(lab, loop):
    fresh = make_plan(lab.load(loop), lab.store)
    assert fresh.total() == "0 hit, 1 will run (unknown for 1), 5 may run (unknown for 5)"
    lab.run(loop)
    assert make_plan(lab.load(loop), lab.store).total() == "6 hit, 0 will run, 0 may run"
    changed = make_plan(lab.load(loop, "nodes.data.params.count=2"), lab.store).total()
    assert changed.startswith("0 hit, 1 will run (about ") and "unknown" not in changed


def test_plan_prints_as_a_table_and_as_html(lab, loop):
    found = make_plan(lab.load(loop), lab.store)
    lines = repr(found).splitlines()
    assert lines[0].split() == ["node", "state", "elements", "time", "why"]
    assert lines[1].split() == ["data", "will", "run", "never", "run"]
    assert found._repr_html_().count("<tr>") == 1 + 6
    assert "0 hit, 1 will run" in found._repr_html_() and "a &lt; b" in html_table(("a < b",), [])


def test_json_has_its_documented_shape(lab, loop):
    spec = lab.write(loop)
    lab.command("run", spec)
    done = lab.command("plan", spec, "--json", "--set", "nodes.scaled.params.factor=3.0")
    told = json.loads(done.stdout)
    scaled = told["nodes"][1]
    assert scaled.keys() == {"node", "state", "elements", "missing", "seconds", "why", "changes"}
    assert (scaled["node"], scaled["state"], scaled["missing"]) == ("scaled", "will run", 3)
    assert scaled["changes"] == [{"part": "params.factor", "before": 2.0, "after": 3.0}]
    assert {state: summed["count"] for state, summed in told["total"].items()} == {
        "hit": 1, "will run": 1, "may run": 4
    }  # fmt: skip


def test_check_exits_with_3_if_anything_would_run(lab, loop):
    spec = lab.write(loop)
    assert lab.command("plan", spec, "--check").returncode == 3
    lab.command("run", spec)
    assert lab.command("plan", spec, "--check").returncode == 0
    assert lab.command("plan", spec, "--check", "--json", "--set", "experiment.rounds=3").returncode == 3
    assert lab.command("plan", spec, "--check", "--set", "nodes.data.params.count=7", "--until", "sum").returncode == 3


KINDS = """
from graph.node import node
from store.artifact import Artifact
class Box(Artifact):
    type = "box/1"
    def write(self, w): pass
@node("toy.box", version=1, packages=("acorn",))
def box() -> Box: return Box()
"""


def install(site, version):
    folder = site / f"acorn-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: acorn\nVersion: {version}\n")


def test_near_miss_names_the_version_that_alone_differs(lab, monkeypatch):
    site = lab.folder / "site"
    monkeypatch.setenv("PYTHONPATH", str(site))
    (lab.folder / "kinds.py").write_text(KINDS)
    spec = lab.write('[experiment]\nname = "x"\n[nodes.a]\nkind = "kinds.py:box"\n')
    install(site, "1.0")
    assert lab.command("run", spec).returncode == 0
    shutil.rmtree(site)
    install(site, "1.1")
    assert "would hit but for acorn 1.1 (record has 1.0)" in lab.command("plan", spec).stdout
    assert "would hit but for acorn 1.1 (record has 1.0)" in lab.command("why", spec, "a").stdout
