"""Lookup: what one instance's actions are once its inputs are known, and which of them are records already."""

from __future__ import annotations

import functools
import itertools
import platform
from collections.abc import Iterator
from typing import Any

import msgspec

from graph.action import Action, ActionKeys, action_seed, canonical
from graph.distributions import versions
from graph.errors import UnkeyableError
from graph.externals import digest_external
from graph.kinds import Input
from graph.node import External
from graph.params import Mistakes, fields_of, named_in
from graph.registry import find_code
from graph.rest import NONE, Lost, inherit, lost_partners
from graph.rounds import Instance, Source
from graph.shipping import put_source
from graph.spec import NodeSpec, Spec
from graph.stored import find_stored, fit_stored
from graph.task import Call
from store.errors import StoreError, Unacceptable
from store.manifest import Entry
from store.many import many
from store.open import Store, item_type, type_name
from store.records import Record

AT_ONCE = 64  # elements of a map that are looked up side by side in shared stores
PYTHON = ".".join(platform.python_version_tuple()[:2])


class Work:
    """What an instance comes to: its action as a whole and, for a map, a call an element.

    `params` are the node's, Externals digested. `zipped` names the collections of which an element sees its own entry;
    they are opened when elements are asked for: a map that is found whole never needs them. `partners`
    says what was lost of them.
    """

    def __init__(
        self,
        store: Store,
        instance: Instance,
        params: msgspec.Struct,
        action: Action,
        zipped: dict[str, str | None],
        partners: dict[str, Lost],
    ) -> None:
        assert instance.node.kind is not None
        self.instance = instance
        self.label = instance.label
        self.kind = instance.node.kind
        self.params = params
        self.action = action
        self.key = ActionKeys(action).key(action.inputs, None, action.seed)
        self._store = store
        self._zipped = zipped
        self._partners = partners
        self._entries: dict[str, dict[str, str]] | None = None

    @property
    def total(self) -> int:
        """How many elements there are to look up or run; 0 for a whole node."""
        return len(self._opened()[self.kind.facts.each]) - len(self.lost) if self.kind.facts.each else 0

    @functools.cached_property
    def lost(self) -> Lost:
        """The elements that are left out: what they would read was lost, which is not to be taken for absent."""
        if not self._partners:
            return {}
        entries = self._opened()
        driving = entries[self.kind.facts.each or ""]
        found = ((element, by, name) for name, lost in self._partners.items() for element, by in lost.items())
        return {element: by for element, by, name in found if element in driving and element not in entries[name]}

    def calls(self) -> Iterator[Call]:
        """Yield what there is to look up or run: one call an element, in the order of their ids, or the whole node."""
        if not self.action.is_map:
            yield Call(None, self.key, self.action.seed, self.action.inputs)
            return
        keys = ActionKeys(msgspec.structs.replace(self.action, is_map=False))
        entries = self._opened()
        for element in entries[self.kind.facts.each or ""]:
            if element in self.lost:
                continue
            inputs = {**self.action.inputs, **{name: own.get(element) for name, own in entries.items()}}
            seed = self._seed(element)
            yield Call(element, keys.key(inputs, element, seed), seed, inputs)

    def _opened(self) -> dict[str, dict[str, str]]:
        """Return input name -> element -> digest of its entry."""
        if self._entries is None:
            opened = {name: self._store.reader(one).artifacts() if one else {} for name, one in self._zipped.items()}
            for name, entries in opened.items():
                strange = [key for key in entries if "/" in key or key == "zarr.json"]
                if strange:  # what is made of it would be no collection
                    raise Unacceptable(f"input {name}: entry {strange[0]!r} is in no collection")
            self._entries = opened
        return self._entries

    def _seed(self, element: str) -> int | None:
        if not self.kind.draws:
            return None
        return action_seed(self.instance.seed, self.kind.facts.kind, self.instance.round, element)


class Lookup:
    """Forms keys and finds records for the instances of one spec.

    `outputs` and `sizes` (of manifests, in bytes) hold what is known so far, by label, at first the stored artifacts
    that stand for nodes; `lost` what an output lacks since an element failed that may; `rests` the maps of which
    only the rest is wanted, with what that lacks in words; `damaged` the keys whose output
    is there, but not whole; `asked` all keys that were looked up.
    Raises:
        SpecError: an External's path cannot be read, a param cannot enter a key, a stored artifact is of another type.
        NotFoundError: an artifact that the spec names is not in the store.
    """

    def __init__(self, spec: Spec, store: Store, instances: dict[str, Instance]) -> None:
        self.store = store
        if store.tiers is not None:
            store.tiers.read_ahead(spec.experiment.name)
        self.outputs: dict[str, str] = {}
        self.sizes: dict[str, int] = {}
        self.lost: dict[str, Lost] = {}
        self.rests: dict[str, list[str]] = {}
        self.damaged: set[str] = set()
        self.asked: set[str] = set()
        self.stored: dict[str, str] = {}
        self._params = prepare_params(spec, instances)
        self._packages: dict[int, dict[str, str]] = {}
        self._sources: dict[tuple[str, ...], str] = {}
        self.instances = instances
        for label, instance in instances.items():
            if instance.node.kind is None:
                name = instance.node.artifact or ""
                self.stored[name] = found = self.stored.get(name) or find_stored(spec, store, instance.node)
                self.learn(label, found)
        self.instances = fit_stored(spec, store, instances, self.outputs)

    def learn(self, label: str, output: str, size: int | None = None, lost: Lost = NONE) -> None:
        """Take note of what an instance gave, and of elements that were lost in it."""
        self.lost[label] = {**inherit(self.instances[label], self.lost), **lost}
        self.outputs[label] = output
        self.sizes[label] = self.store.manifests.size(output) if size is None else size

    def work(self, instance: Instance, is_whole: bool = True) -> Work:
        """Return the action of an instance; the outputs of all that it reads must be known.

        Unless `is_whole`: then its inputs are left absent, and `plan` sees what else of it has changed.
        """
        kind = instance.node.kind
        assert kind is not None
        inputs: dict[str, str | None] = dict.fromkeys(kind.inputs)
        for name, source in instance.sources.items() if is_whole else ():
            inputs[name] = self._digest_of(source, kind.inputs[name])
        seed = action_seed(instance.seed, kind.facts.kind, instance.round, None) if kind.draws else None
        params = self._params[id(instance.node)]
        action = Action(
            kind=kind.facts.kind,
            version=kind.facts.version,
            code=kind.code,
            params=params,
            inputs=inputs,
            element=None,
            seed=seed,
            threads=instance.node.threads,
            packages=self._packages_of(instance.node),
            is_map=kind.facts.each is not None,
        )
        zipped = {name: inputs[name] for name, source in instance.sources.items() if source.is_zipped}
        return Work(
            self.store, instance, params, action, zipped, lost_partners(instance, self.lost) if is_whole else {}
        )

    def _packages_of(self, node: NodeSpec) -> dict[str, str]:
        """Return the versions that count: of what the kind reaches, and of what objects reach that its params name."""
        if id(node) not in self._packages:
            assert node.kind is not None
            codes = [find_code(*named.target.split(":")) for named in named_in(self._params[id(node)])]
            named = versions(tuple(name for code in codes for name in code.foreign), ())
            self._packages[id(node)] = {**named, **node.kind.packages, "python": PYTHON}
        return self._packages[id(node)]

    def find_whole(self, work: Work) -> Record | None:
        """Return the record of a node, of a map as a whole. One that leaves elements out has none: its inputs alone
        do not say that these were lost."""
        return None if work.lost else self.find(work.key)

    def find(self, key: str) -> Record | None:
        """Return the record of an action if its output is there too, whole, here or in a shared store."""
        self.asked.add(key)
        try:
            return self.store.find(key)
        except StoreError:
            self.damaged.add(key)
            return None

    def record(self, key: str) -> Record | None:
        """Return the record of an action, whether its output is there or not."""
        record = self.store.records.find(key)
        return self.store.tiers.find(key) if record is None and self.store.tiers else record

    def find_calls(self, work: Work, is_forced: bool = False) -> Iterator[tuple[Call, Record | None]]:
        """Yield the calls of a map with their records; of shared stores they are asked for many at a time."""
        at_once = AT_ONCE if self.store.tiers else 1
        calls = work.calls()
        while some := list(itertools.islice(calls, at_once)):
            if is_forced:
                yield from ((call, None) for call in some)
            elif len(some) == 1:
                yield some[0], self.find(some[0].key)
            else:
                yield from zip(some, many(self.find, [call.key for call in some]))

    @functools.cached_property
    def source(self) -> str:
        """The digest of the artifact that holds the project source of all nodes, written when it is first asked for."""
        codes = {
            instance.node.kind.code: instance.node.kind.closure
            for instance in self.instances.values()
            if instance.node.kind
        }
        for params in self._params.values():
            codes.update((named.code, find_code(*named.target.split(":"))) for named in named_in(params))
        return put_source(self.store, [code for code in codes.values() if code is not None])

    def _digest_of(self, source: Source, wanted: Input) -> str:
        if not source.is_rounds:
            return self._taken(source.labels[""], source.entry)[0]
        taken = {key: self._taken(label, source.entry) for key, label in source.labels.items()}
        entries = [Entry(key, "artifact", *pair) for key, pair in taken.items()]
        item = item_type(wanted.type)
        assert item is not None  # a source of rounds fits collections only: graph.rounds
        return put_collection(self.store, type_name(item), entries)[0]

    def _taken(self, label: str, entry: str | None) -> tuple[str, int]:
        output = self.outputs[label]
        if entry is None:
            return output, self.sizes[label]
        *outer, last = entry.split("/")  # an entry's part: `update[8]/weights` of a stored run
        for key in outer:
            output = self.store.reader(output).artifact_entry(key).digest
        taken = self.store.reader(output).artifact_entry(last)
        return taken.digest, taken.size


def put_collection(store: Store, item: str, entries: list[Entry]) -> tuple[str, int]:
    """Write the collection of stored artifacts of type `item`; return its digest and manifest size."""
    from store.artifact import Writer
    from store.collection import PREFIX

    return store.manifests.put(PREFIX + item, [*entries, *Writer(store).entries()])


def prepare_params(spec: Spec, instances: dict[str, Instance]) -> dict[int, msgspec.Struct]:
    """Return the params of every node in use, by its `id`, fit to enter a key. Raises SpecError with all that cannot.

    Instances of many rounds share one NodeSpec, those with overrides have their own.
    """
    mistakes = spec.mistakes()
    prepared: dict[int, msgspec.Struct] = {}
    for instance in instances.values():
        if id(instance.node) not in prepared:
            prepared[id(instance.node)] = digest_externals(instance.node, mistakes)
    mistakes.raise_any()
    return prepared


def digest_externals(node: NodeSpec, mistakes: Mistakes) -> msgspec.Struct:
    """Return a node's params, Externals with the digest of their content; note what cannot enter a key."""
    changed: dict[str, Any] = {}
    for field in fields_of(type(node.params)).values():
        value = getattr(node.params, field.name)
        try:
            if isinstance(value, External):
                value = changed[field.name] = digest_external(value)
            canonical(value)
        except OSError as error:
            what = error.strerror.lower() if error.strerror else str(error)
            mistakes.add(f"nodes.{node.name}", f"params.{field.encode_name} = '{value.path}'", what)
        except UnkeyableError as error:
            mistakes.add(f"nodes.{node.name}", f"params.{field.encode_name}", str(error))
    return msgspec.structs.replace(node.params, **changed) if changed else node.params
