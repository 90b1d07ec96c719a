"""The driver: equal actions run once, what the machine failed at is tried again, what a command forces runs."""

from __future__ import annotations

import os

import pytest

from graph.errors import NotFoundError, RunError
from graph.runs import Runs

TWINS = """
[experiment]
name = "twins"
[nodes.data]
kind = "TOYS:make_list"
[nodes.one]
kind = "TOYS:total"
inputs = { items = "data" }
[nodes.two]
kind = "TOYS:total"
inputs = { items = "data" }
[nodes.scaled]
kind = "TOYS:scale"
inputs = { item = "data" }
[nodes.again]
kind = "TOYS:scale"
inputs = { item = "data" }
"""
EXECUTORS = pytest.mark.parametrize("executor", ["inline", "local"])


@EXECUTORS
def test_equal_actions_of_one_run_are_executed_once(lab, executor):
    result = lab.run(TWINS, f"compute.executor={executor}")
    assert lab.executed == {"list": 1, "sum": 1, "scale": 3}
    assert result.outputs["one"] == result.outputs["two"] and result.outputs["scaled"] == result.outputs["again"]
    assert (result.computed, result.found) == (5, 4)


@EXECUTORS
def test_equal_actions_fail_together_after_one_try(lab, executor):
    with pytest.raises(RunError) as caught:
        lab.run(
            TWINS + "[nodes.scaled.params]\nfail_on = [1.0]\n[nodes.again.params]\nfail_on = [1.0]\n",
            f"compute.executor={executor}",
        )
    assert lab.executed == {"list": 1, "sum": 1, "scale": 3}
    assert sorted(line.split()[1] for line in caught.value.failures) == ["again", "scaled"]


def test_map_that_ends_by_what_had_failed_before_is_told_as_failed(lab):
    text = TWINS.replace(
        'inputs = { item = "data" }', 'inputs = { item = "data" }\nparams = { fail_on = [0.0, 1.0, 2.0] }'
    )
    text = text.replace(
        '[nodes.again]\nkind = "TOYS:scale"\ninputs = { item = "data" }',
        '[nodes.again]\nkind = "TOYS:scale"\ninputs = { item = "same" }',
    )
    text += '[nodes.same]\nkind = "TOYS:scale"\ninputs = { item = "data" }\nparams = { factor = 1.0 }\n'
    events = []
    with pytest.raises(RunError):
        lab.run(text, listeners=(events.append,))
    assert lab.executed == {"list": 1, "sum": 1, "scale": 6}  # three failed, three gave the same
    last = {event.label: event for event in events if event.element is None}
    assert last["scaled"].state == last["again"].state == "failed"
    assert last["scaled"].seconds > 0 and last["again"].seconds == 0


def test_forced_node_runs_and_what_reads_it_does_not_where_it_gives_the_same(lab, loop):
    first = lab.run(loop)
    result = lab.run(loop, force=("sum",))
    assert lab.executed == {"sum": 1} and result.outputs == first.outputs
    lab.run(loop, force=("scaled", "update[2]"))
    assert lab.executed == {"scale": 3, "step": 1}
    with pytest.raises(NotFoundError, match="--force sun: no node has that name; did you mean 'sum'"):
        lab.run(loop, force=("sun",))


def test_forced_node_that_gives_something_else_holds_from_then_on(lab):
    kinds = lab.folder / "kinds.py"
    kinds.write_text(
        "from pathlib import Path\nfrom graph.node import node\nfrom store.artifact import Artifact\n"
        "class Box(Artifact):\n    type = 'box/1'\n    def __init__(self, n): self.n = n\n"
        "    def write(self, w): w.attrs['n'] = self.n\n"
        "    @classmethod\n    def open(cls, r): return cls(r.attrs['n'])\n"
        "@node('toy.ask', version=1)\ndef ask() -> Box:\n"
        f"    return Box(Path({str(lab.folder / 'answer')!r}).read_text())\n"
    )
    text = '[experiment]\nname = "x"\n[nodes.a]\nkind = "kinds.py:ask"\n'
    (lab.folder / "answer").write_text("one")
    lab.run(text)
    (lab.folder / "answer").write_text("two")
    assert lab.store.reader(lab.run(text).outputs["a"]).attrs["n"] == "one"
    forced = lab.run(text, force=("a",))
    assert lab.store.reader(forced.outputs["a"]).attrs["n"] == "two"
    assert lab.run(text).outputs == forced.outputs


def test_only_runs_a_node_whose_inputs_are_there(lab, loop):
    with pytest.raises(NotFoundError, match="--only sun: no node has that name; did you mean 'sum'"):
        lab.run(loop, only="sun")
    with pytest.raises(NotFoundError, match="--only sum: it needs data, which is not in the store: run that first"):
        lab.run(loop, only="sum")
    assert lab.executed == {}
    lab.run(loop, until="scaled")
    assert set(lab.run(loop, only="sum").outputs) == {"data", "scaled", "sum"} and lab.executed == {"sum": 1}
    with pytest.raises(NotFoundError, match=r"--only update\[2\]: it needs update\[1\]"):
        lab.run(loop, only="update[2]")


def test_map_of_which_too_much_fails_names_ten_and_counts_the_rest(lab):
    fail = ", ".join(f"{n}.0" for n in range(1, 15))
    with pytest.raises(RunError) as caught:
        lab.run(TWINS, "nodes.data.params.count=20", f"nodes.scaled.params.fail_on=[{fail}]", until="scaled")
    *named, last = caught.value.failures
    assert len(named) == 10 and last == "node scaled failed on 4 more: `dataflow log scaled` lists all"
    failed = [event for event in Runs(lab.store).events(next(Runs(lab.store).ids())) if event.element and event.error]
    assert [event.element for event in failed] == [f"e{n:03d}" for n in range(1, 15)]
    assert all("is not wanted" in event.traceback for event in failed)
    lab.run(TWINS, "nodes.data.params.count=20", until="scaled")
    assert lab.executed == {"scale": 20}  # another param: all of them


def test_changed_external_is_seen_and_its_place_is_not(lab):
    text = '[experiment]\nname = "x"\n[nodes.a]\nkind = "TOYS:make_list"\nparams = { path = "f/here" }\n'
    folder = lab.folder / "f" / "here"
    folder.mkdir(parents=True)
    (folder / "a").write_text("one")
    lab.run(text)
    lab.run(text)
    assert lab.executed == {}
    folder.rename(lab.folder / "f" / "there")
    lab.run(text.replace("f/here", "f/there"))
    assert lab.executed == {}
    (lab.folder / "f" / "there" / "a").write_text("two")
    lab.run(text.replace("f/here", "f/there"))
    assert lab.executed == {"list": 1}


def test_external_of_which_someone_set_the_time_back_is_seen_as_changed(lab):
    text = '[experiment]\nname = "x"\n[nodes.a]\nkind = "TOYS:make_list"\nparams = { path = "data" }\n'
    for content in ("one", "two"):
        (lab.folder / "data").write_text(content)
        os.utime(lab.folder / "data", (10**9, 10**9))  # as `cp -p` does
        lab.run(text)
        assert lab.executed == {"list": 1}


def test_external_that_changes_while_it_is_read_is_not_committed(lab):
    kinds, data = lab.folder / "kinds.py", lab.folder / "data"
    kinds.write_text(
        "from msgspec import Struct\nfrom graph.node import External, node\nfrom store.artifact import Artifact\n"
        "class Box(Artifact):\n    type = 'box/1'\n    def write(self, w): pass\n"
        "class P(Struct, frozen=True):\n    path: External\n"
        "@node('toy.box', version=1)\ndef box(*, params: P) -> Box:\n"
        "    params.path.path.write_text('edited meanwhile')\n    return Box()\n"
    )
    data.write_text("as it was")
    with pytest.raises(RunError, match="data was changed during the run: nothing of this action is kept"):
        lab.run('[experiment]\nname = "x"\n[nodes.a]\nkind = "kinds.py:box"\nparams = { path = "data" }\n')
    assert lab.store.objects.list("actions") == []
