"""Kinds by name: where a spec's `kind = "..."` leads, and what the function's signature promises.

Three forms of name: one registered in the entry-point group `dataflow.nodes` (`scene.extract`), `module:function`, and
`path/to/file.py:function`, relative to the spec. Finding a kind imports its module and nothing else.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import sys
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from graph.code import package_root, read_code, settle_code, versions
from graph.errors import KindError, nearest
from graph.node import FACTS, Facts
from store.artifact import Artifact
from store.collection import Collection
from store.digest import digest
from store.open import item_type

GROUP = "dataflow.nodes"
GIVEN = ("params", "seed", "progress")


class NoParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The params of a kind that has none."""


class Input(msgspec.Struct, frozen=True):
    """One input: its artifact type, whether it may be absent, and whether an entry of a collection fills it."""

    type: type
    is_optional: bool
    is_mapped: bool


class Kind(msgspec.Struct, frozen=True):
    """A kind: its facts, what its signature says, and the identity of its code.

    `output` is what one call returns; `gives` what a node gives, a collection if mapped. `code` was read before the
    module was imported, `packages` are the versions that enter keys, `label` is `nodes/select.py:band`.
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
    source: Path
    code: str = ""
    packages: dict[str, str] = {}
    label: str = ""
    target: str = ""
    resumes: bool = False


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
    place, separator, attribute = name.partition(":")
    if not separator:
        point = registered().get(name)
        if point is None:
            raise KindError(f"no kind is named {name!r}{nearest(name, registered())}")
        place, _, attribute = point.value.partition(":")
    try:
        source = folder / place if folder else _find_source(place)
        # Read before it is imported: an edit in between must not give old code a new key.
        code = read_code(source)
        module = _import_file(source) if folder else importlib.import_module(place)
        code = settle_code(source, code)
    except KindError:
        raise
    except Exception as error:
        raise KindError(f"kind {name!r}: {place} cannot be imported: {type(error).__name__}: {error}") from error
    function = getattr(module, attribute, None)
    if not hasattr(function, FACTS):
        declared = [key for key, value in vars(module).items() if hasattr(value, FACTS)]
        near = nearest(attribute, declared)
        raise KindError(f"kind {name!r}: {place} has no function {attribute!r} declared with @node{near}")
    kind = read_signature(name, typing.cast(Callable, function), source)
    try:
        packages = versions(code.imported, kind.facts.packages)
    except importlib.metadata.PackageNotFoundError as error:
        raise KindError(f"kind {name!r}: packages names {error.name!r}, which is not installed") from None
    within = source.absolute().relative_to(package_root(source.absolute()).parent).as_posix()
    label = f"{within}:{attribute}"
    return msgspec.structs.replace(
        kind, code=code.digest, packages=packages, label=label, target=f"{module.__name__}:{attribute}"
    )


@functools.cache
def registered() -> dict[str, importlib.metadata.EntryPoint]:
    """Return the entry points of the group `dataflow.nodes`, by kind, sorted."""
    points = importlib.metadata.entry_points(group=GROUP)
    return {point.name: point for point in sorted(points, key=lambda point: point.name)}


def _find_source(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.has_location or spec.origin is None:
        raise ModuleNotFoundError(f"no module named {module!r}")
    return Path(spec.origin)


def _import_file(path: Path) -> types.ModuleType:
    name = f"dataflow_file_{digest(str(path.absolute()).encode())[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def read_signature(name: str, function: Callable, source: Path) -> Kind:
    """Return the kind that a declared function is. Raises KindError where its signature breaks the contract."""
    facts: Facts = getattr(function, FACTS)
    try:
        hints = typing.get_type_hints(function)
    except Exception as error:
        raise KindError(f"kind {name!r}: its annotations cannot be resolved: {error}") from None
    inputs, given = _read_parameters(name, function, hints)
    output = hints.get("return")
    if output is None or not _is_artifact(output):
        raise KindError(f"kind {name!r}: returns {output}, expected an artifact type")
    if facts.each is not None:
        driving = inputs.get(facts.each)
        if driving is None or driving.is_optional or item_type(driving.type):
            raise KindError(f"kind {name!r}: each={facts.each!r} must name an input annotated with the element's type")
        inputs = {key: _mapped(value, key == facts.each) for key, value in inputs.items()}
    gives = output if facts.each is None else Collection[output]  # type: ignore[valid-type]
    params = given.get("params", NoParams)
    return Kind(name, facts, function, inputs, params, output, gives, "seed" in given, "progress" in given, source)


def _read_parameters(name: str, function: Callable, hints: dict[str, Any]) -> tuple[dict[str, Input], dict[str, Any]]:
    """Return the inputs, and the types of what the engine gives, by name."""
    inputs, given = {}, {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise KindError(f"kind {name!r}: {parameter} could be anything, expected named parameters")
        if parameter.name not in hints:
            raise KindError(f"kind {name!r}: parameter {parameter.name!r} has no annotation")
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            inputs[parameter.name] = _read_input(name, parameter.name, hints[parameter.name])
            continue
        given[parameter.name] = hints[parameter.name]
        if parameter.name not in GIVEN:
            raise KindError(f"kind {name!r}: keyword {parameter.name!r}: expected one of {', '.join(GIVEN)}")
    params = given.get("params", NoParams)
    if not (isinstance(params, type) and issubclass(params, msgspec.Struct) and params.__struct_config__.frozen):
        raise KindError(f"kind {name!r}: params is {params}, expected a frozen msgspec Struct")
    return inputs, given


def _read_input(kind: str, name: str, hint: object) -> Input:
    options = [hint]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(hint) if option is not type(None)]
    if len(options) != 1 or not _is_artifact(options[0]):
        raise KindError(f"kind {kind!r}: input {name!r} is {hint}, expected an artifact type, or one `| None`")
    return Input(typing.cast(type, options[0]), options[0] is not hint, False)


def _mapped(value: Input, is_driving: bool) -> Input:
    # Under `each`, an input of element type is zipped by key; one of collection type is broadcast whole.
    can_zip = item_type(value.type) is None
    return msgspec.structs.replace(value, is_mapped=is_driving or can_zip)


def _is_artifact(hint: object) -> bool:
    origin = typing.get_origin(hint) or hint
    return isinstance(origin, type) and issubclass(origin, Artifact)
