"""Origins: the artifacts that an artifact was made from, as the records tell: inputs, their inputs, and so on.

A run says which action gave what; where it does not (a name, a digest, what a spec took from the store), all records of
the store are read once. What was deleted since, or came without its record, ends the search on that side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from graph.exchange import Opened
from store.artifact import Artifact
from store.collection import PREFIX
from store.errors import StoreError
from store.numbered import NUMBER
from store.open import Store, type_name
from store.records import decode_record

A = TypeVar("A", bound=Artifact)


class Origins:
    """What some artifact was made from, nearest first.

    Args:
        digest: the artifact.
        keys: output -> action key, of the run that gave it; may be empty.
    """

    def __init__(self, store: Store, digest: str, keys: Mapping[str, str]) -> None:
        self._store, self._keys = store, keys
        self._by_output: dict[str, list[str]] | None = None
        self._wholes: dict[str, list[str]] = {}
        self._found = list(dict.fromkeys(self._walk(digest)))

    def find(self, cls: type[A]) -> Mapping[str, Artifact]:
        """Return those of a type: entries of collections by their keys, any other as "", the nearest of each."""
        name, digests = type_name(cls), dict[str, str]()
        for origin in self._found:
            try:
                reader = self._store.reader(origin)
                found = {"": origin} if reader.type == name else {}
                if reader.type == PREFIX + name:
                    found = reader.artifacts()
            except StoreError:  # gone since
                continue
            for key, inner in found.items():
                digests.setdefault(key, inner)
        return Opened(self._store, cls, digests)

    def _walk(self, start: str) -> Iterator[str]:
        edge, seen = [start], {start}
        while edge:
            inputs = list(dict.fromkeys(inner for output in edge for inner in self._inputs(output)))
            edge = [inner for inner in inputs if inner not in seen]
            seen.update(edge)
            yield from edge

    def _inputs(self, output: str) -> Iterable[str]:
        key = self._keys.get(output)
        record = self._store.records.find(key) if key else None
        if record is not None and output not in _digests(record.action):  # else one that changed nothing hides another
            return _digests(record.action)
        if self._by_output is None:
            self._by_output = self._read_all()
            self._wholes = dict(self._parts(self._by_output))
        if any(inner != output for inner in self._by_output.get(output, ())):
            return self._by_output[output]
        return self._wholes.get(output) or self._inputs_of_rest(output, self._by_output)

    def _inputs_of_rest(self, output: str, by_output: Mapping[str, list[str]]) -> list[str]:
        """Return what a collection without a record was made from, a map of which elements failed, by its elements'.

        These name what each read: the entry of a collection that has it for all of them stands for that collection.
        """
        rest = self._collection(output)
        read = {key: set(by_output.get(inner, ())) for key, inner in rest.items()}
        if not rest or not all(read.values()):
            return []
        found = set.intersection(*read.values()) if len(read) > 1 else set()  # what every element read whole
        for other in dict.fromkeys([*self._keys, *by_output]):
            held = self._collection(other) if other != output else {}
            if all(held.get(key) in own for key, own in read.items()):
                found.add(other)
        return sorted(found)

    def _collection(self, digest: str) -> Mapping[str, str]:
        """Return the entries of a collection; {} of anything else, or where it is gone."""
        try:
            reader = self._store.reader(digest)
            return reader.artifacts() if reader.type.startswith(PREFIX) else {}
        except StoreError:
            return {}

    def _parts(self, outputs: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
        """Yield what stands inside an output as a part of it, with that output: readers name the part alone."""
        for output in outputs:
            try:
                reader = self._store.reader(output)
                if not reader.type.startswith(PREFIX):
                    yield from ((inner, [output]) for inner in reader.artifacts().values())
            except StoreError:  # gone since
                continue

    def _read_all(self) -> dict[str, list[str]]:
        """Return output -> inputs of this store's own records, those of a map as a whole among them."""
        inputs: dict[str, list[str]] = {}
        for found in self._store.objects.walk("actions"):
            *_, key, signer, number = found.name.split("/")
            if signer == "local" and NUMBER.fullmatch(number):
                payload = self._store.records.numbered.read(f"{key[:2]}/{key}/local", int(number))
                record = decode_record(payload) if payload is not None else None
                if record is not None:
                    inputs.setdefault(record.output, []).extend(_digests(record.action))
        return inputs


def _digests(action: Mapping[str, object]) -> list[str]:
    inputs = action.get("inputs")
    values = inputs.values() if isinstance(inputs, Mapping) else ()
    return [value for value in values if isinstance(value, str)]
