"""Kinds by name: where a spec's `kind = "..."` leads, and what the function's signature promises.

Three forms of name: one registered in the entry-point group `dataflow.nodes` (`scene.extract`), `module:function`, and
`path/to/file.py:function`, relative to the spec. Finding a kind imports its module and nothing else.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from graph.code import Code, refresh_project
from graph.distributions import NotInstalled, versions
from graph.errors import KindError
from graph.node import FACTS, Facts
from graph.registry import KINDS, find_code, find_target, load_object
from store.artifact import Artifact
from store.collection import Collection
from store.open import item_type

GIVEN = ("params", "seed", "progress", "scratch")


class NoParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The params of a kind that has none."""


class Input(msgspec.Struct, frozen=True):
    """One input: its artifact type, whether it may be absent, and whether an entry of a collection fills it."""

    type: type
    is_optional: bool
    is_mapped: bool


class Kind(msgspec.Struct, frozen=True):
    """A kind: its facts, what its signature says, and the identity of its code.

    `output` is what one call returns; `gives` what a node gives, a collection if mapped. `draws`, `reports` and
    `resumes`: it asks for a seed, for progress, for scratch. `target` is `nodes.select:band`, `code` the digest of
    `closure`, `packages` are the versions that enter keys.
    """

    name: str
    facts: Facts
    function: Callable
    inputs: dict[str, Input]
    params: type[msgspec.Struct]
    output: type
    gives: type
    draws: bool
    reports: bool
    resumes: bool = False
    target: str = ""
    code: str = ""
    closure: Code | None = None
    packages: dict[str, str] = {}


def find_kind(name: str, folder: Path) -> Kind:
    """Return the kind of that name.

    Args:
        folder: what a file's path is relative to.
    Raises:
        KindError: nothing has that name, it cannot be imported, or its signature breaks the contract.
    """
    return _find(name, folder if ".py:" in name else None)


@functools.cache
def _find(name: str, folder: Path | None) -> Kind:
    try:
        module, attribute = find_target(name, folder or Path(), KINDS)
        code = find_code(module, attribute)
        function = load_object(module, attribute)
        kind = read_signature(name, function)
        packages = versions(code.foreign, kind.facts.packages)
    except KindError as error:
        raise KindError(f"kind {name!r}: {error}") from None
    except NotInstalled as error:
        raise KindError(f"kind {name!r}: packages names {str(error)!r}, which is not installed") from None
    return msgspec.structs.replace(
        kind, code=code.digest, closure=code, packages=packages, target=f"{module}:{attribute}"
    )


@functools.cache
def load_kind(name: str, target: str) -> Kind:
    """Return the kind whose function a target names, `module:function`, for who executes: without its identity."""
    module, _, attribute = target.partition(":")
    return read_signature(name, getattr(importlib.import_module(module), attribute))


def forget_kinds() -> None:
    """Find all kinds anew if a source was edited since it was read."""
    if refresh_project():
        _find.cache_clear()
        load_kind.cache_clear()


def read_signature(name: str, function: Callable) -> Kind:
    """Return the kind that a declared function is. Raises KindError where its signature breaks the contract."""
    facts: Facts | None = getattr(function, FACTS, None)
    if facts is None:
        raise KindError("it is not declared with @node")
    try:
        hints = typing.get_type_hints(function)
    except Exception as error:
        raise KindError(f"its annotations cannot be resolved: {error}") from None
    inputs, given = _read_parameters(name, function, hints)
    output = hints.get("return")
    if output is None or not _is_artifact(output):
        raise KindError(f"returns {output}, expected an artifact type")
    if facts.each is not None:
        driving = inputs.get(facts.each)
        if driving is None or driving.is_optional or item_type(driving.type):
            raise KindError(f"each={facts.each!r} must name an input annotated with the element's type")
        inputs = {key: _mapped(value, key == facts.each) for key, value in inputs.items()}
    gives = output if facts.each is None else Collection[output]  # type: ignore[valid-type]
    params = given.get("params", NoParams)
    draws, reports, resumes = (name in given for name in ("seed", "progress", "scratch"))
    return Kind(name, facts, function, inputs, params, output, gives, draws, reports, resumes)


def _read_parameters(name: str, function: Callable, hints: dict[str, Any]) -> tuple[dict[str, Input], dict[str, Any]]:
    """Return the inputs, and the types of what the engine gives, by name."""
    inputs, given = {}, {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise KindError(f"{parameter} could be anything, expected named parameters")
        if parameter.name not in hints:
            raise KindError(f"parameter {parameter.name!r} has no annotation")
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            inputs[parameter.name] = _read_input(name, parameter.name, hints[parameter.name])
            continue
        given[parameter.name] = hints[parameter.name]
        if parameter.name not in GIVEN:
            raise KindError(f"keyword {parameter.name!r}: expected one of {', '.join(GIVEN)}")
    params = given.get("params", NoParams)
    if not (isinstance(params, type) and issubclass(params, msgspec.Struct) and params.__struct_config__.frozen):
        raise KindError(f"params is {params}, expected a frozen msgspec Struct")
    return inputs, given


def _read_input(kind: str, name: str, hint: object) -> Input:
    options = [hint]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(hint) if option is not type(None)]
    if len(options) != 1 or not _is_artifact(options[0]):
        raise KindError(f"input {name!r} is {hint}, expected an artifact type, or one `| None`")
    return Input(typing.cast(type, options[0]), options[0] is not hint, False)


def _mapped(value: Input, is_driving: bool) -> Input:
    # Under `each`, an input of element type is zipped by key; one of collection type is broadcast whole.
    can_zip = item_type(value.type) is None
    return msgspec.structs.replace(value, is_mapped=is_driving or can_zip)


def _is_artifact(hint: object) -> bool:
    origin = typing.get_origin(hint) or hint
    return isinstance(origin, type) and issubclass(origin, Artifact)
