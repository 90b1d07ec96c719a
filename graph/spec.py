"""Specs: a TOML file, checked as a whole, to a frozen `Spec`. After this nobody passes dicts.

All mistakes are found before anything runs and told at once, each with file, table, key, value, what was expected
and the nearest known name. What a spec may say is in the README, "The spec".
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec

from graph.document import Document, read_document
from graph.kinds import forget_kinds
from graph.node_table import NodeReader, NodeSpec
from graph.params import Mistakes, check_keys, read_params
from graph.settings import Compute, check_resources, place_of, read_compute
from graph.tracker import Report
from graph.variants import Variant, apply_variant, read_variants
from store.errors import Unacceptable
from store.refs import check_name

TABLES = {"experiment", "tables", "nodes", "rounds", "variants", "store", "compute", "report"}
MAX_ROUNDS = 9999  # graph.labels.round_key has four digits


class Experiment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[experiment]`: its name, the seed of every node without one of its own, the number of rounds."""

    name: Annotated[str, msgspec.Meta(description="its newest results stand under this name")]
    seed: Annotated[int, msgspec.Meta(ge=0, description="of every node that has none of its own")] = 0
    rounds: Annotated[int, msgspec.Meta(ge=1, le=MAX_ROUNDS, description="turns of the loop")] = 1


class Spec(msgspec.Struct, frozen=True):
    """A checked spec.

    Attributes:
        text: the file's; those of the files that it extends follow.
        store, shared: URLs or paths, None where the spec does not say.
        rounds: params by round and node, where that round's instance has others than the node.
        variants: by name; each a whole spec without variants of its own, that knows which `variant` it is.
        origins: see `Mistakes`.
    """

    path: Path
    text: str
    experiment: Experiment
    nodes: dict[str, NodeSpec]
    store: str | None
    shared: tuple[str, ...] | None
    compute: Compute
    report: Report = Report()
    rounds: dict[int, dict[str, msgspec.Struct]] = {}
    variants: dict[str, Spec] = {}
    variant: Variant | None = None
    origins: dict[str, str] = {}

    def mistakes(self) -> Mistakes:
        """Return where to collect what is found wrong with it later."""
        return Mistakes(f"{self.path}: variant {self.variant.name}" if self.variant else str(self.path), self.origins)


def load_spec(path: Path, settings: list[str]) -> Spec:
    """Read and check a spec.

    Args:
        path: the TOML file.
        settings: `nodes.qa.params.per_scene=24` each, in place of what the file says.
    Raises:
        SpecError: every mistake, one line each; those that only a variant has, once all others are mended.
    """
    forget_kinds()
    mistakes = Mistakes(str(path))
    document = read_document(path, settings, mistakes)
    spec = _read_spec(document, mistakes)
    listed = read_variants(document, mistakes)
    mistakes.raise_any()
    variants = {}
    for variant in listed:
        own = Mistakes(f"{path}: variant {variant.name}")
        whole = _read_spec(apply_variant(document, variant), own)
        variants[variant.name] = msgspec.structs.replace(whole, variant=variant)
        mistakes.lines += own.lines
    mistakes.raise_any()
    return msgspec.structs.replace(spec, variants=variants)


def _read_spec(document: Document, mistakes: Mistakes) -> Spec:
    tables = document.tables
    check_keys(mistakes, "", tables, TABLES)
    experiment = _read_experiment(tables, mistakes)
    store, shared = _read_stores(tables, document.path, mistakes)
    compute = read_compute(document, mistakes)
    table = document.tables.get("report", {})
    report = read_params(Report, table, mistakes, "report", document.path.parent.absolute()) or Report()
    reader = NodeReader(document, mistakes)
    nodes = reader.read_nodes()
    rounds = reader.read_rounds(nodes, experiment.rounds) if "rounds" in tables else {}
    for node in nodes.values():
        check_resources(node.name, node.resources, compute, mistakes)
    origins = mistakes.origins
    return Spec(
        document.path, document.text, experiment, nodes, store, shared, compute, report, rounds, origins=origins
    )


def _read_experiment(tables: dict[str, Any], mistakes: Mistakes) -> Experiment:
    table = tables.get("experiment")
    if not isinstance(table, dict):
        mistakes.add("experiment", "", "expected a table with the experiment's name")
        return Experiment("")
    name = table.get("name")
    try:
        check_name(name if isinstance(name, str) else "any")
    except Unacceptable as error:
        mistakes.add("experiment", f"name = {name!r}", str(error).partition(": ")[2])
    return read_params(Experiment, table, mistakes, "experiment", Path()) or Experiment("")


def _read_stores(tables: dict[str, Any], path: Path, mistakes: Mistakes) -> tuple[str | None, tuple[str, ...] | None]:
    table = tables.get("store", {})
    if not isinstance(table, dict):
        mistakes.add("", f"store = {table!r}", "expected a table [store]")
        return None, None
    check_keys(mistakes, "store", table, {"url", "shared"})
    url, shared = table.get("url"), table.get("shared")
    if url is not None and not isinstance(url, str):
        mistakes.add("store", f"url = {url!r}", "expected text, a path or URL")
        url = None
    if shared is not None and not (isinstance(shared, list) and all(isinstance(one, str) and one for one in shared)):
        mistakes.add(
            "store", f"shared = {shared!r}", "expected a list of URLs; whom to believe there is the user's to say"
        )
        shared = None
    return _place(url, path), None if shared is None else tuple(dict.fromkeys(str(_place(one, path)) for one in shared))


def _place(url: str | None, path: Path) -> str | None:
    if url is None:
        return None
    return place_of(url, getattr(url, "folder", path.parent))
