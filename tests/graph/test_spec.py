"""Specs: all mistakes at once, `--set`, shared tables, paths, references."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest
import tomli

from graph.errors import SpecError
from graph.reference import Reference, parse_reference
from graph.rounds import unroll
from graph.run import run
from graph.spec import load_spec

MISTAKES = """
experimnt = 1
[experiment]
name = "../evil"
rounds = 0
[compute]
executor = "slurm"
worker = 3
[tables.rollout]
tag = "x"
[nodes.data]
kind = "TOYS:make_list"
params = { count = -1, frist = 2, path = 5 }
[nodes.scaled]
kind = "TOYS:scale"
inputs = { item = "data", bias = "a b" }
params = { factor = -2.0 }
sede = 3
[nodes.both]
kind = "TOYS:total"
inputs = { items = "data" }
artifact = "pool"
params = "$rolout"
[nodes.lost]
kind = "TOYS:totl"
[nodes.unknown]
kind = "scene.extrct"
seed = -1
threads = 0
resources = { GPU = 0 }
retries = -1
timeout = "long"
[nodes."1st"]
kind = "TOYS:total"
[nodes.stored]
artifact = "../pool"
params = { tag = "x" }
[nodes.cut]
kind = "TOYS:clip"
inputs = { number = "dta" }
"""


def mistakes(lab, text, *settings):
    with pytest.raises(SpecError) as caught:
        lab.load(text, *settings)
    return [line.replace(str(lab.folder), "DIR").replace(toys(), "TOYS") for line in caught.value.mistakes]


def toys():
    return str(Path(__file__).with_name("toys.py"))


def test_all_mistakes_are_told_at_once(lab):
    expected = """
DIR/toy.toml: --set 'nodes.scald.params.factor=3': no node is named 'scald'; did you mean 'scaled'?
DIR/toy.toml: --set 'nonsense': expected table.key=value
DIR/toy.toml: experimnt = 1: no such key here; did you mean 'experiment'?
DIR/toy.toml: [experiment] name = '../evil': need letters, digits, '.', '_', '-' in segments parted by '/', none but \
the first of digits alone
DIR/toy.toml: [experiment] rounds = 0: expected int >= 1
DIR/toy.toml: [compute] worker = 3: no such param; did you mean 'workers'?
DIR/toy.toml: [compute] executor = 'slurm': expected 'inline' | 'local' | 'remote'
DIR/toy.toml: [nodes.data] params.frist = 2: no such param; did you mean 'first'?
DIR/toy.toml: [nodes.data] params.count = -1: expected int >= 0
DIR/toy.toml: [nodes.data] params.path = 5: expected text, a path, or { path = "...", release = "..." }
DIR/toy.toml: [nodes.scaled] sede = 3: no such key here; did you mean 'seed'?
DIR/toy.toml: [nodes.scaled] params: factor = -2.0: need 0 or more
DIR/toy.toml: [nodes.scaled] inputs.bias = 'a b': expected name, name[-1], name[past], name[last], name[all], \
name[variants] or name.entry; '|' parts alternatives
DIR/toy.toml: [nodes.both]: expected either kind = or artifact =
DIR/toy.toml: [nodes.both] params = '$rolout': [tables] has no table 'rolout'; did you mean 'rollout'?
DIR/toy.toml: [nodes.lost] kind = 'TOYS:totl': TOYS defines no 'totl' at its top level; did you mean 'total'?
DIR/toy.toml: [nodes.unknown] kind = 'scene.extrct': no kind is named 'scene.extrct'; did you mean 'scene.extract'?
DIR/toy.toml: [nodes.unknown] seed = -1: expected int >= 0
DIR/toy.toml: [nodes.unknown] threads = 0: expected int >= 1
DIR/toy.toml: [nodes.unknown] resources = {'GPU': 0}: expected float > 0.0 at [...]
DIR/toy.toml: [nodes.unknown] retries = -1: expected int >= 0
DIR/toy.toml: [nodes.unknown] timeout = 'long': expected float | null, got str
DIR/toy.toml: [nodes.1st]: a node's name needs letters, digits, '_' and '-', a letter first
DIR/toy.toml: [nodes.stored] artifact = '../pool': expected a digest or a ref; need letters, digits, '.', '_', '-' \
in segments parted by '/', none but the first of digits alone
DIR/toy.toml: [nodes.stored] params: an artifact is there already: nothing runs that could use this
DIR/toy.toml: [nodes.cut] inputs.number: TOYS:clip has no such input; did you mean 'numbers'?
DIR/toy.toml: [nodes.cut] inputs.number = 'dta': no node is named 'dta'; did you mean 'data'?
DIR/toy.toml: [nodes.cut] inputs.numbers: is missing: expected numbers/1
"""
    assert mistakes(lab, MISTAKES, "nodes.scald.params.factor=3", "nonsense") == expected.strip().split("\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[nodes", "DIR/toy.toml: not TOML: "),
        ("x = 1\n", "DIR/toy.toml: x = 1: no such key here"),
        ("nodes = 5\nexperiment = 3", "DIR/toy.toml: [experiment]: expected a table with the experiment's name"),
        ("experiment = { name = 't', seed = -3 }", "DIR/toy.toml: [experiment] seed = -3: expected int >= 0"),
        ("tables = 5\n[nodes.a]\nkind = 'TOYS:total'", "DIR/toy.toml: tables = 5: expected tables [tables.NAME]"),
        ("[nodes.a]", "DIR/toy.toml: [nodes.a]: expected either kind = or artifact ="),
        ("store = 'x'", "DIR/toy.toml: store = 'x': expected a table [store]"),
        ("[store]\nurl = 5", "DIR/toy.toml: [store] url = 5: expected text, a path or URL"),
        ("compute = 5", "DIR/toy.toml: [compute]: expected a table"),
        ("[nodes.a]\nkind = 5", "DIR/toy.toml: [nodes.a] kind = 5: expected text"),
        ("[nodes.a]\nkind = 'TOYS:total'\ninputs = 'b'", "[nodes.a] inputs = 'b': expected a table"),
        ("[nodes.a]\nkind = 'TOYS:total'\nparams = 'b'", "[nodes.a] params = 'b': expected a table"),
    ],
)
def test_no_input_is_bad_enough_for_a_traceback(lab, text, expected):
    assert any(expected in line for line in mistakes(lab, text))


def test_reference_that_cannot_be_read_is_not_missing_as_well(lab):
    text = '[experiment]\nname = "t"\n[nodes.sum]\nkind = "TOYS:total"\ninputs = { items = "update[-2]" }\n'
    (line,) = mistakes(lab, text)
    assert "[nodes.sum] inputs.items = 'update[-2]': expected name, name[-1]" in line


FULL = """
[experiment]
name = "toy"
seed = 7
rounds = 2
[tables.scaling]
factor = 2.0
[compute]
executor = "local"
workers = 2
resources = { GPU = 1 }
[store]
url = "store"
[nodes.data]
kind = "TOYS:make_list"
params = { count = 3, path = "a.txt" }
resources = { GPU = 1 }
timeout = 3.0
[nodes.scaled]
kind = "TOYS:scale"
inputs = { item = "data" }
params = "$scaling"
[nodes.pool]
artifact = "pools/a"
[nodes.sum]
kind = "TOYS:total"
inputs = { items = "scaled" }
[nodes.update]
kind = "TOYS:step"
inputs = { before = "update[-1].numbers | sum", data = "pool.x" }
[nodes.report]
kind = "TOYS:report"
inputs = { rounds = "update[all]" }
[rounds.2.nodes.update.params]
add = 3.0
"""
VARIANTS = [
    '[variants]\n"nodes.update.params.add" = [1.0]\nnodes.sum.params.tag = ["a", "b"]',
    '[[variants]]\nname = "a"\n[[variants]]\nname = "b"\nrounds.2.nodes.update.params.add = 2.0',
    '[variants]\n"experiment.seed" = [7, 8]\narms.a = {}\narms.b = { "nodes.update.params.add" = 2.0 }',
]
ODD = [5, -1, "x", "", "$x", [], {}, [1], [{}], {"": 1}, {"a": {"b": {"c": 1}}}, True, 1.5, float("nan"), 10**30, "\0"]


def as_toml(value):
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(key)} = {as_toml(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(as_toml, value))}]"
    return "nan" if value != value else json.dumps(value)


def places(value, path=()):
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(item, (*path, key))


@pytest.mark.parametrize("variants", VARIANTS, ids=["grid", "list", "arms"])
def test_whatever_stands_in_place_of_a_value_is_told_in_words(lab, variants):
    tables = tomli.loads((FULL + variants).replace("TOYS", toys()))
    assert len(unroll(lab.load(FULL + variants))) > 8
    for path in places(tables):
        for odd in ODD:
            changed = json.loads(json.dumps(tables))
            inner = functools.reduce(lambda table, key: table[key], path[:-1], changed)
            inner[path[-1]] = odd
            try:
                unroll(lab.load("\n".join(f"{key} = {as_toml(value)}" for key, value in changed.items())))
            except SpecError:
                pass
            except Exception as error:
                pytest.fail(f"{path} = {odd!r}: {error!r}")


def test_missing_or_unreadable_spec_names_the_file(tmp_path):
    for path, text in ((tmp_path / "no.toml", "no such file"), (tmp_path, "cannot be read: Is a directory")):
        with pytest.raises(SpecError, match=f"^{path}: {text}$"):
            load_spec(path, [])
    (tmp_path / "latin.toml").write_bytes(b"x = '\xff'")
    with pytest.raises(SpecError, match=r"latn\.toml: no such file; did you mean 'latin\.toml'\?"):
        load_spec(tmp_path / "latn.toml", [])
    with pytest.raises(SpecError, match="cannot be read"):
        load_spec(tmp_path / "latin.toml", [])


ONE = """
[experiment]
name = "one"
[tables.scaling]
factor = 3.0
[nodes.data]
kind = "TOYS:make_list"
[nodes.scaled]
kind = "TOYS:scale"
inputs = { item = "data" }
params = "$scaling"
"""


def test_shared_table_fills_params(lab):
    assert lab.load(ONE).nodes["scaled"].params.factor == 3.0


def test_set_wins_and_reaches_shared_tables(lab):
    assert lab.load(ONE, "tables.scaling.factor=4").nodes["scaled"].params.factor == 4.0
    spec = lab.load(ONE, "nodes.data.params.count=5", "nodes.data.seed=3", "experiment.rounds=9", "experiment.name=two")
    assert spec.nodes["data"].params.count == 5 and spec.nodes["data"].seed == 3
    assert spec.experiment.rounds == 9 and spec.experiment.name == "two"
    with pytest.raises(SpecError, match=r"--set 'nodes.dta.seed=3': no node is named 'dta'; did you mean 'data'\?"):
        lab.load(ONE, "nodes.dta.seed=3")
    with pytest.raises(SpecError, match=r"nodes\.scaled\.params is no table"):
        lab.load(ONE, "nodes.scaled.params.factor=4")
    with pytest.raises(SpecError, match=r"expected table\.key=value"):
        lab.load(ONE, "rounds")


def test_set_does_not_need_quotes_around_text(lab):
    assert lab.load(ONE, "compute.executor=local").compute.executor == "local"
    assert lab.load(ONE, "compute.executor='local'").compute.executor == "local"


def test_externals_are_relative_to_the_spec_and_in_set_to_the_working_folder(lab, monkeypatch, tmp_path_factory):
    here = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(here)
    path = lab.write(ONE.replace('make_list"', 'make_list"\nparams = { path = "data.txt" }'), "specs/one.toml")
    assert load_spec(path, []).nodes["data"].params.path.path == lab.folder / "specs" / "data.txt"
    set_path = load_spec(path, ["nodes.data.params.path=data.txt"]).nodes["data"].params.path.path
    assert set_path == here / "data.txt"


def source_of(node):
    return Path(node.kind.function.__code__.co_filename)


def test_kinds_file_is_relative_to_the_spec_and_in_set_to_the_working_folder(lab, monkeypatch, tmp_path_factory):
    here = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(here)
    source = Path(toys()).read_text()
    (here / "toys.py").write_text(source)
    path = lab.write(ONE, toys=Path("kinds/toys.py"))
    (lab.folder / "kinds").mkdir()
    (lab.folder / "kinds" / "toys.py").write_text(source)
    assert source_of(load_spec(path, []).nodes["data"]) == lab.folder / "kinds" / "toys.py"
    spec = load_spec(path, ["nodes.data.kind=toys.py:make_list"])
    assert source_of(spec.nodes["data"]) == here / "toys.py"
    assert run(spec, lab.store, []).computed == 4


def test_content_of_an_external_enters_the_key_and_its_path_does_not(lab):
    text = ONE.replace('make_list"', 'make_list"\nparams = { path = "FOLDER" }')
    for folder in ("one", "two"):
        (lab.folder / folder / "inner").mkdir(parents=True)
        (lab.folder / folder / "inner" / "a.txt").write_text("a")
    lab.run(text.replace("FOLDER", "one"))
    assert lab.run(text.replace("FOLDER", "two")).computed == 0
    (lab.folder / "two" / "inner" / "a.txt").rename(lab.folder / "two" / "inner" / "b.txt")
    lab.run(text.replace("FOLDER", "two"))
    assert lab.executed == {"list": 1}


READ = """
[experiment]
name = "read"

[nodes.files]
kind = "TOYS:read"
params = PARAMS
"""


def reading(lab, params):
    lab.run(READ.replace("TOYS", toys()).replace("PARAMS", params))
    return lab.executed.get("read", 0)


def test_a_release_stands_for_content_that_is_not_digested(lab):
    (lab.folder / "big").mkdir()
    assert reading(lab, '{ path = { path = "big", release = "v2" } }') == 1
    (lab.folder / "big" / "more.txt").write_text("more")
    assert reading(lab, '{ path = { path = "big", release = "v2" } }') == 0
    assert reading(lab, '{ path = { path = "big", release = "v3" } }') == 1
    with pytest.raises(SpecError, match="gone': no such file"):
        reading(lab, '{ path = { path = "gone", release = "v3" } }')
    with pytest.raises(SpecError, match=r'expected text, a path, or { path = "...", release = "..." }'):
        reading(lab, '{ path = { path = "big" } }')


def test_a_located_folder_enters_no_key(lab):
    for name in ("here", "there"):
        (lab.folder / name).mkdir()
    assert reading(lab, '{ folder = "here" }') == 1
    (lab.folder / "there" / "more.txt").write_text("more")
    assert reading(lab, '{ folder = "there" }') == 0
    with pytest.raises(SpecError, match="expected text, a path"):
        reading(lab, "{ folder = 3 }")


def test_missing_external_names_its_path(lab):
    text = ONE.replace('make_list"', 'make_list"\nparams = { path = "gone" }')
    with pytest.raises(SpecError, match=rf"\[nodes.data\] params.path = '{lab.folder}/gone': no such file"):
        lab.run(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("scenes", [("scenes", None, None)]),
        (" update[-1] |warmup ", [("update", "-1", None), ("warmup", None, None)]),
        ("a[-1] | b[-1] | c", [("a", "-1", None), ("b", "-1", None), ("c", None, None)]),
        ("qa[past]", [("qa", "past", None)]),
        ("eval[last].log", [("eval", "last", "log")]),
        ("eval[all]", [("eval", "all", None)]),
        ("scenes.scene0011_00", [("scenes", None, "scene0011_00")]),
        ("up-date_2[-1].weights", [("up-date_2", "-1", "weights")]),
    ],
)
def test_references_are_read(text, expected):
    found = parse_reference(text)
    assert found == tuple(Reference(*parts) for parts in expected)
    assert parse_reference(" | ".join(map(str, found))) == found


@pytest.mark.parametrize("text", ["", "a b", "a[0]", "a[-2]", "a[1]", "[all]", "a[all", "a..b ", "1a", "a |", "| a", 5])
def test_other_references_are_refused(text):
    with pytest.raises(ValueError, match="expected name"):
        parse_reference(text)


def test_only_the_round_before_can_stand_before_an_alternative():
    with pytest.raises(ValueError, match=r"only name\[-1\] can be absent"):
        parse_reference("a | b")
