"""Why: what differs from the nearest earlier action, followed to its root, with the diffs of edited code."""

from __future__ import annotations

import pytest

from graph.change import Change, codes_of, differences, near_miss, sentence
from graph.difference import compare_runs
from graph.edits import edits_text, find_edits
from graph.errors import NotFoundError, RunError
from graph.explanation import explain
from graph.history import Past
from graph.runs import Runs
from graph.why import Comparison
from store.artifact import Writer
from store.digest import digest

ACTION = {
    "kind": "toy.step", "version": 1, "code": "a", "element": None, "seed": 1, "threads": None, "is_map": False,
    "params": {"add": 1.0, "deep": {"low": 0.1, "names": ["x", "y"]}}, "inputs": {"before": "d1", "data": None},
    "packages": {"numpy": "2.4.4", "python": "3.12"},
}  # fmt: skip


def changed(**parts):
    return differences(ACTION, {**ACTION, **parts})


def test_equal_actions_have_no_differences():
    assert changed() == [] and changed(element="e001") == []


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"version": 2}, "version 1 -> 2"),
        ({"params": {**ACTION["params"], "deep": {"low": 0.2, "names": ["x", "y"]}}}, "params.deep.low 0.1 -> 0.2"),
        (
            {"params": {**ACTION["params"], "deep": {"low": 0.1, "names": ["x", "z"]}}},
            'params.deep.names[1] "y" -> "z"',
        ),
        (
            {"params": {**ACTION["params"], "deep": {"low": 0.1, "names": ["x"]}}},
            'params.deep.names ["x","y"] -> ["x"]',
        ),
        ({"params": {**ACTION["params"], "top": "a" * 90}}, f'params.top absent -> "{"a" * 43} ...'),
        ({"inputs": {"before": "d2", "data": None}}, "input before changed"),
        ({"inputs": {"before": "d1", "data": "d3"}}, "input data was absent"),
        ({"inputs": {"before": None, "data": None}}, "input before is absent now"),
        ({"packages": {"numpy": "2.4.5", "python": "3.12"}}, "package numpy 2.4.4 -> 2.4.5"),
        ({"packages": {"numpy": "2.4.4", "python": "3.13"}}, "python 3.12 -> 3.13"),
        ({"threads": 4}, "threads absent -> 4"),
        ({"seed": 2, "version": 3}, "version 1 -> 3; seed changed"),
        ({"code": "b"}, "project code changed"),
    ],
)
def test_differences_are_said_by_the_part(parts, text):
    assert sentence(changed(**parts), []) == text


def test_code_of_a_named_object_is_code():
    def named(*pairs):
        return {**ACTION, "params": {"rewards": [f"{name} {code * 12}" for name, code in pairs]}}

    then = named(("accuracy", "1"), ("format", "2"))
    assert sentence(differences(then, named(("accuracy", "1"), ("length", "3"))), []) == (
        'params.rewards[1] "format 222222222222" -> "length 333333333333"'
    )
    changes = differences(then, {**named(("accuracy", "4"), ("format", "5")), "code": "b"})
    assert [change.part for change in changes] == ["code"]
    assert sorted(codes_of(then)) == ["1" * 12, "2" * 12, "a"]


def test_file_with_another_content_is_a_changed_param(lab):
    text = '[experiment]\nname = "t"\n[nodes.data]\nkind = "TOYS:make_list"\nparams = { path = "rooms.txt" }\n'
    (lab.folder / "rooms.txt").write_text("one")
    lab.run(text)
    (lab.folder / "rooms.txt").write_text("another")
    told = explain(lab.load(text), lab.store, "data", None)
    assert 'params.path "content:' in told and "code" not in told


def test_inputs_that_changed_share_their_roots():
    changes = [*changed(inputs={"before": "d2", "data": None}), Change("input other", "d1", "d2")]
    roots = ["a params.x 1 -> 2", "b is new", "c is new"]
    assert sentence(changes, roots) == "input before, other changed (a params.x 1 -> 2, b is new and 1 more)"


def test_near_miss_is_versions_and_nothing_else():
    newer = {"packages": {"numpy": "2.4.5", "python": "3.13"}}
    text = "would hit but for numpy 2.4.5 (record has 2.4.4), python 3.13 (record has 3.12)"
    assert near_miss(changed(**newer)) == text
    assert near_miss(changed(**newer, seed=3)) == "" and near_miss([]) == ""


# Two functions of one file; `half` is edited, `most` is not, `new` comes, `old` goes.
THEN = "import math\n\ndef half(x):\n    return x / 2\n\ndef most(x):\n    return x\n\ndef old(): ...\n"
NOW = "import math\n\n\ndef half(x):\n    return x // 2\n\ndef most(x):\n    return x\n\ndef new(): ...\n"


def put(store, text, lines, code):
    writer = Writer(store)
    rows = text.splitlines()
    units = {
        f"kinds.py:{name}": [digest("".join(rows[first - 1 : last]).encode()), "kinds.py", first, last]
        for name, (first, last) in lines.items()
    }
    closures = {code * 64: list(units), "f" * 64: []}
    writer.attrs = {"modules": {}, "origins": {}, "units": units, "closures": closures}
    writer.file("kinds.py", text.encode())
    return store.manifests.put("source/1", writer.entries())[0]


def test_edits_are_the_pieces_whose_digest_differs(lab):
    then = put(lab.store, THEN, {"half": (3, 4), "most": (6, 7), "old": (9, 9)}, "a")
    now = put(lab.store, NOW, {"half": (4, 5), "most": (7, 8), "new": (10, 10)}, "b")
    was, action = {**ACTION, "code": "a" * 64}, {**ACTION, "code": "b" * 64}
    edits = find_edits(lab.store, then, was, now, action)
    assert [edit.unit for edit in edits] == ["kinds.py:half", "kinds.py:new", "kinds.py:old"]
    assert edits_text(edits) == "kinds.py:half"
    assert edits_text(edits[1:]) == "kinds.py:new is new, kinds.py:old is not reached any more"
    assert edits[0].diff().splitlines() == [
        "--- kinds.py:half (then)",
        "+++ kinds.py:half (now)",
        "@@ -1,2 +1,2 @@",
        " def half(x):",
        "-    return x / 2",
        "+    return x // 2",
    ]
    by_param = {**ACTION, "code": "f" * 64, "params": {"rule": f"half {'b' * 12}"}}
    assert len(find_edits(lab.store, then, was, now, by_param)) == 3
    assert edits_text(find_edits(lab.store, then, was, then, was)) == "is the same in another order"


def test_edits_of_a_source_that_is_gone_or_explains_another_action_are_unknown(lab):
    source = put(lab.store, THEN, {"half": (3, 4)}, "a")
    known, other = {**ACTION, "code": "a" * 64}, {**ACTION, "code": "c" * 64}
    for before, was in (("", known), (digest(b"gone"), known), (source, other)):
        assert find_edits(lab.store, before, was, source, known) is None
    assert edits_text(None) == ""


def explained(lab, text, node, *settings, round=None):
    return explain(lab.load(text, *settings), lab.store, node, round).splitlines()


def test_chain_of_inputs_is_told_down_to_its_root(lab, loop):
    lab.run(loop)
    (run,) = Runs(lab.store).ids()
    lab.run(loop, "nodes.data.params.first=1", until="sum")
    head, compared, *chain = explained(lab, loop, "update", "nodes.data.params.first=1")
    assert head.startswith("update[1] will run, about ") and compared == f"compared with run {run}"
    assert chain == [
        "  input before changed (sum)",
        "  sum: input items changed (scaled)",
        "  scaled: input item changed (data)",
        "  data: params.first 0 -> 1",
    ]


def test_elements_of_a_map_are_named_by_why_they_run(lab, loop):
    lab.run(loop)
    settings = "nodes.data.params={first=1,count=3}"
    lab.run(loop, settings, until="data")
    lines = explained(lab, loop, "scaled", settings)
    assert lines[0].startswith("scaled will run 1 of 3 elements") and "1 new: e003" in lines


def test_what_may_run_names_what_will_run_behind_it(lab, loop):
    lab.run(loop)
    lines = explained(lab, loop, "report", "nodes.scaled.params.factor=3.0")
    assert lines[0].startswith("report may run") and lines[1] == "reads update[1], update[2]"
    assert "  scaled will run: params.factor 2.0 -> 3.0" in lines


def test_hit_says_where_it_comes_from(lab, loop):
    outputs = lab.run(loop).outputs
    lines = explained(lab, loop, "update", round=1)
    assert lines[0] == "update[1] is a hit" and lines[2] == f"output {outputs['update[1]']}  pair/1"
    assert lines[3].startswith("made 20") and " on " in lines[3]
    assert explained(lab, loop, "update")[0] == "update[2] is a hit"


def test_node_or_round_that_is_not_there_is_told(lab, loop):
    with pytest.raises(NotFoundError, match=r"toy\.toml has no node 'sun'; did you mean 'sum'"):
        explained(lab, loop, "sun")
    with pytest.raises(NotFoundError, match=r"has no node 'update\[7\]': it has update\[1\], update\[2\]"):
        explained(lab, loop, "update[7]")
    with pytest.raises(NotFoundError, match="expected a node, not what stands in it"):
        explained(lab, loop, "scaled.e001")
    with pytest.raises(NotFoundError, match=r"has no update\[7\]"):
        explained(lab, loop, "update", round=7)


def test_failure_comes_with_its_error(lab, loop):
    fail = "nodes.sum.params.tag='x'"
    text = loop + '[nodes.quit]\nkind = "TOYS:quit_early"\nparams = { tag = "enough" }\n'
    with pytest.raises(RunError):
        lab.run(text, fail)
    assert explained(lab, text, "quit", fail)[1] == "failed in its last run: SystemExit: enough"


def test_input_that_reads_another_node_now_says_so(lab, loop):
    lab.run(loop + '[nodes.cut]\nkind = "TOYS:clip"\ninputs = { numbers = "sum" }\n')
    text = loop + '[nodes.cut]\nkind = "TOYS:clip"\ninputs = { numbers = "data.e002" }\n'
    assert "  input numbers sum -> data" in explained(lab, text, "cut")


def test_stored_artifact_that_is_another_now_is_a_root(lab, loop):
    first, second = lab.run(loop), lab.run(loop, "nodes.data.params.first=1")
    text = """
[experiment]
name = "stored"
[nodes.pool]
artifact = "pools/one"
[nodes.sum]
kind = "TOYS:total"
inputs = { items = "pool" }
params = { tag = "stored" }
"""
    lab.store.refs.move("pools/one", first.outputs["data"])
    lab.run(text)
    lab.store.refs.move("pools/one", second.outputs["data"])
    assert explained(lab, text, "sum")[-2:] == ["  input items changed (pool)", "  pool: is another artifact"]


def test_long_chains_of_rounds_are_followed(lab, loop):
    """A chain is as long as there are rounds; nothing recurses."""
    rounds = "experiment.rounds=400"
    lab.run(loop, rounds)
    lab.run(loop, rounds, "nodes.data.params.first=1")
    newest, oldest = Runs(lab.store).ids()
    was, now = Past(lab.store, oldest), Past(lab.store, newest)
    comparison = Comparison(lab.store, was, now, now.outcomes)
    assert comparison.roots("update[400]") == ["data params.first 0 -> 1"]
    assert len(comparison.behind("update[400]")) == 402  # 399 updates, sum, scaled, data
    assert comparison.roots("report") == ["data params.first 0 -> 1"]


KINDS = """
from graph.node import node
from store.artifact import Artifact

class Box(Artifact):
    type = "box/1"
    def __init__(self, n): self.n = n
    def write(self, w): w.attrs = {"n": self.n}
    @classmethod
    def open(cls, r): return cls(r.attrs["n"])

def price(n):
    return n + 1

def unused(n):
    return n

@node("toy.box", version=1)
def make() -> Box:
    return Box(price(1))

@node("toy.copy", version=1)
def copy(box: Box) -> Box:
    return Box(box.n)
"""
BOXES = """
[experiment]
name = "boxes"
[nodes.a]
kind = "kinds.py:make"
[nodes.b]
kind = "kinds.py:copy"
inputs = { box = "a" }
"""


def test_edited_function_is_named_with_its_diff(lab):
    """In processes of their own, as an edit is met."""
    kinds = lab.folder / "kinds.py"
    kinds.write_text(KINDS)
    spec = lab.write(BOXES)
    assert lab.command("run", spec).returncode == 0
    kinds.write_text(KINDS.replace("return n + 1", "return n + 2"))
    planned = lab.command("plan", spec).stdout.splitlines()
    assert planned[1].split()[:3] == ["a", "will", "run"] and planned[1].endswith("  code kinds.py:price")
    assert planned[2].endswith("  reads a")  # the copy's own code is as it was
    why = lab.command("why", spec, "a").stdout
    assert why.endswith(
        "  code kinds.py:price\n\n--- kinds.py:price (then)\n+++ kinds.py:price (now)\n@@ -1,2 +1,2 @@\n"
        " def price(n):\n-    return n + 1\n+    return n + 2\n"
    )
    kinds.write_text(kinds.read_text().replace("return Box(box.n)", "return Box(-box.n)"))
    assert "  code kinds.py:copy; reads a\n" in lab.command("plan", spec).stdout
    assert "+    return Box(-box.n)" in lab.command("why", spec, "b").stdout
    kinds.write_text(kinds.read_text().replace("return Box(-box.n)", "return Box(box.n)"))
    lab.command("run", spec, "--until", "a")
    assert "box changed (a code kinds.py:price)" in lab.command("plan", spec).stdout
    why = lab.command("why", spec, "b").stdout
    assert "  a: code kinds.py:price\n" in why and "+    return n + 2" in why
    lab.command("run", spec)
    newest, _, oldest = Runs(lab.store).ids()
    found = compare_runs(lab.store, oldest, newest).differing
    assert [(one.node, one.cause) for one in found] == [("a", "code kinds.py:price"), ("b", "a code kinds.py:price")]
    kinds.write_text(KINDS.replace("return n + 1", "return n + 2").replace("return n\n", "return -n\n"))
    assert lab.command("plan", spec, "--check").returncode == 0  # nothing reaches `unused`


def test_edited_data_file_is_named(lab):
    (lab.folder / "kinds.py").write_text(
        KINDS.replace('"toy.box", version=1', '"toy.box", version=1, depends=["t.csv"]')
    )
    (lab.folder / "t.csv").write_text("1")
    spec = lab.write(BOXES)
    assert lab.command("run", spec).returncode == 0
    (lab.folder / "t.csv").write_text("2")
    assert lab.command("plan", spec).stdout.splitlines()[1].endswith("  code t.csv")
    assert "-content " in lab.command("why", spec, "a").stdout
