"""Specs: a TOML file, checked as a whole, to a frozen `Spec`. After this nobody passes dicts.

All mistakes are found before anything runs and told at once, each with file, table, key, value, what was expected
and the nearest known name. What a spec may say is in the README, "The spec".
"""

from __future__ import annotations

import re
import tomllib
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from graph.errors import KindError, SpecError, nearest
from graph.kinds import Kind, NoParams, find_kind
from graph.params import Mistakes, read_params
from graph.reference import Reference, parse_reference
from store.artifact import Artifact
from store.errors import Unacceptable
from store.open import type_name
from store.refs import check_name

TABLES = {"experiment", "tables", "nodes", "store", "compute"}
NODE_NAME = re.compile(r"[A-Za-z][\w-]*")
NODE_KEYS = {"kind", "artifact", "inputs", "params", "seed", "threads"}


class Setting(str):
    """A text given by `--set`: a path in it is relative to the working folder, not to the spec."""


class Experiment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[experiment]`: its name, the seed of every node without one of its own, the number of rounds."""

    name: str
    seed: int = 0
    rounds: Annotated[int, msgspec.Meta(ge=1)] = 1


class Compute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[compute]`: `inline` runs in this process, `local` on a Dask LocalCluster. Never part of a key."""

    executor: Literal["inline", "local"] = "inline"
    workers: Annotated[int, msgspec.Meta(ge=1)] = 2


class NodeSpec(msgspec.Struct, frozen=True):
    """One `[nodes.name]`: a kind with its params, or a stored artifact by name or digest."""

    name: str
    kind: Kind | None
    kind_name: str
    artifact: str | None
    inputs: dict[str, tuple[Reference, ...]]
    params: msgspec.Struct
    seed: int | None
    threads: int | None


class Spec(msgspec.Struct, frozen=True):
    """A checked spec. `store` is a URL or path, None where the spec does not say; `text` is the file's."""

    path: Path
    text: str
    experiment: Experiment
    nodes: dict[str, NodeSpec]
    store: str | None
    compute: Compute


def load_spec(path: Path, settings: list[str]) -> Spec:
    """Read and check a spec.

    Args:
        path: the TOML file.
        settings: `nodes.qa.params.per_scene=24` each, in place of what the file says.
    Raises:
        SpecError: every mistake, one line each.
    """
    mistakes = Mistakes(str(path))
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except FileNotFoundError:
        raise SpecError([f"{path}: no such file"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError([f"{path}: cannot be read: {error}"]) from None
    except tomllib.TOMLDecodeError as error:
        raise SpecError([f"{path}: not TOML: {error}"]) from None
    for setting in settings:
        _apply(document, setting, mistakes)
    _check_keys(mistakes, "", document, TABLES)
    experiment = _read_experiment(document, mistakes)
    store = _read_store(document, path, mistakes)
    compute = _read_compute(document, mistakes)
    nodes = _read_nodes(document, path, mistakes)
    mistakes.raise_any()
    return Spec(path, text, experiment, nodes, store, compute)


def _apply(document: dict[str, Any], setting: str, mistakes: Mistakes) -> None:
    key, separator, text = setting.partition("=")
    parts = key.strip().split(".")
    if not separator or len(parts) < 2:
        mistakes.add("", f"--set {setting!r}", "expected table.key=value")
        return
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    table = document
    for depth, part in enumerate(parts[:-1]):
        if parts[0] == "nodes" and depth == 1 and part not in table:
            mistakes.add("", f"--set {setting!r}", f"no node is named {part!r}{nearest(part, table)}")
            return
        inner = table.setdefault(part, {}) if depth or part in TABLES else None
        if not isinstance(inner, dict):
            mistakes.add("", f"--set {setting!r}", f"{'.'.join(parts[: depth + 1])} is no table")
            return
        table = inner
    table[parts[-1]] = Setting(value) if isinstance(value, str) else value


def _check_keys(mistakes: Mistakes, table: str, found: dict[str, Any], known: set[str]) -> None:
    for key in found:
        if key not in known:
            what = key if isinstance(found[key], dict) else f"{key} = {found[key]!r}"
            listed = nearest(key, known) or f"; known: {', '.join(sorted(known))}"
            mistakes.add(table, what, f"no such key here{listed}")


def _read_experiment(document: dict[str, Any], mistakes: Mistakes) -> Experiment:
    table = document.get("experiment")
    if not isinstance(table, dict):
        mistakes.add("experiment", "", "expected a table with the experiment's name")
        return Experiment("")
    name = table.get("name")
    try:
        check_name(name if isinstance(name, str) else "any")
    except Unacceptable as error:
        mistakes.add("experiment", f"name = {name!r}", str(error).partition(": ")[2])
    return read_params(Experiment, table, mistakes, "experiment", Path()) or Experiment("")


def _read_store(document: dict[str, Any], path: Path, mistakes: Mistakes) -> str | None:
    table = document.get("store", {})
    if not isinstance(table, dict):
        mistakes.add("", f"store = {table!r}", "expected a table [store]")
        return None
    _check_keys(mistakes, "store", table, {"url"})
    url = table.get("url")
    if url is None or (isinstance(url, str) and "://" in url):
        return url
    if not isinstance(url, str):
        mistakes.add("store", f"url = {url!r}", "expected text, a path or URL")
        return None
    base = Path() if isinstance(url, Setting) else path.parent
    return str(base / Path(url).expanduser())


def _read_compute(document: dict[str, Any], mistakes: Mistakes) -> Compute:
    return read_params(Compute, document.get("compute", {}), mistakes, "compute", Path()) or Compute()


def _read_nodes(document: dict[str, Any], path: Path, mistakes: Mistakes) -> dict[str, NodeSpec]:
    tables = document.get("nodes")
    if not isinstance(tables, dict) or not tables:
        mistakes.add("nodes", "", "expected at least one [nodes.NAME]")
        return {}
    shared = document.get("tables", {})
    if not isinstance(shared, dict):
        mistakes.add("", f"tables = {shared!r}", "expected tables [tables.NAME]")
        shared = {}
    nodes = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            mistakes.add("nodes", f"{name} = {table!r}", "expected a table")
        elif not NODE_NAME.fullmatch(name):
            mistakes.add(f"nodes.{name}", "", "a node's name needs letters, digits, '_' and '-', a letter first")
        else:
            nodes[name] = _read_node(name, table, shared, path, mistakes)
    _check_names(nodes, tables, mistakes)
    return nodes


def _read_node(name: str, table: dict[str, Any], shared: dict[str, Any], path: Path, mistakes: Mistakes) -> NodeSpec:
    where = f"nodes.{name}"
    _check_keys(mistakes, where, table, NODE_KEYS)
    kind_name, artifact = table.get("kind"), table.get("artifact")
    if (kind_name is None) == (artifact is None):
        mistakes.add(where, "", "expected either kind = or artifact =")
    if artifact is not None and kind_name is None:
        _check_artifact(table, mistakes, where)
    kind = _read_kind(kind_name, path.parent, mistakes, where)
    raw = _fill_tables(table.get("params", {}), shared, mistakes, where, "params")
    params: msgspec.Struct | None = NoParams()
    if kind is not None:
        params = read_params(kind.params, raw, mistakes, where, path.parent, "params.")
    threads = _read_number(table, "threads", 1, mistakes, where)
    return NodeSpec(
        name=name,
        kind=kind,
        kind_name=kind.name if kind else "",
        artifact=artifact,
        inputs=_read_inputs(table.get("inputs", {}), mistakes, where),
        params=params or NoParams(),
        seed=_read_number(table, "seed", 0, mistakes, where),
        threads=None if threads == 1 else threads,
    )


def _read_kind(name: Any, folder: Path, mistakes: Mistakes, where: str) -> Kind | None:
    if isinstance(name, Setting) and ".py:" in name:
        name = str(Path(name).absolute())  # a file named by --set is relative to the working folder
    if isinstance(name, str):
        try:
            return find_kind(str(name), folder.absolute())
        except KindError as error:
            mistakes.add(where, f"kind = {str(name)!r}", str(error).removeprefix(f"kind {str(name)!r}: "))
    elif name is not None:
        mistakes.add(where, f"kind = {name!r}", "expected text")
    return None


def _check_artifact(table: dict[str, Any], mistakes: Mistakes, where: str) -> None:
    name = table["artifact"]
    try:
        check_name(name if isinstance(name, str) else "")
    except Unacceptable as error:
        mistakes.add(where, f"artifact = {name!r}", f"expected a digest or a ref; {str(error).partition(': ')[2]}")
    for key in ("params", "seed", "threads"):
        if key in table:
            mistakes.add(where, key, "an artifact is there already: nothing runs that could use this")


def _read_number(table: dict[str, Any], key: str, lowest: int, mistakes: Mistakes, where: str) -> int | None:
    number = table.get(key)
    if number is not None and (type(number) is not int or number < lowest):
        mistakes.add(where, f"{key} = {number!r}", f"expected a whole number, {lowest} or more")
    return number


def _read_inputs(table: Any, mistakes: Mistakes, where: str) -> dict[str, tuple[Reference, ...]]:
    inputs: dict[str, tuple[Reference, ...]] = {}
    if not isinstance(table, dict):
        mistakes.add(where, f"inputs = {table!r}", "expected a table")
        return inputs
    for name, text in table.items():
        try:
            inputs[name] = parse_reference(text)
        except ValueError as error:
            mistakes.add(where, f"inputs.{name} = {text!r}", str(error))
    return inputs


def _check_names(nodes: dict[str, NodeSpec], named: Iterable[str], mistakes: Mistakes) -> None:
    """Note inputs that a kind does not have or lacks, and references to no node; `named` is what stands in the spec."""
    for node in nodes.values():
        if node.kind is None and node.artifact is None:
            continue  # its kind is a mistake already
        where, known = f"nodes.{node.name}", node.kind.inputs if node.kind else {}
        for name, alternatives in node.inputs.items():
            if name not in known:
                listed = nearest(name, known) or f"; known: {', '.join(known) or 'none'}"
                mistakes.add(where, f"inputs.{name}", f"{node.kind_name or 'an artifact'} has no such input{listed}")
            for reference in alternatives:
                if reference.node not in named:
                    expected = f"no node is named {reference.node!r}{nearest(reference.node, named)}"
                    mistakes.add(where, f"inputs.{name} = {str(reference)!r}", expected)
        for name, wanted in known.items():
            if name not in node.inputs and not wanted.is_optional:
                expected = f"is missing: expected {type_name(typing.cast(type[Artifact], wanted.type))}"
                mistakes.add(where, f"inputs.{name}", expected)


def _fill_tables(value: Any, shared: dict[str, Any], mistakes: Mistakes, where: str, key: str) -> Any:
    """Put the tables of `[tables]` where `$name` asks for them."""
    if isinstance(value, dict):
        return {name: _fill_tables(item, shared, mistakes, where, f"{key}.{name}") for name, item in value.items()}
    if not isinstance(value, str) or not re.fullmatch(r"\$[A-Za-z_][\w-]*", value):
        return value
    if value[1:] not in shared:
        expected = f"[tables] has no table {value[1:]!r}{nearest(value[1:], shared)}"
        mistakes.add(where, f"{key} = {str(value)!r}", expected)
        return {}
    return shared[value[1:]]
