"""Documents: what a spec extends, what the command line sets, and in which file a mistake stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph.document import lay_over, split_key
from graph.errors import SpecError
from graph.spec import load_spec

BASE = """
[experiment]
name = "base"
seed = 3
[tables.scaling]
factor = 3.0
[nodes.data]
kind = "TOYS:make_list"
params = { count = 5, path = "data.txt" }
[nodes.scaled]
kind = "TOYS:scale"
inputs = { item = "data" }
params = "$scaling"
"""


def mistakes(path, *settings):
    with pytest.raises(SpecError) as caught:
        load_spec(path, list(settings))
    return caught.value.mistakes


def test_tables_merge_and_the_extending_file_wins(lab):
    lab.write(BASE, "base.toml")
    own = """
extends = "base.toml"
[experiment]
name = "own"
[tables.scaling]
factor = 4.0
[nodes.data.params]
first = 2
[nodes.sum]
kind = "TOYS:total"
inputs = { items = "scaled" }
"""
    spec = load_spec(lab.write(own, "own.toml"), ["nodes.data.params.count=9"])
    assert list(spec.nodes) == ["data", "scaled", "sum"]
    assert (spec.experiment.name, spec.experiment.seed) == ("own", 3)
    params = spec.nodes["data"].params
    assert (params.count, params.first) == (9, 2)
    assert spec.nodes["scaled"].params.factor == 4.0


def test_a_node_that_is_false_is_left_out(lab):
    lab.write(BASE, "base.toml")
    path = lab.write('extends = "base.toml"\n[nodes]\nscaled = false', "own.toml")
    assert list(load_spec(path, []).nodes) == ["data"]
    path = lab.write('extends = "base.toml"\n[nodes]\ndata = false', "own.toml")
    assert "[nodes.scaled] inputs.item = 'data': no node is named 'data'" in str(mistakes(path))
    path = lab.write('extends = "base.toml"\n[nodes]\nsacled = false', "own.toml")
    assert mistakes(path) == [f"{path}: [nodes] sacled = False: expected a table"]


def test_an_arm_that_is_false_is_left_out(lab):
    arms = '[variants]\n"experiment.seed" = [7, 8]\n[variants.arms.few]\n'
    arms += '[variants.arms.many]\n"nodes.data.params.count" = 9\n'
    lab.write(BASE + arms, "base.toml")
    own = 'extends = "base.toml"\n[variants]\n"experiment.seed" = [9]\n[variants.arms]\nfew = false'
    assert list(load_spec(lab.write(own, "own.toml"), []).variants) == ["many,seed=9"]


def test_chain_is_followed_and_its_texts_are_kept(lab):
    lab.write(BASE, "base.toml")
    lab.write('extends = "base.toml"\n[experiment]\nseed = 4\n[nodes.data.params]\nfirst = 1', "middle.toml")
    path = lab.write('extends = "middle.toml"\n[experiment]\nseed = 5', "own.toml")
    spec = load_spec(path, [])
    assert (spec.experiment.seed, spec.nodes["data"].params.first) == (5, 1)
    assert [line for line in spec.text.splitlines() if line.startswith("# ")] == [
        f"# {lab.folder}/{name}.toml" for name in ("own", "middle", "base")
    ]


def test_paths_are_relative_to_the_file_in_which_they_stand(lab, monkeypatch, tmp_path_factory):
    here = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(here)
    (lab.folder / "shared").mkdir()
    (lab.folder / "shared" / "toys.py").write_text((Path(__file__).with_name("toys.py")).read_text())
    lab.write(f'{BASE}[store]\nurl = "store"', "shared/base.toml", toys=Path("toys.py"))
    own = 'extends = "../shared/base.toml"\n[nodes.more]\nkind = "TOYS:make_list"\nparams = { path = "mine.txt" }'
    path = lab.write(own, "specs/own.toml")
    spec = load_spec(path, [])
    assert spec.nodes["data"].params.path.path == lab.folder / "specs" / ".." / "shared" / "data.txt"
    source = spec.nodes["data"].kind.function.__code__.co_filename
    assert (lab.folder / "shared" / "toys.py").samefile(source)
    assert spec.nodes["more"].params.path.path == lab.folder / "specs" / "mine.txt"
    assert spec.store == str(lab.folder / "shared" / "store")
    assert load_spec(path, ["nodes.data.params.path=x"]).nodes["data"].params.path.path == here / "x"


def test_artifact_replaces_a_node_and_a_kind_replaces_an_artifact(lab):
    lab.write(BASE, "base.toml")
    own = 'extends = "base.toml"\n[nodes.data]\nartifact = "pool"\n'
    node = load_spec(lab.write(own, "own.toml"), []).nodes["data"]
    assert (node.artifact, node.kind) == ("pool", None)
    lab.write(own, "own.toml")
    again = lab.write('extends = "own.toml"\n[nodes.data]\nkind = "TOYS:make_list"', "again.toml")
    node = load_spec(again, []).nodes["data"]
    assert (node.artifact, node.params.count) == (None, 3)
    node = load_spec(lab.folder / "base.toml", ["nodes.data.artifact=pool"]).nodes["data"]
    assert (node.artifact, node.kind) == ("pool", None)


def test_mistakes_name_the_file_in_which_the_wrong_value_stands(lab):
    wrong = BASE.replace("count = 5", "count = -5").replace('item = "data"', 'item = "dta"')
    lab.write(wrong, "base.toml")
    own = 'extends = "base.toml"\n[experiment]\nname = "own"\n[nodes.data.params]\nfrist = 1\n[nodes.odd]\n'
    path = lab.write(own, "own.toml")
    assert mistakes(path, "nodes.data.params.size=big") == [
        f"{path}: [nodes.data] params.frist = 1: no such param; did you mean 'first'?",
        f"{lab.folder}/base.toml: [nodes.data] params.count = -5: expected int >= 0",
        "--set: [nodes.data] params.size = 'big': expected int, got str",
        f"{path}: [nodes.odd]: expected either kind = or artifact =",
        f"{lab.folder}/base.toml: [nodes.scaled] inputs.item = 'dta': no node is named 'dta'; did you mean 'data'?",
    ]


def test_what_is_found_wrong_later_names_the_file_too(lab):
    lab.write(f'{BASE}[nodes.end]\nkind = "TOYS:clip"\ninputs = {{ numbers = "scaled" }}', "base.toml")
    with pytest.raises(SpecError, match=rf"^{lab.folder}/base.toml: \[nodes.end\] inputs.numbers = 'scaled': gives"):
        lab.run('extends = "base.toml"')
    lab.write(BASE, "base.toml")
    with pytest.raises(SpecError, match=rf"^{lab.folder}/base.toml: \[nodes.data\] params.path = .*no such file"):
        lab.run('extends = "base.toml"')


def test_file_that_is_missing_or_extends_itself_is_a_mistake(lab):
    lab.write(BASE, "base.toml")
    path = lab.write('extends = "bse.toml"', "own.toml")
    assert mistakes(path) == [f"{path}: extends = 'bse.toml': no such file; did you mean 'base.toml'?"]
    path = lab.write("extends = 5", "own.toml")
    assert mistakes(path) == [f"{path}: extends = 5: expected text, a path"]
    path = lab.write('extends = "other.toml"', "own.toml")
    other = lab.write('extends = "./own.toml"', "other.toml")
    chain = f"{path} -> {other} -> {path}"
    assert mistakes(path) == [f"{other}: extends = './own.toml': a cycle: {chain}"]
    other.write_text("[nodes")
    assert mistakes(path)[0].startswith(f"{other}: not TOML: ")


def test_laying_over_changes_neither_table():
    base, own = {"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 4}, "d": {"e": 5}}
    assert lay_over(base, own) == {"a": {"b": 4, "c": 2}, "d": {"e": 5}}
    assert (base, own) == ({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 4}, "d": {"e": 5}})


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("a.b", ["a", "b"]),
        (' variants."nodes.a.params.b" ', ["variants", "nodes.a.params.b"]),
        ("rounds.3.nodes.a", ["rounds", "3", "nodes", "a"]),
        ("a b", []),
        ("", []),
        ("a]\nb", []),
    ],
)
def test_keys_are_split_as_toml_does(key, parts):
    assert split_key(key) == parts
