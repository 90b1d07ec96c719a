"""Stored artifacts that stand for nodes: `artifact = "pools/indoor-v3"`, a ref or a digest.

What type they are is known only here, with the store at hand; so their fit to the inputs that read them is checked
here too, before anything runs.
"""

from __future__ import annotations

import typing

import msgspec

from graph.errors import NotFoundError, nearest
from graph.kinds import Input
from graph.rounds import Instance, Source
from graph.spec import NodeSpec, Spec
from store.artifact import Artifact
from store.collection import PREFIX
from store.digest import is_digest
from store.errors import StoreError
from store.open import Store, type_name


def find_stored(spec: Spec, store: Store, node: NodeSpec) -> str:
    """Return the digest that `artifact =` names. Raises NotFoundError."""
    name = node.artifact or ""
    found = name if is_digest(name) else store.resolve(name)
    if found is None or not (store.manifests.keep(found) or store.has(found)):
        near = why_absent(store, name) or nearest(name, list_names(store))
        raise NotFoundError(f"{spec.path}: [nodes.{node.name}] artifact = {name!r}: not in this store{near}")
    return found


def why_absent(store: Store, name: str) -> str:
    """Return why a name that shared stores may have is not known; "" if they have said that they have it not."""
    if store.tiers is None:
        return ""
    failed = [tier.failure for tier in store.tiers.all if tier.failure]
    return "".join(f": {why}" for why in [store.tiers.refused.get(name), *failed] if why)


def list_names(store: Store) -> list[str]:
    """Return all ref names of a store and of the shared ones behind it."""
    walked = [found.name for found in store.objects.walk("refs")]
    for tier in store.tiers.working if store.tiers else ():
        with tier.tolerated():
            walked += [found.name for found in tier.objects.walk("refs")]
    return sorted({name.removeprefix("refs/").rpartition("/")[0] for name in walked})


def fit_stored(spec: Spec, store: Store, instances: dict[str, Instance], stored: dict[str, str]) -> dict[str, Instance]:
    """Return the instances, each source that reads a stored artifact fitted to the type that this really has.

    Args:
        stored: label of a node that stands for an artifact -> digest.
    Raises:
        SpecError: all that do not fit.
    """
    mistakes = spec.mistakes()
    fitted = {}
    for label, instance in instances.items():
        sources = dict(instance.sources)
        for name, source in instance.sources.items():
            digest = stored.get(source.labels.get("", ""))
            kind = instance.node.kind
            if digest is None or kind is None:
                continue
            try:
                entry, is_zipped = _fit(store, digest, source, kind.inputs[name], name == kind.facts.each)
                sources[name] = msgspec.structs.replace(source, entry=entry, is_zipped=is_zipped)
            except (ValueError, StoreError) as error:
                mistakes.add(f"nodes.{instance.node.name}", f"inputs.{name}", str(error))
        fitted[label] = msgspec.structs.replace(instance, sources=sources)
    mistakes.raise_any()
    return fitted


def _fit(store: Store, digest: str, source: Source, wanted: Input, is_driving: bool) -> tuple[str | None, bool]:
    reader = store.reader(digest)
    if source.entry is not None:
        if not reader.has(source.entry):
            known = nearest(source.entry, reader.artifacts())
            raise ValueError(f"{reader.type} {digest[:12]} has no entry {source.entry!r}{known}")
        reader = store.reader(reader.artifact_entry(source.entry).digest)
    expected = type_name(typing.cast(type[Artifact], wanted.type))
    if reader.type == expected and not is_driving:
        return source.entry, False
    if reader.type == PREFIX + expected and wanted.is_mapped:
        return source.entry, True
    if not reader.type.startswith(PREFIX) and not is_driving:
        entries = [key for key in reader.keys() if reader.entry(key).kind == "artifact"]
        parts = [key for key in entries if store.reader(reader.entry(key).digest).type == expected]
        if len(parts) == 1:
            return "/".join([*([source.entry] if source.entry else []), parts[0]]), False
    raise ValueError(f"gives {reader.type}, expected {PREFIX if is_driving else ''}{expected}")
