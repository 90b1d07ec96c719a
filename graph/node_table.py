"""Node tables: `[nodes.name]` and `[rounds.n.nodes.name]`, key by key, to what the engine runs.

Names and values are checked here; how nodes fit together is `graph.rounds`' to say.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec

from graph.document import Document, Text, lay_over
from graph.errors import KindError, nearest
from graph.kinds import Kind, NoParams, find_kind
from graph.params import Mistakes, check_keys, read_params
from graph.reference import Reference, parse_reference
from graph.settings import Amount
from store.artifact import Artifact
from store.errors import Unacceptable
from store.open import type_name
from store.refs import check_name

NODE_NAME = re.compile(r"[A-Za-z][\w-]*")
TABLE = re.compile(r"\$([A-Za-z_][\w-]*)")


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a node's table says of how its function is called. Only `seed` and `threads` enter a key."""

    seed: Annotated[int, msgspec.Meta(ge=0, description="pins it; else the experiment's")] | None = None
    threads: Annotated[int, msgspec.Meta(ge=1, description="enter the key: results differ by them")] | None = None
    resources: Annotated[dict[str, Amount], msgspec.Meta(description="what its worker must have: { GPU = 1 }")] = {}
    retries: Annotated[int, msgspec.Meta(ge=0, description="after failures of the machine, not its own")] = 2
    timeout: Annotated[float, msgspec.Meta(gt=0, description="seconds for one action")] | None = None
    may_fail: Annotated[int, msgspec.Meta(ge=0, description="elements that may; readers get the rest")] = 0
    every_round: Annotated[bool, msgspec.Meta(description="inside the loop although it reads nothing there")] = False
    if_read: Annotated[bool, msgspec.Meta(description="runs only where a node that runs reads it")] = False
    agrees: Annotated[bool, msgspec.Meta(description="false: its params may say another thing than others'")] = True


NO_TERMS = Terms()
NODE_KEYS = {"kind", "artifact", "inputs", "params", *Terms.__struct_fields__}


class NodeSpec(msgspec.Struct, frozen=True):
    """One `[nodes.name]`: a kind with its params, or a stored artifact by name or digest; `Terms` for the rest."""

    name: str
    kind: Kind | None
    kind_name: str
    artifact: str | None
    inputs: dict[str, tuple[Reference, ...]]
    params: msgspec.Struct
    seed: int | None = None
    threads: int | None = None
    resources: dict[str, float] = {}
    retries: int = 2
    timeout: float | None = None
    may_fail: int = 0
    every_round: bool = False
    if_read: bool = False
    agrees: bool = True


class NodeReader:
    """Reads the nodes of one document, and what rounds change of them."""

    def __init__(self, document: Document, mistakes: Mistakes) -> None:
        self.mistakes = mistakes
        self._folder = document.path.parent.absolute()
        self._tables = document.tables
        self._shared = document.tables.get("tables", {})
        self._filled: dict[str, Any] = {}  # params of nodes as tables
        if not isinstance(self._shared, dict):
            mistakes.add("", f"tables = {self._shared!r}", "expected tables [tables.NAME]")
            self._shared = {}

    def read_nodes(self) -> dict[str, NodeSpec]:
        """Return all nodes; those that cannot be read are left out."""
        tables = self._tables.get("nodes")
        if not isinstance(tables, dict) or not tables:
            self.mistakes.add("nodes", "", "expected at least one [nodes.NAME]")
            return {}
        nodes = {}
        for name, table in tables.items():
            if not isinstance(table, dict):
                self.mistakes.add("nodes", f"{name} = {table!r}", "expected a table")
            elif not NODE_NAME.fullmatch(name):
                expected = "a node's name needs letters, digits, '_' and '-', a letter first"
                self.mistakes.add(f"nodes.{name}", "", expected)
            else:
                nodes[name] = self._read_node(name, table)
        for node in nodes.values():
            if node.kind is not None or node.artifact is not None:  # else its kind is a mistake already
                self._check_inputs(node, tables)
                self._check_taken_back(node, tables[node.name].get("inputs", {}))
        return nodes

    def read_rounds(self, nodes: dict[str, NodeSpec], last: int) -> dict[int, dict[str, msgspec.Struct]]:
        """Return the params that `[rounds.n.nodes.name.params]` gives the instance of one round, by round and node."""
        rounds: dict[int, dict[str, msgspec.Struct]] = {}
        tables = self._inner(self._tables, "", "rounds")
        for key in tables:
            if not re.fullmatch("[1-9][0-9]*", key) or int(key) > last:
                self.mistakes.add("rounds", key, f"no such round: expected 1 to {last}")
                continue
            where = f"rounds.{key}"
            named = self._inner(self._inner(tables, "rounds", key, {"nodes"}), where, "nodes")
            changed = {name: self._read_changed(nodes, name, named, f"{where}.nodes") for name in named}
            rounds[int(key)] = {name: params for name, params in changed.items() if params is not None}
        return rounds

    def _read_changed(
        self, nodes: dict[str, NodeSpec], name: str, named: dict[str, Any], where: str
    ) -> msgspec.Struct | None:
        place = f"{where}.{name}"
        own = self._inner(named, where, name, {"params"})
        filled = self._fill_tables(own.get("params", {}), place, "params")
        kind = nodes[name].kind if name in nodes else None
        if name not in nodes:
            self.mistakes.add(place, "", f"no node is named {name!r}{nearest(name, nodes)}")
        elif not isinstance(filled, dict):
            self.mistakes.add(place, f"params = {filled!r}", "expected a table")
        elif kind is None:
            self.mistakes.add(place, "", "it has no kind: nothing runs that could use this")
        elif not any(f"[nodes.{name}] params" in line for line in self.mistakes.lines):  # or it would be told again
            params = lay_over(self._filled[name], filled)
            return read_params(kind.params, params, self.mistakes, place, self._folder, "params.")
        return None

    def _read_node(self, name: str, table: dict[str, Any]) -> NodeSpec:
        where = f"nodes.{name}"
        check_keys(self.mistakes, where, table, NODE_KEYS)
        kind_name, artifact = table.get("kind"), table.get("artifact")
        if (kind_name is None) == (artifact is None):
            self.mistakes.add(where, "", "expected either kind = or artifact =")
        if artifact is not None and kind_name is None:
            self._check_artifact(where, table)
        kind = self._read_kind(kind_name, where)
        self._filled[name] = filled = self._fill_tables(table.get("params", {}), where, "params")
        params: msgspec.Struct | None = NoParams()
        if kind is not None:
            params = read_params(kind.params, filled, self.mistakes, where, self._folder, "params.")
        said = {key: table[key] for key in Terms.__struct_fields__ if key in table}
        terms = (said and read_params(Terms, said, self.mistakes, where, self._folder)) or NO_TERMS
        return NodeSpec(
            name,
            kind,
            kind.name if kind else "",
            artifact,
            self._read_inputs(table.get("inputs", {}), where),
            params or NoParams(),
            terms.seed,
            None if terms.threads == 1 else terms.threads,
            terms.resources,
            terms.retries,
            terms.timeout,
            terms.may_fail,
            terms.every_round,
            terms.if_read,
            terms.agrees,
        )

    def _read_kind(self, name: Any, where: str) -> Kind | None:
        if isinstance(name, Text) and ".py:" in name:
            name = str((name.folder / name).absolute())  # of a file that is relative to another folder
        if isinstance(name, str):
            try:
                return find_kind(str(name), self._folder)
            except KindError as error:
                self.mistakes.add(where, f"kind = {str(name)!r}", str(error).removeprefix(f"kind {str(name)!r}: "))
        elif name is not None:
            self.mistakes.add(where, f"kind = {name!r}", "expected text")
        return None

    def _check_artifact(self, where: str, table: dict[str, Any]) -> None:
        name = table["artifact"]
        try:
            check_name(name if isinstance(name, str) else "")
        except Unacceptable as error:
            expected = f"expected a digest or a ref; {str(error).partition(': ')[2]}"
            self.mistakes.add(where, f"artifact = {name!r}", expected)
        for key in ("params", *Terms.__struct_fields__):
            if key in table:
                self.mistakes.add(where, key, "an artifact is there already: nothing runs that could use this")

    def _read_inputs(self, table: Any, where: str) -> dict[str, tuple[Reference, ...]]:
        inputs: dict[str, tuple[Reference, ...]] = {}
        if not isinstance(table, dict):
            self.mistakes.add(where, f"inputs = {table!r}", "expected a table")
            return inputs
        for name, text in table.items():
            if text == "":  # takes back what an extended file or the spec of a variant reads
                continue
            try:
                inputs[name] = parse_reference(text)
            except ValueError as error:
                self.mistakes.add(where, f"inputs.{name} = {text!r}", str(error))
                inputs[name] = ()  # it is not missing as well
        return inputs

    def _check_inputs(self, node: NodeSpec, named: Iterable[str]) -> None:
        """Note inputs that a kind does not have or lacks, and references to no node; `named` stand in the spec."""
        where, known = f"nodes.{node.name}", node.kind.inputs if node.kind else {}
        for name, alternatives in node.inputs.items():
            if name not in known:
                listed = nearest(name, known) or f"; known: {', '.join(known) or 'none'}"
                expected = f"{node.kind_name or 'an artifact'} has no such input{listed}"
                self.mistakes.add(where, f"inputs.{name}", expected)
            for reference in alternatives:
                if reference.node not in named:
                    expected = f"no node is named {reference.node!r}{nearest(reference.node, named)}"
                    self.mistakes.add(where, f"inputs.{name} = {str(reference)!r}", expected)
        for name, wanted in known.items():
            if name not in node.inputs and not wanted.is_optional:
                expected = f"is missing: expected {type_name(typing.cast(type[Artifact], wanted.type))}"
                self.mistakes.add(where, f"inputs.{name}", expected)

    def _check_taken_back(self, node: NodeSpec, written: Any) -> None:
        """Note an input set to "" whose name is almost that of one that stays; what another kind had may be told."""
        for name in written if isinstance(written, dict) else ():
            near = nearest(name, node.inputs) if written[name] == "" and node.kind else ""
            if near and node.kind and name not in node.kind.inputs:
                self.mistakes.add(f"nodes.{node.name}", f"inputs.{name}", f"{node.kind_name} has no such input{near}")

    def _fill_tables(self, value: Any, where: str, key: str) -> Any:
        """Put the tables of `[tables]` where `$name` asks for them."""
        if isinstance(value, dict):
            return {name: self._fill_tables(item, where, f"{key}.{name}") for name, item in value.items()}
        match = TABLE.fullmatch(value) if isinstance(value, str) and value.startswith("$") else None
        if match is None:
            return value
        name = match[1]
        if name not in self._shared:
            expected = f"[tables] has no table {name!r}{nearest(name, self._shared)}"
            self.mistakes.add(where, f"{key} = {str(value)!r}", expected)
            return {}
        return self._shared[name]

    def _inner(self, table: dict[str, Any], where: str, key: str, known: set[str] | None = None) -> dict[str, Any]:
        inner = table.get(key, {})
        if not isinstance(inner, dict):
            self.mistakes.add(where, f"{key} = {inner!r}", "expected a table")
            return {}
        if known is not None:
            check_keys(self.mistakes, f"{where}.{key}", inner, known)
        return inner
