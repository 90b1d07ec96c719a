"""Comparison: the table of variants at the end of a run: what each sets, and which facts came out differently.

The facts are the numbers that the artifacts of the last nodes tell of themselves, those that no node reads; of a node
inside the loop, its last round's. Where one has no numbers to tell but reads rounds, those tell theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graph.rounds import Instance, unroll_variants
from graph.sharing import Shared
from graph.spec import Spec
from graph.variants import Variant
from store.open import Store


def variant_table(spec: Spec, store: Store, outputs: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Return a header and a row a variant; nothing for a spec without variants.

    Args:
        outputs: label -> digest, of the whole spec; what is not there stays blank.
    """
    if not spec.variants:
        return []
    shared = unroll_variants(spec)
    variants = [whole.variant for whole in spec.variants.values() if whole.variant is not None]
    facts = [_read_facts(store, shared, variant, outputs) for variant in variants]
    names = dict.fromkeys(name for row in facts for name in row)
    differing = [name for name in names if len({row.get(name) for row in facts}) > 1]
    keys = list(dict.fromkeys(key for variant in variants for key in variant.texts))
    is_grid = variants[0].is_grid
    header = (*(() if is_grid else ("variant",)), *keys, *(_shorten(differing)))
    rows = [
        (
            *(() if is_grid else (variant.name,)),
            *(variant.texts.get(key, "") for key in keys),
            *(row.get(name, "") for name in differing),
        )
        for variant, row in zip(variants, facts)
    ]
    return [header, *rows]


def _read_facts(store: Store, shared: Shared, variant: Variant, outputs: Mapping[str, str]) -> dict[str, str]:
    instances = {label: shared.instances[label] for label in shared.labels[variant.name].values()}
    read = {instances[label].node.name for instance in instances.values() for label in instance.upstream()}
    last = {instance.node.name: instance for instance in sorted(instances.values(), key=lambda each: each.round or 0)}
    facts: dict[str, str] = {}
    for instance in (instance for name, instance in last.items() if name not in read):
        own = _facts(store, instance, outputs)
        if not own:  # a report, say: then the newest of the rounds that it reports on
            for source in instance.sources.values():
                if source.is_rounds and source.labels:
                    own |= _facts(store, instances[list(source.labels.values())[-1]], outputs)
        facts |= own
    return facts


def _facts(store: Store, instance: Instance, outputs: Mapping[str, str]) -> dict[str, str]:
    if instance.node.kind is None or instance.label not in outputs:
        return {}
    summary: dict[str, Any] = store.open(outputs[instance.label], instance.node.kind.gives).summary()
    return {f"{instance.node.name}.{name}": text for name, text in _numbers(summary)}


def _numbers(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield what is a number, or a short list of numbers, in tables and tables in them."""
    for key, value in facts.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{key}.")
        elif _is_number(value):
            yield f"{prefix}{key}", _round(value)
        elif isinstance(value, (list, tuple)) and 0 < len(value) <= 3 and all(map(_is_number, value)):
            yield f"{prefix}{key}", " ".join(map(_round, value))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _round(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _shorten(names: list[str]) -> list[str]:
    """Return dotted names without what all of them begin with, but for the last table's name: `accuracy.overall`."""
    parts = [name.split(".") for name in names]
    shared = 0
    while parts and all(len(own) > shared + 1 and own[shared] == parts[0][shared] for own in parts):
        shared += 1
    return [".".join(own[max(shared - 1, min(shared, 1)) :]) for own in parts]
