"""Specs: a TOML file, checked as a whole, to a frozen `Spec`. After this nobody passes dicts.

All mistakes are found before anything runs and told at once, each with file, table, key, value, what was expected
and the nearest known name. What a spec may say is in the README, "The spec".
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from graph.errors import KindError, SpecError, nearest
from graph.kinds import Kind, NoParams, find_kind
from graph.params import Mistakes, read_params
from graph.reference import Reference, parse_reference
from store.errors import Unacceptable
from store.refs import check_name

TABLES = {"experiment", "tables", "nodes", "store", "compute"}
NODE_KEYS = {"kind", "artifact", "inputs", "params", "seed", "threads"}


class Setting(str):
    """A text given by `--set`: a path in it is relative to the working folder, not to the spec."""


class Experiment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[experiment]`: its name, the seed of every node without one of its own, the number of rounds."""

    name: str
    seed: int = 0
    rounds: int = 1


class Compute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[compute]`: `inline` runs in this process, `local` on a Dask LocalCluster. Never part of a key."""

    executor: str = "inline"
    workers: int = 2


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
        inner = table.setdefault(part, {}) if depth or part in TABLES else None
        if parts[0] == "nodes" and depth == 1 and not inner:
            mistakes.add("", f"--set {setting!r}", f"no node is named {part!r}{nearest(part, document['nodes'])}")
            del table[part]
            return
        if not isinstance(inner, dict):
            mistakes.add("", f"--set {setting!r}", f"{'.'.join(parts[: depth + 1])} is no table")
            return
        table = inner
    table[parts[-1]] = Setting(value) if isinstance(value, str) else value


def _check_keys(mistakes: Mistakes, table: str, found: dict[str, Any], known: set[str]) -> None:
    for key in found:
        if key not in known:
            mistakes.add(table, key, f"no such key here{nearest(key, known) or '; known: ' + ', '.join(sorted(known))}")


def _read_experiment(document: dict[str, Any], mistakes: Mistakes) -> Experiment:
    table = document.get("experiment")
    if not isinstance(table, dict):
        mistakes.add("experiment", "", "expected a table with the experiment's name")
        return Experiment("")
    experiment = read_params(Experiment, table, mistakes, "experiment", Path())
    if experiment is None:
        return Experiment("")
    try:
        check_name(experiment.name)
    except Unacceptable as error:
        mistakes.add("experiment", f"name = {experiment.name!r}", str(error).partition(": ")[2])
    if experiment.rounds < 1:
        mistakes.add("experiment", f"rounds = {experiment.rounds}", "need 1 or more")
    return experiment


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
    table = document.get("compute", {})
    compute = read_params(Compute, table, mistakes, "compute", Path()) or Compute()
    if compute.executor not in ("inline", "local"):
        mistakes.add("compute", f"executor = {compute.executor!r}", "expected 'inline' or 'local'")
    if compute.workers < 1:
        mistakes.add("compute", f"workers = {compute.workers}", "need 1 or more")
    return compute


def _read_nodes(document: dict[str, Any], path: Path, mistakes: Mistakes) -> dict[str, NodeSpec]:
    tables = document.get("nodes")
    if not isinstance(tables, dict) or not tables:
        mistakes.add("nodes", "", "expected at least one [nodes.NAME]")
        return {}
    shared = document.get("tables", {})
    nodes = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            mistakes.add("nodes", f"{name} = {table!r}", "expected a table")
        elif not name.replace("-", "_").isidentifier():
            mistakes.add(f"nodes.{name}", "", "a node's name needs letters, digits, '_' and '-', a letter first")
        else:
            nodes[name] = _read_node(name, table, shared, path, mistakes)
    return nodes


def _read_node(name: str, table: dict[str, Any], shared: dict[str, Any], path: Path, mistakes: Mistakes) -> NodeSpec:
    where = f"nodes.{name}"
    _check_keys(mistakes, where, table, NODE_KEYS)
    kind_name, artifact = table.get("kind"), table.get("artifact")
    if (kind_name is None) == (artifact is None):
        mistakes.add(where, "", "expected either kind = or artifact =")
    kind = None
    if isinstance(kind_name, str):
        try:
            kind = find_kind(str(kind_name), path.parent.absolute())
        except KindError as error:
            mistakes.add(where, f"kind = {kind_name!r}", str(error))
    elif kind_name is not None:
        mistakes.add(where, f"kind = {kind_name!r}", "expected text")
    raw = _fill_tables(table.get("params", {}), shared, mistakes, where)
    params: msgspec.Struct | None = NoParams()
    if kind is not None:
        params = read_params(kind.params, raw, mistakes, f"{where}", path.parent, "params.")
    numbers = {}
    for key, lowest in (("seed", 0), ("threads", 1)):
        number = table.get(key)
        if number is not None and (type(number) is not int or number < lowest):
            mistakes.add(where, f"{key} = {number!r}", f"expected a whole number, {lowest} or more")
        numbers[key] = number
    return NodeSpec(
        name,
        kind,
        str(kind_name or ""),
        artifact,
        _read_inputs(table.get("inputs", {}), mistakes, where),
        params or NoParams(),
        numbers["seed"],
        numbers["threads"] if numbers["threads"] != 1 else None,
    )


def _read_inputs(table: Any, mistakes: Mistakes, where: str) -> dict[str, tuple[Reference, ...]]:
    inputs = {}
    for name, text in table.items() if isinstance(table, dict) else [("inputs", table)]:
        try:
            inputs[name] = parse_reference(text)
        except ValueError as error:
            mistakes.add(where, f"inputs.{name} = {text!r}", str(error))
    return inputs


def _fill_tables(value: Any, shared: dict[str, Any], mistakes: Mistakes, where: str) -> Any:
    """Put the tables of `[tables]` where `$name` asks for them."""
    if isinstance(value, dict):
        return {key: _fill_tables(item, shared, mistakes, where) for key, item in value.items()}
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    if value[1:] not in shared:
        mistakes.add(where, value, f"[tables] has no such table{nearest(value[1:], shared)}")
        return {}
    return shared[value[1:]]
