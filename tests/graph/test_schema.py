"""The schema: shipped specs fit it, wrong ones do not, and editors learn what params mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import jsonschema
import pytest
import tomli
from msgspec import Meta, Struct

from graph.node import External, Named
from graph.param_schema import describe_structs
from graph.schema import make_schema

SPECS = Path(__file__).parents[2] / "specs"

MORE = """
[experiment]
name = "more"
rounds = 3
[compute]
executor = "local"
resources = { GPU = 1 }
[tables.rollout]
frames = 1
[nodes.stored]
artifact = "pools/indoor"
[nodes.own]
kind = "my_nodes.py:short"
inputs = { questions = "stored.a | stored" }
params = { anything = [1, "two"] }
resources = { GPU = 0.5 }
retries = 0
timeout = 60
[nodes.selected]
kind = "select.band"
inputs = { probe = "own[-1] | own", questions = "own" }
params = "$rollout"
[rounds.2.nodes.selected.params]
low = 0.3
"""


@pytest.fixture(scope="module")
def schema():
    return make_schema()


def mistakes(schema, text):
    errors = jsonschema.Draft7Validator(schema).iter_errors(tomli.loads(text))
    return sorted(f"{'.'.join(map(str, error.path))}: {error.message}" for error in errors)


def test_schema_is_one_of_draft_7(schema):
    jsonschema.Draft7Validator.check_schema(schema)


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_specs_fit(schema, path):
    assert mistakes(schema, path.read_text()) == []


@pytest.mark.parametrize(
    "variants",
    [
        '[variants]\n"nodes.selected.params.low" = [0.1, 0.3]',
        "[variants]\nnodes.selected.params.low = [0.1, 0.3]",
        '[variants]\n"experiment.seed" = [7, 8]\narms.a = {}\narms.b = { "nodes.selected.params.low" = 0.1 }',
        '[[variants]]\nname = "a"\n[[variants]]\nname = "b"\n"nodes.selected.params.low" = 0.1',
    ],
)
def test_all_that_a_spec_may_say_fits(schema, variants):
    assert mistakes(schema, MORE + variants) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('name = "more"', "", "experiment: 'name' is a required property"),
        ("rounds = 3", "rounds = 0", "experiment.rounds: 0 is less than the minimum of 1"),
        ('"local"', '"slurm"', "compute.executor: 'slurm' is not one of ['inline', 'local', 'remote']"),
        ("retries = 0", "retry = 0", "nodes.own: Additional properties are not allowed ('retry' was unexpected)"),
        ("timeout = 60", "timeout = 0", "nodes.own.timeout: 0 is less than or equal to the minimum of 0"),
        ("low = 0.3", "", ""),
        ("[rounds.2.", "[rounds.two.", "rounds: 'two' does not match '^[1-9][0-9]*$'"),
        ('params = "$rollout"', "params = { low = 2 }",
         "nodes.selected.params.low: 2 is greater than the maximum of 1"),
        ('params = "$rollout"', "params = { lwo = 1 }",
         "nodes.selected.params: Additional properties are not allowed ('lwo' was unexpected)"),
        ('params = "$rollout"', "params = 'no'",
         r"nodes.selected.params: 'no' does not match '^\\$([A-Za-z_][\\w-]*)$'"),
        (', questions = "own"', "", "nodes.selected.inputs: 'questions' is a required property"),
        (', questions = "own"', ', question = "own"',
         "nodes.selected.inputs: Additional properties are not allowed ('question' was unexpected)"),
    ],
)  # fmt: skip
def test_what_is_wrong_does_not_fit(schema, old, new, expected):
    assert old in MORE
    found = mistakes(schema, MORE.replace(old, new))
    assert expected in found if expected else found == []


def test_axis_of_a_grid_is_a_list(schema):
    for axis in ("0.1", "[]"):
        assert len(mistakes(schema, f'{MORE}[variants]\n"nodes.selected.params.low" = {axis}')) == 1


def test_spec_that_extends_another_may_leave_out_what_that_one_says(schema):
    text = 'extends = "base.toml"\n[nodes.selected.params]\nlow = 0.2\n[nodes.eval]\nkind = "eval.questions"'
    assert mistakes(schema, text) == []
    assert len(mistakes(schema, text.replace('extends = "base.toml"', ""))) == 3  # no experiment, kind, inputs


def test_params_have_bounds_defaults_and_units(schema):
    majority = schema["definitions"]["Majority"]["properties"]
    assert majority["low"] == {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "default": 0.3,
        "description": "lowest share, inclusive (R-Zero)",
    }
    assert schema["definitions"]["Extract"]["properties"]["every_s"]["description"] == "time between drawn frames (s)"


class Inner(Struct, frozen=True):
    pair: tuple[int, float] = (1, 2.0)


class Outer(Struct, frozen=True):
    path: External
    inner: Inner = Inner()
    more: Annotated[External | None, Meta(description="another")] = None
    kinds: tuple[Named[Inner], ...] = (Named("a.py:inner"),)


@pytest.mark.parametrize(
    ("table", "fits"),
    [
        ({"path": "a"}, True),
        ({"path": "a", "more": "b", "inner": {"pair": [1, 2.5]}}, True),
        ({"path": "a", "inner": "$shared"}, True),
        ({"path": 5}, False),
        ({"inner": {"pair": [1.5, 2]}}, False),
        ({"inner": {"pair": [1, 2, 3]}}, False),
        ({"inner": {"par": [1, 2]}}, False),
        ({"inner": "shared"}, False),
        ({"kinds": ["module:object"]}, True),
        ({"kinds": ["unknown"]}, False),
        ({"kinds": [{"name": "module:object"}]}, False),
    ],
)
def test_paths_and_names_are_texts_and_tables_may_be_shared(table, fits):
    (name,), definitions = describe_structs([Outer])
    definitions["table"] = {"type": "string", "pattern": r"^\$"}
    own = {"$ref": f"#/definitions/{name}", "definitions": definitions}
    assert jsonschema.Draft7Validator(own).is_valid(table) == fits
    assert definitions[name]["properties"]["kinds"]["default"] == ["a.py:inner"]


def test_command_prints_it(lab, schema):
    done = lab.command("schema")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(json.dumps(schema))


class Noted(Struct, frozen=True):
    path: Annotated[External, Meta(description="a file of text")] | None = None


def test_path_with_a_note_is_a_path_that_is_explained():
    (name,), definitions = describe_structs([Noted])
    schema = {"$ref": f"#/definitions/{name}", "definitions": definitions}
    given = {"a.txt": [], 5: ["path"]}
    for value, wrong in given.items():
        errors = jsonschema.Draft7Validator(schema).iter_errors({"path": value})
        assert [error.path[0] for error in errors] == wrong
    path = definitions[name]["properties"]["path"]
    assert path["description"] == "a file of text"
