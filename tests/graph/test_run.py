"""Runs: only what changed runs again, each result keeps its identity, failures stay where they are."""

from __future__ import annotations

import sys
import threading

import pytest

from graph.errors import NotFoundError, RunError, SpecError
from graph.events import Event
from graph.progress import LiveTable
from graph.run import run
from graph.runs import Runs
from graph.spec import load_spec


def test_numbers_come_out_right(lab, loop):
    result = lab.run(loop)
    assert [lab.values(lab.entry(result.outputs["scaled"], f"e00{n}").digest) for n in range(3)] == [[0], [2], [4]]
    assert lab.values(result.outputs["sum"]) == [6]
    # Each round adds 1 and what it drew.
    steps = [lab.store.reader(result.outputs[f"update[{n}]"]) for n in (1, 2)]
    drawn = [int(lab.text(step.entry("notes").digest).removeprefix("drew ")) for step in steps]
    assert lab.values(steps[0].entry("numbers").digest) == [6 + 1 + drawn[0]]
    assert lab.values(steps[1].entry("numbers").digest) == [6 + 2 + sum(drawn)]
    assert lab.executed == {"list": 1, "scale": 3, "sum": 1, "step": 2, "report": 1}
    assert result.computed == 8 and result.found == 0


def test_second_run_computes_nothing_and_gives_the_same(lab, loop):
    first = lab.run(loop)
    second = lab.run(loop)
    assert lab.executed == {} and second.computed == 0
    assert second.outputs == first.outputs and second.digest == first.digest


def test_changed_param_runs_only_what_it_reaches(lab, loop):
    first = lab.run(loop)
    second = lab.run(loop, "nodes.update.params.add=2.0")
    assert lab.executed == {"step": 2, "report": 1}
    assert {name for name in first.outputs if first.outputs[name] != second.outputs[name]} == {
        "update[1]",
        "update[2]",
        "report",
    }
    lab.run(loop, "nodes.scaled.params.factor=3.0", "nodes.update.params.add=2.0")
    assert lab.executed == {"scale": 3, "sum": 1, "step": 2, "report": 1}


def test_reverted_param_runs_nothing(lab, loop):
    first = lab.run(loop)
    lab.run(loop, "nodes.scaled.params.factor=3.0")
    assert lab.run(loop).digest == first.digest and lab.executed == {}


def test_equal_output_cuts_the_change_off(lab):
    text = """
    [experiment]
    name = "cut"
    [nodes.data]
    kind = "TOYS:make_list"
    [nodes.sum]
    kind = "TOYS:total"
    inputs = { items = "data" }
    [nodes.small]
    kind = "TOYS:clip"
    inputs = { numbers = "sum" }
    params = { top = 2.0 }
    [nodes.end]
    kind = "TOYS:step"
    inputs = { before = "small" }
    """
    first = lab.run(text)  # 0 + 1 + 2 = 3, cut to 2
    second = lab.run(text, "nodes.data.params.count=4")  # 0 + 1 + 2 + 3 = 6, cut to 2
    assert lab.executed == {"list": 1, "sum": 1, "clip": 1}
    assert second.outputs["end"] == first.outputs["end"] and second.outputs["sum"] != first.outputs["sum"]


def test_one_round_more_runs_that_round_and_the_report(lab, loop):
    three = lab.run(loop, "experiment.rounds=3")
    four = lab.run(loop, "experiment.rounds=4")
    assert lab.executed == {"step": 1, "report": 1}
    assert all(four.outputs[f"update[{n}]"] == three.outputs[f"update[{n}]"] for n in (1, 2, 3))


def test_report_sees_every_round_in_order(lab, loop):
    result = lab.run(loop, "experiment.rounds=11", "nodes.update.params.add=0.0")
    keys = [piece.split(":")[0] for piece in lab.text(result.outputs["report"]).split()]
    assert keys == [f"{n:04d}" for n in range(1, 12)]


PAST = """
[experiment]
name = "past"
rounds = 3
[nodes.data]
kind = "TOYS:make_list"
[nodes.sum]
kind = "TOYS:total"
inputs = { items = "data" }
[nodes.memory]
kind = "TOYS:remember"
inputs = { now = "sum", past = "update[past]" }
[nodes.update]
kind = "TOYS:step"
inputs = { before = "update[-1] | sum" }
[nodes.last]
kind = "TOYS:clip"
inputs = { numbers = "update[last].numbers" }
params = { top = 1e9 }
[nodes.first]
kind = "TOYS:clip"
inputs = { numbers = "data.e001" }
"""


def test_past_starts_empty_and_grows(lab):
    outputs = lab.run(PAST).outputs
    assert [lab.text(outputs[f"memory[{n}]"]) for n in (1, 2, 3)] == [
        "3 after nothing",
        "3 after 0001",
        "3 after 0001 0002",
    ]


def test_last_is_the_last_round_and_an_entry_is_one_element(lab):
    outputs = lab.run(PAST).outputs
    assert lab.values(outputs["last"]) == lab.values(lab.entry(outputs["update[3]"], "numbers").digest)
    assert lab.values(outputs["first"]) == [1.0]


def test_entry_that_is_not_there_fails_its_reader_only(lab):
    with pytest.raises(RunError, match=r"node first cannot read its inputs: .* has no entry 'e009'"):
        lab.run(PAST.replace("data.e001", "data.e009"))
    assert lab.executed == {"list": 1, "sum": 1, "remember": 3, "step": 3, "clip": 1}


def test_seeds_differ_by_round_and_pinned_ones_ignore_the_experiments(lab, loop):
    def drawn(*settings):
        outputs = lab.run(loop, "experiment.rounds=8", *settings).outputs
        return [lab.text(lab.entry(outputs[f"update[{n}]"], "notes").digest) for n in range(1, 9)]

    seven = drawn()
    assert len(set(seven)) > 1  # 8 draws out of 10 numbers, by the round
    assert drawn("experiment.seed=8") != seven
    pinned = drawn("nodes.update.seed=7", "experiment.seed=8")
    assert pinned == seven and lab.executed == {}  # the same seed, wherever it came from
    assert drawn("nodes.update.seed=7", "experiment.seed=9") == seven


def test_seed_of_the_experiment_changes_only_what_draws(lab, loop):
    lab.run(loop)
    lab.run(loop, "experiment.seed=8")
    assert set(lab.executed) <= {"step", "report"} and lab.executed["step"] == 2


def test_renamed_node_keeps_its_result(lab, loop):
    lab.run(loop)
    renamed = loop.replace("[nodes.update]", "[nodes.learn]").replace("update[", "learn[")
    outputs = lab.run(renamed).outputs
    assert lab.executed == {} and "learn[2]" in outputs


def test_one_more_node_does_not_change_the_others(lab, loop):
    lab.run(loop)
    lab.run('[nodes.before]\nkind = "TOYS:make_list"\nparams = { first = 9 }\n' + loop)
    assert lab.executed == {"list": 1}


def test_failed_node_lets_independent_ones_finish_and_skips_what_reads_it(lab, loop):
    text = loop + '\n[nodes.quit]\nkind = "TOYS:quit_early"\nparams = { tag = "enough" }\n'
    text += '[nodes.after]\nkind = "TOYS:clip"\ninputs = { numbers = "quit" }\n'
    with pytest.raises(RunError) as caught:
        lab.run(text)
    (line,) = caught.value.failures
    assert line.startswith("node quit (action ") and line.endswith(") failed: SystemExit: enough")
    assert "last words" in caught.value.tracebacks[0] and "SystemExit" in caught.value.tracebacks[0]
    assert lab.executed == {"list": 1, "scale": 3, "sum": 1, "step": 2, "report": 1, "quit": 1}
    outcomes = Runs(lab.store).outcomes(next(Runs(lab.store).ids()))
    assert {name: event.state for name, event in outcomes.items() if event.state != "done"} == {
        "quit": "failed",
        "after": "skipped",
    }
    with pytest.raises(RunError):
        lab.run(text)
    assert lab.executed == {"quit": 1}


def test_result_is_an_artifact_and_a_ref_of_the_newest_good_run(lab, loop):
    first = lab.run(loop)
    assert lab.store.refs.find("toy") == first.digest
    reader = lab.store.reader(first.digest)
    assert reader.type == "run/1" and reader.entry("update[2]").digest == first.outputs["update[2]"]
    with pytest.raises(RunError):
        lab.run(loop, "nodes.scaled.params.fail_on=[1.0]")
    assert lab.store.refs.find("toy") == first.digest
    newest = lab.run(loop, "nodes.data.params.count=2")
    assert lab.store.refs.find("toy") == newest.digest != first.digest
    assert lab.run(loop, until="sum").digest != newest.digest == lab.store.refs.find("toy")


def test_until_runs_what_a_node_needs(lab, loop):
    assert set(lab.run(loop, until="sum").outputs) == {"data", "scaled", "sum"}
    assert set(lab.run(loop, until="update[1]").outputs) == {"data", "scaled", "sum", "update[1]"}
    assert set(lab.run(loop, until="update").outputs) == {"data", "scaled", "sum", "update[1]", "update[2]"}
    with pytest.raises(NotFoundError, match="--until sun: no node has that name; did you mean 'sum'"):
        lab.run(loop, until="sun")


STORED = """
[experiment]
name = "stored"
[nodes.pool]
artifact = "pools/one"
[nodes.scaled]
kind = "TOYS:scale"
inputs = { item = "pool" }
[nodes.sum]
kind = "TOYS:total"
inputs = { items = "scaled" }
"""


def test_stored_artifact_stands_for_a_node_by_ref_or_digest(lab, loop):
    first = lab.run(loop)
    lab.store.refs.move("pools/one", first.outputs["data"])
    by_ref = lab.run(STORED)
    assert lab.executed == {} and by_ref.outputs["sum"] == first.outputs["sum"]
    lab.run(STORED.replace("pools/one", first.outputs["data"]))
    assert lab.executed == {}


def test_part_of_a_stored_artifact_is_taken_by_its_type(lab, loop):
    lab.store.refs.move("pools/one", lab.run(loop).outputs["update[1]"])
    text = STORED.split("[nodes.scaled]")[0] + '[nodes.cut]\nkind = "TOYS:clip"\ninputs = { numbers = "pool" }\n'
    lab.run(text)
    assert lab.executed == {"clip": 1}


def test_stored_artifact_of_another_type_is_refused_before_anything_runs(lab, loop):
    lab.store.refs.move("pools/one", lab.run(loop).outputs["sum"])
    text = STORED.replace(
        "[nodes.pool]", '[nodes.data]\nkind = "TOYS:make_list"\nparams = { first = 50 }\n[nodes.pool]'
    )
    with pytest.raises(SpecError, match=r"\[nodes.scaled\] inputs.item: gives numbers/1, expected collection of numb"):
        lab.run(text)
    assert lab.executed == {}


def test_stored_artifact_that_is_not_there_is_told_before_anything_runs(lab):
    with pytest.raises(NotFoundError, match=r"\[nodes.pool\] artifact = 'pools/one': not in this store"):
        lab.run(STORED)
    lab.store.refs.move("pool", "0" * 64)
    with pytest.raises(NotFoundError, match="not in this store; did you mean 'pool'"):
        lab.run(STORED.replace("pools/one", "pol"))


def test_entry_of_a_stored_artifact_is_told_with_the_nearest(lab, loop):
    lab.run(loop)
    text = '[experiment]\nname = "t"\n[nodes.earlier]\nartifact = "toy"\n'
    text += '[nodes.cut]\nkind = "TOYS:clip"\ninputs = { numbers = "earlier.sun" }\n'
    with pytest.raises(SpecError, match="has no entry 'sun'; did you mean 'sum'"):
        lab.run(text)


def test_param_that_no_key_can_hold_is_told_before_anything_runs(lab):
    kinds = lab.folder / "kinds.py"
    kinds.write_text(
        "from msgspec import Struct\n"
        "from graph.node import node\n"
        "from store.collection import Collection\n"
        "from store.artifact import Artifact\n"
        "class Box(Artifact):\n    type = 'box/1'\n"
        "class P(Struct, frozen=True):\n    names: set[str] = frozenset()\n"
        "@node('toy.box', version=1)\n"
        "def box(*, params: P) -> Box: return Box()\n"
    )
    spec = load_spec(
        lab.write('[experiment]\nname = "x"\n[nodes.a]\nkind = "kinds.py:box"\nparams = {names=["a"]}'), []
    )
    with pytest.raises(SpecError, match=r"\[nodes.a\] params.names: a set cannot enter a key"):
        run(spec, lab.store, [])


@pytest.mark.parametrize("executor", ["inline", "local"])
def test_edit_during_a_run_does_not_reach_it_and_counts_in_the_next(lab, executor):
    kinds, helper = lab.folder / "kinds.py", lab.folder / "helper_of_kinds.py"
    helper.write_text("def number(): return 1\n")
    kinds.write_text(
        "from pathlib import Path\nfrom graph.node import node\nfrom store.artifact import Artifact\n"
        "class Box(Artifact):\n    type = 'box/1'\n    def __init__(self, n): self.n = n\n"
        "    def write(self, w): w.attrs['n'] = self.n\n"
        "    @classmethod\n    def open(cls, r): return cls(r.attrs['n'])\n"
        "@node('toy.box', version=1)\ndef box() -> Box:\n"
        f"    Path({str(helper)!r}).write_text('def number(): return 2\\n')\n"
        "    from helper_of_kinds import number\n"
        "    return Box(number())\n"
    )
    text = '[experiment]\nname = "x"\n[nodes.a]\nkind = "kinds.py:box"'
    for expected in (1, 2, 2):
        result = lab.run(text, f"compute.executor={executor}")
        assert lab.store.reader(result.outputs["a"]).attrs["n"] == expected
    assert result.computed == 0


def test_store_that_cannot_be_written_any_more_is_told_behind_the_nodes_that_failed(lab):
    manifests = lab.folder / "store" / "manifests"
    (lab.folder / "kinds.py").write_text(
        "from pathlib import Path\nfrom graph.node import node\nfrom store.artifact import Artifact\n"
        "class Box(Artifact):\n    type = 'box/1'\n"
        "@node('toy.wreck', version=1)\ndef wreck() -> Box:\n"
        f"    manifests = Path({str(manifests)!r})\n"
        "    if manifests.exists():\n        manifests.rename(manifests.with_name('elsewhere'))\n"
        "    manifests.write_text('')\n    raise ValueError('first')\n"
    )
    with pytest.raises(RunError) as caught:
        lab.run('[experiment]\nname = "x"\n[nodes.a]\nkind = "kinds.py:wreck"')
    node, store = caught.value.failures
    assert node.endswith("failed: ValueError: first") and store.startswith(f"store {lab.store.url}: ")


def test_what_a_run_gave_is_read_by_another_spec(lab, loop):
    lab.run(loop)
    other = """
[experiment]
name = "other"
[nodes.earlier]
artifact = "toy"
[nodes.more]
kind = "TOYS:step"
inputs = { before = "earlier.update[2]", data = "earlier.sum" }
"""
    assert lab.run(other).computed == 1  # of the update the part that is numbers is taken
    with pytest.raises(SpecError, match=r"inputs.before: gives notes/1, expected numbers/1"):
        lab.run(other.replace("earlier.update[2]", "earlier.report"))


@pytest.fixture
def switching():
    """Let threads take turns far more often than they do by themselves."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def test_table_is_drawn_while_rows_are_added_to_it(switching):
    table, errors = LiveTable(), []

    def draw():
        try:
            while adding.is_alive():
                table._draw()
        except RuntimeError as error:
            errors.append(error)

    adding = threading.Thread(target=lambda: [table(Event(f"node{n}", "waiting")) for n in range(50_000)])
    drawing = threading.Thread(target=draw)
    adding.start()
    drawing.start()
    adding.join()
    drawing.join()
    assert not errors
