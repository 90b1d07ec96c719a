"""What commands tell about runs, artifacts and kinds."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from graph.asked import find_asked, one_variant
from graph.classes import find_class, known_kinds, likely_kinds
from graph.errors import KindError, NotFoundError, nearest
from graph.folding import fold, round_of, span_text
from graph.kinds import Kind, NoParams, find_kind
from graph.labels import split_label
from graph.origin import Origins
from graph.param_schema import metas
from graph.params import alternatives, as_written, default_of, path_type, type_text
from graph.runs import Runs
from graph.telling import fact_lines
from store.artifact import Artifact, Reader
from store.attributes import DEPTH, is_deeper, is_group
from store.collection import PREFIX
from store.digest import is_digest
from store.encoding import decode_metadata
from store.errors import StoreError, Unacceptable, one_line
from store.open import Store, type_name


class Described(msgspec.Struct, frozen=True):
    """An artifact in words: its digest and type, `facts` that its type tells, its arrays, files and entries."""

    node: str
    digest: str
    type: str
    facts: dict[str, Any]
    arrays: dict[str, str]
    files: list[str]
    entries: list[str]

    def json(self) -> str:
        """Return it for programs."""
        return msgspec.json.encode(self).decode()

    def text(self) -> str:
        """Return it for people."""
        lines = [f"{self.node}  {self.type}  {self.digest}", *fact_lines(self.facts)]
        lines += [f"{name}  {shape}" for name, shape in self.arrays.items()]
        lines += [f"files/{name}" for name in self.files]
        shown = self.entries[:10]
        more = f" and {len(self.entries) - len(shown)} more" if len(self.entries) > len(shown) else ""
        return "\n".join([*lines, *([f"entries: {', '.join(shown)}{more}"] if shown else [])])


def describe_node(store: Store, node: str, run: str | None, experiment: str | None, round: int | None) -> Described:
    """Describe what a node gave in a run. `node` may end in `.entry`.

    Raises NotFoundError as `find_output` does.
    """
    label, digest, kinds = find_output(store, node, run, experiment, round)
    reader = store.reader(digest)
    return describe(store, label, digest, find_class(reader.type, kinds))


def find_output(
    store: Store, node: str, run: str | None, experiment: str | None, round: int | None
) -> tuple[str, str, Iterator[Kind]]:
    """Return the label and digest of what a node, or an entry of it, gave in a run, and the kinds that may know it.

    A digest, or a name of the store that no node of the latest run has, stands for itself.

    Raises:
        NotFoundError: no such run, node, round or entry, or the node gave nothing in that run.
    """
    if is_digest(node):
        return node[:12], node, _kinds_of(store, node, run, experiment)
    try:
        return _find_in_run(store, node, run, experiment, round)
    except NotFoundError:
        named = store.resolve(node) if run is None and round is None else None
        if named is None:
            raise
        return node, named, _kinds_of(store, named, run, experiment)


def find_origins(store: Store, digest: str, run: str | None, experiment: str | None) -> Origins:
    """Return what an artifact was made from, as the run that `find_output` reads tells."""
    runs = Runs(store)
    found = run or next(runs.ids(experiment), None)
    outcomes = runs.outcomes(found).values() if found is not None else ()
    return Origins(store, digest, {event.output: event.key for event in outcomes if event.output and event.key})


def _kinds_of(store: Store, digest: str, run: str | None, experiment: str | None) -> Iterator[Kind]:
    """Return the kinds that may know an artifact: first the one that gave it in the run, where one did."""
    runs = Runs(store)
    found = run or next(runs.ids(experiment), None)
    events = runs.outcomes(found).values() if found is not None else ()
    event = next((event for event in events if event.output == digest), None)
    if found is None or event is None:
        return iter(known_kinds(None))
    return likely_kinds(store, runs.root(found), event)


def _find_in_run(
    store: Store, node: str, run: str | None, experiment: str | None, round: int | None
) -> tuple[str, str, Iterator[Kind]]:
    runs = Runs(store)
    found = runs.find(run, experiment)
    outcomes = runs.outcomes(found)
    labels, entry = find_asked(node, outcomes, round, f"run {found}")
    event = outcomes[one_variant(labels, f"run {found}")[-1]]
    if not event.output:
        raise NotFoundError(f"{event.label} gave nothing in run {found}: {event.state} {event.error}")
    digest = find_entry(store, event.label, event.output, entry) if entry else event.output
    label = f"{event.label}.{entry}" if entry else event.label
    return label, digest, likely_kinds(store, runs.root(found), event)


def find_entry(store: Store, label: str, digest: str, entry: str) -> str:
    """Return the digest of an artifact that stands inside another. Raises NotFoundError."""
    held = store.reader(digest).artifacts()
    if entry not in held:
        raise NotFoundError(f"{label} has no entry {entry!r}{nearest(entry, held)}")
    return held[entry]


def describe(store: Store, label: str, digest: str, cls: type[Artifact] | None) -> Described:
    """Describe an artifact; its type tells facts where it is known."""
    reader = store.reader(digest)
    facts = _facts(store, digest, cls) if cls is not None else {}
    arrays = [key.removesuffix("/zarr.json") for key in reader.keys() if key.endswith("/zarr.json")]
    shapes = {}
    for array in arrays:
        data = reader.bytes(f"{array}/zarr.json")
        if not is_group(data):
            meta = decode_metadata(data)
            shapes[array] = f"{meta.data_type} {meta.shape}"
    return Described(label, digest, reader.type, facts, shapes, reader.files(), list(reader.artifacts()))


def _facts(store: Store, digest: str, cls: type[Artifact]) -> dict[str, Any]:
    """Return what an artifact tells of itself. Raises Unacceptable: it cannot, its content is not its type's."""
    artifact = store.open(digest, cls)
    try:
        facts = artifact.summary()
        if is_deeper(facts, DEPTH):
            raise Unacceptable(f"artifact {digest[:12]}: facts nested over {DEPTH} deep")
        return facts
    except (StoreError, OSError, ImportError, MemoryError):
        raise
    except Exception as error:  # much is read late: what `open` did not look at
        found = one_line(f"{type(error).__name__}: {error}")
        raise Unacceptable(f"artifact {digest[:12]} is no {artifact.type} inside: {found}") from error


def list_run(store: Store, run: str | None, experiment: str | None) -> tuple[str, list[dict[str, Any]]]:
    """Return a run's id and a row an instance: node, state, type, entries, seconds, digest.

    `entries` are those of a collection, or what there is of one that failed; None for anything else. What still waited
    as the run ended, or had not come to its end, is as the run is: "interrupted".
    """
    runs = Runs(store)
    found = runs.find(run, experiment)
    end = runs.end(found)
    rows = []
    for event in runs.outcomes(found).values():
        reader = _reader(store, event.output)
        kind = reader.type if reader is not None else ""
        entries = event.done if event.total else None
        if reader is not None and kind.startswith(PREFIX):
            entries = len(reader.artifacts())
        rows.append(
            {
                "node": event.label,
                "state": event.state if end is None or event.state != "waiting" else end.status,
                "type": kind,
                "entries": entries,
                "seconds": round(event.seconds, 2) if event.seconds else None,
                "digest": event.output,
            }
        )
    return found, rows


def rows_text(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return the rows of `list_run` as text."""
    return [tuple("" if value is None else str(value) for value in row.values()) for row in rows]


def fold_rows(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return the rows of `list_run` as text, those of a node in one state together: seconds of all, the last digest."""
    known = {row["node"]: row for row in rows}
    folded: list[tuple[str, ...]] = []
    for row in fold({label: (row["state"], row["type"]) for label, row in known.items()}):
        members = [known[label] for label in row.members]
        last = max(members, key=lambda member: round_of(member["node"]) or 0)
        seconds = [member["seconds"] for member in members if member["seconds"] is not None]
        entries = span_text("" if member["entries"] is None else str(member["entries"]) for member in members)
        total = str(round(sum(seconds), 2)) if seconds else ""
        is_one = len({split_label(label)[1] for label in row.members}) == 1
        folded.append((row.label, last["state"], last["type"], entries, total, last["digest"] if is_one else ""))
    return folded


def list_kinds(names: typing.Iterable[str]) -> list[tuple[str, str]]:
    """Return (kind, first line of its docstring) for every registered kind."""
    rows = []
    for name in names:
        try:
            rows.append((name, _first_line(find_kind(name, Path()))))
        except KindError as error:
            rows.append((name, str(error)))
    return rows


def describe_kind(kind: Kind) -> str:
    """Return what a spec needs to know of a kind: inputs, output, params with types, defaults and units."""
    lines = [f"{kind.name}  (version {kind.facts.version})", _first_line(kind), "", "inputs"]
    for name, wanted in kind.inputs.items():
        notes = [type_name(wanted.type)]
        notes += ["one action an entry" if name == kind.facts.each else "by the same key"] if wanted.is_mapped else []
        notes += ["may be absent"] if wanted.is_optional else []
        lines.append(f"  {name}  {', '.join(notes)}")
    lines += [] if kind.inputs else ["  none"]
    lines += ["output", f"  {type_name(kind.gives)}", "params"]
    lines += describe_params(kind.params, "  ") or ["  none"]
    return "\n".join(lines)


def describe_params(params: type[msgspec.Struct], indent: str) -> list[str]:
    """Return a line a field: name, type, default, unit, description."""
    lines = []
    for field in msgspec.structs.fields(params) if params is not NoParams else ():
        held = alternatives(field.type)
        table = next((one for one in held if isinstance(one, type) and issubclass(one, msgspec.Struct)), None)
        meta = list(metas(field.type))
        unit = next((item.extra["unit"] for item in meta if item.extra and "unit" in item.extra), "")
        about = next((item.description for item in meta if item.description), "")
        if table is not None and not path_type(table):
            optional = ["may be absent"] if type(None) in held else []
            lines.append("  ".join(filter(None, [f"{indent}{field.encode_name}", "a table", *optional, about])))
            lines += describe_params(table, indent + "  ")
            continue
        default = "required" if field.required else f"= {_default(field)}"
        pieces = [f"{indent}{field.encode_name}", type_text(field.type), default, unit, about]
        lines.append("  ".join(piece for piece in pieces if piece))
    return lines


def _default(field: typing.Any) -> str:
    value = as_written(default_of(field))
    return "absent" if value is None else msgspec.json.encode(value, enc_hook=str).decode()


def _reader(store: Store, digest: str) -> Reader | None:
    try:
        return store.reader(digest)
    except StoreError:  # gone, damaged or refused: its row says the rest
        return None


def _first_line(kind: Kind) -> str:
    return (inspect.getdoc(kind.function) or "").split("\n")[0]
