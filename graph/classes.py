"""The Python types of stored artifacts: a manifest only names its type, kinds declare the class of that name."""

from __future__ import annotations

import contextlib
import tomllib
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path

from graph.errors import KindError
from graph.events import Event
from graph.kinds import Kind, find_kind
from graph.labels import split_label
from graph.registry import registered
from graph.runs import Root
from graph.spec import Spec
from store.artifact import Artifact
from store.collection import PREFIX, Collection
from store.open import Store, item_type, type_name


def find_class(name: str, kinds: Iterable[Kind]) -> type[Artifact] | None:
    """Return the class of a stored type, among what these kinds take and give; None if none of them knows it."""
    item = name.removeprefix(PREFIX)
    for kind in kinds:
        types = [kind.output, *(wanted.type for wanted in kind.inputs.values())]
        for cls in types:  # which grows by what stands inside
            types += [part for part in getattr(item_type(cls) or cls, "parts", {}).values() if part not in types]
            if type_name(cls) == item:
                return Collection[cls] if name != item else cls  # type: ignore[valid-type]
            if type_name(cls) == PREFIX + item:
                return cls if name != item else typing.get_args(cls)[0]
    return None


def known_kinds(spec: Spec | None) -> list[Kind]:
    """Return the kinds that a spec and its variants use, then all that are registered."""
    named = kinds_of(spec) if spec is not None else []
    for name in registered():
        with contextlib.suppress(KindError):
            named.append(find_kind(name, Path()))
    return named


def kinds_of(spec: Spec) -> list[Kind]:
    """Return the kinds that a spec and its variants use."""
    return [node.kind for one in (spec, *spec.variants.values()) for node in one.nodes.values() if node.kind]


def likely_kinds(store: Store, root: Root, event: Event) -> Iterator[Kind]:
    """Yield the kind that gave an instance's output, then all others that are registered; each is imported only when
    it is asked for."""
    record = store.records.find(event.key) if event.key else None
    with contextlib.suppress(KindError, tomllib.TOMLDecodeError, KeyError, TypeError):
        if record is not None and record.action["kind"] in registered():
            yield find_kind(record.action["kind"], Path())
        else:  # a kind of a file: the spec names that
            node = tomllib.loads(root.text)["nodes"][split_label(event.label)[0]]
            yield find_kind(node["kind"], Path(root.spec).parent.absolute())
    for name in registered():
        with contextlib.suppress(KindError):
            yield find_kind(name, Path())
