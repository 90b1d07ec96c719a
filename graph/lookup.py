"""Lookup: what one instance's actions are once its inputs are known, and which of them are records already."""

from __future__ import annotations

import dataclasses
import functools
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from graph.action import Action, action_key, action_seed, canonical
from graph.errors import UnkeyableError
from graph.kinds import Input, Kind
from graph.node import External
from graph.params import Mistakes, is_external
from graph.rounds import Instance, Source
from graph.spec import NodeSpec, Spec
from graph.stored import find_stored, fit_stored
from store.digest import digest
from store.errors import Missing, StoreError
from store.manifest import Entry
from store.open import Store, item_type, type_name
from store.records import Record


class Piece(msgspec.Struct, frozen=True):
    """One action to look up or run: a whole node (`element` None) or an entry of a map."""

    element: str | None
    key: str
    action: Action


@dataclasses.dataclass(frozen=True)
class Work:
    """What an instance comes to: its own key and, for a map, a piece for every entry.

    Pieces are formed when asked for: a map that is found whole never needs them.
    """

    instance: Instance
    key: str
    action: Action
    form_pieces: Callable[[], list[Piece]]

    @functools.cached_property
    def pieces(self) -> list[Piece]:
        """One piece an entry, in the order of their keys; the whole node's own where it is no map."""
        return self.form_pieces()


class Lookup:
    """Forms keys and finds records for the instances of one spec.

    `outputs` holds what is known so far, at first the stored artifacts that stand for nodes; `damaged` the keys whose
    output is there, but not whole.
    Raises:
        SpecError: an External's path cannot be read, a param cannot enter a key, a stored artifact is of another type.
        NotFoundError: an artifact that the spec names is not in the store.
    """

    def __init__(self, spec: Spec, store: Store, instances: dict[str, Instance]) -> None:
        self.spec = spec
        self.store = store
        self.outputs: dict[str, str] = {}
        self.damaged: set[str] = set()
        self.nodes = prepare_params(spec, {instance.node.name for instance in instances.values()})
        stored = {label: instance.node for label, instance in instances.items() if instance.node.kind is None}
        self.outputs.update((label, find_stored(spec, store, node)) for label, node in stored.items())
        self.instances = fit_stored(spec, store, instances, self.outputs)

    def work(self, instance: Instance) -> Work:
        """Return the keys of an instance; the outputs of all that it reads must be known."""
        kind = instance.node.kind
        assert kind is not None
        inputs: dict[str, str | None] = dict.fromkeys(kind.inputs)
        inputs.update((name, self._digest_of(source, kind.inputs[name])) for name, source in instance.sources.items())
        is_map = kind.facts.each is not None
        whole = self._piece(instance, inputs, None, is_map)
        if not is_map:
            return Work(instance, whole.key, whole.action, lambda: [whole])
        return Work(instance, whole.key, whole.action, lambda: self._pieces(instance, kind, inputs))

    def find(self, piece: Piece | Work) -> Record | None:
        """Return the record of a piece if its output's manifest is there too, and whole."""
        record = self.store.records.find(piece.key)
        if record is None:
            return None
        try:
            self.store.manifests.get(record.output)
        except Missing:
            return None
        except StoreError:
            self.damaged.add(piece.key)
            return None
        return record

    def _pieces(self, instance: Instance, kind: Kind, inputs: dict[str, str | None]) -> list[Piece]:
        zipped: dict[str, dict[str, str]] = {}
        for name, source in instance.sources.items():
            if source.is_zipped:
                zipped[name] = self._entries(inputs[name])
        driving = zipped[kind.facts.each or ""]
        pieces = []
        for element in driving:
            own = {name: zipped[name].get(element) if name in zipped else whole for name, whole in inputs.items()}
            pieces.append(self._piece(instance, own, element, False))
        return pieces

    def _entries(self, collection: str | None) -> dict[str, str]:
        if collection is None:
            return {}
        reader = self.store.reader(collection)
        return {key: reader.entry(key).digest for key in reader.keys() if reader.entry(key).kind == "artifact"}

    def _piece(self, instance: Instance, inputs: dict[str, str | None], element: str | None, is_map: bool) -> Piece:
        node = self.nodes[instance.node.name]
        kind = node.kind
        assert kind is not None
        seed = None
        if kind.draws:
            seed = action_seed(instance.seed, kind.facts.kind, instance.round, element)
        action = Action(
            kind=kind.facts.kind,
            version=kind.facts.version,
            function=kind.label,
            code=kind.code,
            params=node.params,
            inputs=inputs,
            element=element,
            seed=seed,
            threads=node.threads,
            packages={**kind.packages, "python": ".".join(platform.python_version_tuple()[:2])},
            is_map=is_map,
        )
        return Piece(element, action_key(action), action)

    def _digest_of(self, source: Source, wanted: Input) -> str:
        taken = {key: self._taken(label, source.entry) for key, label in source.labels.items()}
        if not source.is_rounds:
            return taken[""][0]
        entries = [Entry(key, "artifact", *pair) for key, pair in taken.items()]
        item = item_type(wanted.type)
        assert item is not None  # a source of rounds fits collections only: graph.rounds
        return put_collection(self.store, type_name(item), entries)[0]

    def _taken(self, label: str, entry: str | None) -> tuple[str, int]:
        output = self.outputs[label]
        if entry is None:
            return output, self.store.manifests.size(output)
        *outer, last = entry.split("/")  # an entry's part: `update[8]/weights` of a stored run
        for key in outer:
            output = self.store.reader(output).entry(key).digest
        taken = self.store.reader(output).entry(last)
        return taken.digest, taken.size


def put_collection(store: Store, item: str, entries: list[Entry]) -> tuple[str, int]:
    """Write the collection of stored artifacts of type `item`; return its digest and manifest size."""
    from store.artifact import Writer
    from store.collection import PREFIX

    return store.manifests.put(PREFIX + item, [*entries, *Writer(store).entries()])


def prepare_params(spec: Spec, names: set[str]) -> dict[str, NodeSpec]:
    """Return the named nodes with params that can enter a key. Raises SpecError with every one that cannot."""
    mistakes = Mistakes(str(spec.path))
    nodes = {}
    for name, node in spec.nodes.items():
        if name in names:
            nodes[name] = msgspec.structs.replace(node, params=digest_externals(node, mistakes))
    mistakes.raise_any()
    return nodes


def digest_externals(node: NodeSpec, mistakes: Mistakes) -> msgspec.Struct:
    """Return a node's params, Externals with the digest of their content; note what cannot enter a key."""
    changed: dict[str, Any] = {}
    for field in msgspec.structs.fields(node.params):
        value = getattr(node.params, field.name)
        try:
            if is_external(field.type) and isinstance(value, External):
                value = changed[field.name] = External(value.path, digest_path(value.path))
            canonical(value)
        except OSError as error:
            what = error.strerror.lower() if error.strerror else str(error)
            mistakes.add(f"nodes.{node.name}", f"params.{field.encode_name} = '{value.path}'", what)
        except UnkeyableError as error:
            mistakes.add(f"nodes.{node.name}", f"params.{field.encode_name}", str(error))
    return msgspec.structs.replace(node.params, **changed)


def digest_path(path: Path) -> str:
    """Return the content digest of a file, or of a folder's relative names and contents."""
    if not path.is_dir():
        return digest(path.read_bytes())
    files = sorted(inner for inner in path.rglob("*") if inner.is_file())
    listing = [(inner.relative_to(path).as_posix(), digest(inner.read_bytes())) for inner in files]
    return digest(msgspec.json.encode(listing))


def item_name(kind: Kind) -> str:
    """Return the type name of one entry of a map's output."""
    return type_name(kind.output)
