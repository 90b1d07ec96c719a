"""The schema: JSON Schema (draft 7) of specs with every registered kind, for editors and for programs that write specs.

It says what a file may hold: keys, types, bounds. What nodes are to each other (names that are there, types that fit,
the loop) is checked by `graph.spec` and `graph.rounds`. A spec that extends another may leave out what that one says.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from graph.errors import KindError
from graph.kinds import Kind, find_kind
from graph.node_table import NODE_NAME, TABLE, Terms
from graph.param_schema import Schema, describe_structs, hint_at, refer, table_or
from graph.params import fields_of
from graph.reference import REFERENCE
from graph.registry import registered
from graph.settings import Compute
from graph.spec import Experiment
from graph.tracker import Report
from graph.variants import ARMS, VARIANT_NAME
from store.open import type_name

# Not `anyOf`: that would say of a mistake in a node only that none of both fits.
LEFT_OUT: Schema = {"if": {"type": "boolean"}, "then": {"const": False}, "else": refer("node")}


def make_schema() -> Schema:
    """Return the schema of specs that name kinds of this installation."""
    kinds = _all_kinds()
    names, definitions = describe_structs(
        [Experiment, Compute, Report, Terms, *(kind.params for kind in kinds.values())]
    )
    *tables, terms = names[:4]
    params = dict(zip(kinds, names[4:]))
    definitions["reference"] = {
        "type": "string",
        "pattern": rf"^(\s*{_plain(REFERENCE)}\s*(\|\s*{_plain(REFERENCE)}\s*)*)?$",
        "description": "name, name[-1] | name, name[past | last | all | variants], name.entry; empty: none",
    }
    definitions["table"] = {
        "type": "string",
        "pattern": f"^{_plain(TABLE)}$",
        "description": "$name takes the table [tables.name]",
    }
    definitions["node"] = _describe_node(definitions.pop(terms)["properties"], kinds, params)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "dataflow spec",
        "type": "object",
        "properties": _describe_tables(*tables),
        "additionalProperties": False,
        "if": {"required": ["extends"]},
        "else": {
            "required": ["experiment", "nodes"],
            "properties": {
                "experiment": {"required": [key for key, field in fields_of(Experiment).items() if field.required]},
                "nodes": {"additionalProperties": _describe_whole_node(kinds)},
            },
        },
        "definitions": definitions,
    }


def _describe_tables(experiment: str, compute: str, report: str) -> Schema:
    return {
        "extends": {"type": "string", "description": "another spec, that this one is laid over"},
        "experiment": refer(experiment),
        "tables": _map_of({"type": "object"}, "shared by name: params take one as $name"),
        "nodes": _map_of(LEFT_OUT, "[nodes.name]") | {"propertyNames": {"pattern": f"^{_plain(NODE_NAME)}$"}},
        "rounds": _describe_rounds(),
        "variants": _describe_variants(),
        "store": {
            "type": "object",
            "properties": {"url": {"type": "string"}, "shared": {"type": "array", "items": {"type": "string"}}},
            "additionalProperties": False,
        },
        "compute": refer(compute),
        "report": refer(report),
    }


def _all_kinds() -> dict[str, Kind]:
    kinds = {}
    for name in registered():
        try:
            kinds[name] = find_kind(name, Path())
        except KindError:  # of a plugin that is broken: no spec can use it
            continue
    return kinds


def _describe_node(terms: Schema, kinds: dict[str, Kind], params: dict[str, str]) -> Schema:
    about = [f"{name}: {(inspect.getdoc(kind.function) or '').splitlines()[0]}" for name, kind in kinds.items()]
    named = {"enum": list(kinds), "x-taplo": {"docs": {"enumValues": about}}}
    return {
        "type": "object",
        "properties": {
            "kind": {"anyOf": [named, {"type": "string", "pattern": ":", "description": "module:function, file.py:f"}]},
            "artifact": {"type": "string", "description": "a digest or a ref of the store, in place of a kind"},
            "inputs": _map_of(refer("reference"), "what it reads"),
            "params": {"anyOf": [{"type": "object"}, refer("table")]},
            **terms,
        },
        "additionalProperties": False,
        "allOf": [{"if": _is_of(name), "then": _describe_kind(kind, params[name])} for name, kind in kinds.items()],
        **hint_at(*({"properties": {"params": refer(name)}} for name in dict.fromkeys(params.values()))),
    }


def _is_of(kind: str) -> Schema:
    return {"properties": {"kind": {"const": kind}}, "required": ["kind"]}


def _describe_kind(kind: Kind, params: str) -> Schema:
    inputs = {}
    for name, wanted in kind.inputs.items():
        notes = [type_name(wanted.type)]
        notes += ["one action an entry"] if name == kind.facts.each else []
        notes += ["may be absent"] if wanted.is_optional else []
        inputs[name] = {"description": ", ".join(notes)}
    return {
        "properties": {
            "inputs": {"type": "object", "properties": inputs, "additionalProperties": False},
            "params": table_or(params),
        }
    }


def _describe_whole_node(kinds: dict[str, Kind]) -> Schema:
    """Return what a node needs where no other file can say it."""
    conditions = []
    for name, kind in kinds.items():
        needed = [key for key, wanted in kind.inputs.items() if not wanted.is_optional]
        params = [key for key, field in fields_of(kind.params).items() if field.required]
        # No type here: where params are "$name", what they must have is in the table.
        properties = {key: {"required": names} for key, names in (("inputs", needed), ("params", params)) if names}
        if properties:
            conditions.append({"if": _is_of(name), "then": {"required": list(properties), "properties": properties}})
    return {"oneOf": [{"required": ["kind"]}, {"required": ["artifact"]}], "allOf": conditions}


def _describe_rounds() -> Schema:
    params = {"anyOf": [{"type": "object"}, refer("table")]}
    node = {"type": "object", "properties": {"params": params}, "additionalProperties": False}
    nodes = _map_of(node, "nodes inside the loop")
    one = {"type": "object", "properties": {"nodes": nodes}, "additionalProperties": False}
    return _map_of(one, "params of one round's instance") | {"propertyNames": {"pattern": "^[1-9][0-9]*$"}}


def _describe_variants() -> Schema:
    about = "dotted keys, each with a list of values: every combination is a variant, of every arm if there are arms"
    grid = _map_of({"type": ["array", "object"], "minItems": 1}, about)  # an object: the key is written as tables
    arm: Schema = {"if": {"type": "boolean"}, "then": {"const": False}, "else": {"type": "object"}}
    arms = _map_of(
        arm, "by name: dotted keys, each with the value that the arm sets; false: left out of what is extended"
    )
    grid["properties"] = {ARMS: arms | {"propertyNames": {"pattern": f"^{_plain(VARIANT_NAME)}$"}}}
    name = {"type": "string", "pattern": f"^{_plain(VARIANT_NAME)}$"}
    listed = {"type": "object", "properties": {"name": name}, "required": ["name"]}
    return {"anyOf": [grid, {"type": "array", "items": listed}]}


def _map_of(schema: Schema, about: str) -> Schema:
    return {"type": "object", "description": about, "additionalProperties": schema}


def _plain(pattern: re.Pattern[str]) -> str:
    """Return a pattern as other languages write it too: groups without names."""
    return re.sub(r"\(\?P<\w+>", "(?:", pattern.pattern)
