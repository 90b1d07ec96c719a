"""The schema of params: Structs to the JSON Schema (draft 7) of the TOML tables that give them."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

import msgspec

from graph.node import External, Located, Named
from graph.params import as_written, default_of, fields_of, mentions_named, path_type
from graph.registry import registered

Schema = dict[str, Any]
WHERE = "#/definitions/"


def describe_structs(types: list[type[msgspec.Struct]]) -> tuple[list[str], dict[str, Schema]]:
    """Return the names and the definitions of Structs, as TOML tables say them."""
    texts = list(dict.fromkeys(text for cls in types for text in _written_as_text(cls)))
    made, definitions = msgspec.json.schema_components(
        [*types, *texts], schema_hook=lambda _: {"type": "string"}, ref_template=WHERE + "{name}"
    )
    names = [schema["$ref"].removeprefix(WHERE) for schema in made]
    for name, text in zip(names[len(types) :], texts):
        definitions[name] = _describe_text(text)
    for name, cls in zip(names, types):
        _complete(definitions, name, cls)
    return names[: len(types)], definitions


_AS_TEXT = (External, Located, Named)


def _describe_text(hint: Any) -> Schema:
    """Return the schema of a path, or of the names of a family: those that are registered, and two forms more."""
    path = {"type": "string", "description": "a path, relative to this file"}
    if hint is Located:
        return path
    if hint is External:
        named = {"path": {"type": "string"}, "release": {"type": "string"}}
        required = sorted(named)
        return {"anyOf": [path, {"type": "object", "properties": named, "required": required}]}
    names = list(registered(f"dataflow.{typing.get_args(hint)[0].__name__.lower()}"))
    other = {"type": "string", "pattern": ":", "description": "module:name, file.py:name"}
    return {"anyOf": [{"enum": names}, other]} if names else other


def _written_as_text(hint: Any) -> Iterator[Any]:
    """Yield the Structs of the contract that specs write as a text, wherever they stand in a type."""
    origin = typing.get_origin(hint) or hint
    if isinstance(origin, type) and issubclass(origin, msgspec.Struct):
        if origin in _AS_TEXT:
            yield hint
            return
        for field in fields_of(origin).values():
            yield from _written_as_text(field.type)
    for inner in typing.get_args(hint):
        yield from _written_as_text(inner)


def _is_table(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct) and hint not in _AS_TEXT


def _complete(definitions: dict[str, Schema], name: str, cls: type[msgspec.Struct]) -> None:
    """Add what msgspec leaves out: units, `$name` in place of a table, no unknown keys."""
    schema = definitions[name]
    if schema.pop("required", None) is None:  # a file that is extended may have it: _describe_whole_node
        return  # done already
    schema["additionalProperties"] = False
    for key, field in fields_of(cls).items():
        inner = schema["properties"][key] = _as_toml_has_it(schema["properties"][key])
        if mentions_named(field.type) and "default" in inner:
            inner["default"] = as_written(default_of(field))
        about = next((meta.description for meta in metas(field.type) if meta.description), "")
        if about and path_type(field.type):  # msgspec forgets it of a Struct that may be absent
            inner.setdefault("description", about)
        unit = next((meta.extra["unit"] for meta in metas(field.type) if meta.extra and "unit" in meta.extra), "")
        if unit:
            inner["description"] = f"{inner.get('description', '')} ({unit})".strip()
        table = inner.get("$ref", "").removeprefix(WHERE)
        if _is_table(field.type):
            _complete(definitions, table, field.type)
            schema["properties"][key] = table_or(table)


def metas(hint: Any) -> Iterator[msgspec.Meta]:
    """Yield what is noted of a type, wherever in it."""
    for inner in typing.get_args(hint):
        if isinstance(inner, msgspec.Meta):
            yield inner
        else:
            yield from metas(inner)


def _as_toml_has_it(schema: Any) -> Any:
    """Return a schema without null, which TOML has not, and with tuples as draft 7 says them."""
    if isinstance(schema, list):
        return [_as_toml_has_it(item) for item in schema if item != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    said = {key: _as_toml_has_it(value) for key, value in schema.items() if (key, value) != ("default", None)}
    if "prefixItems" in said:
        said["items"] = said.pop("prefixItems")
    if len(said.get("anyOf", [])) == 1:
        said.update(said.pop("anyOf")[0])
    return said


def table_or(name: str) -> Schema:
    """Return the schema of a table, or of `$name` in place of one."""
    return {"if": {"type": "string"}, "then": refer("table"), "else": refer(name), **hint_at(refer(name))}


def hint_at(*schemas: Schema) -> Schema:
    """Return what is never wrong and says nothing new: by this taplo completes and explains keys, not by `if`."""
    return {"anyOf": [*schemas, {}]}


def refer(name: str) -> Schema:
    """Return the reference to a definition."""
    return {"$ref": WHERE + name}
