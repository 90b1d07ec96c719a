"""Comparison: the table of variants at the end of a run: what each sets, and which facts came out differently.

The facts are the numbers that the artifacts of the last nodes tell of themselves, those that no node reads; of a node
inside the loop, its last round's. Where one has no numbers to tell but reads rounds, those tell theirs. Variants that
differ in the experiment's seed alone are one row: mean and standard deviation over the seeds.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graph.rounds import Instance, unroll_variants
from graph.sharing import Shared
from graph.spec import Spec
from graph.variants import ARM, Variant
from store.open import Store

MAX_KEYS = 4  # of arms, that have columns
SEED = ("experiment", "seed")


def variant_table(spec: Spec, store: Store, outputs: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Return a header and a row a variant, or one for all seeds of it; nothing for a spec without variants.

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
    keys = _telling_keys(variants)
    seed = _seed_axis(variants[0])
    if seed is not None:
        keys.remove(seed)
        variants, facts = _over_seeds(variants, facts, seed)
    has_arms = ARM in variants[0].axes
    header = (*(("variant",) if has_arms else ()), *keys, *(_shorten(differing)))
    rows = [
        (
            *((variant.axes[ARM],) if has_arms else ()),
            *(variant.texts.get(key, "") for key in keys),
            *(row.get(name, "") for name in differing),
        )
        for variant, row in zip(variants, facts)
    ]
    return [header, *rows]


def _seed_axis(variant: Variant) -> str | None:
    """Return the axis of the experiment's seed, if there are others beside it."""
    grid = [axis for axis in variant.axes if axis != ARM]
    axis = dict(zip(variant.settings, grid)).get(SEED)  # the grid's keys come first
    return axis if len(variant.axes) > 1 else None


def _over_seeds(
    variants: list[Variant], facts: list[dict[str, str]], seed: str
) -> tuple[list[Variant], list[dict[str, str]]]:
    """Return the variants of one seed, with what the facts of all seeds come to: `0.412 ± 0.013 (3)`."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for n, variant in enumerate(variants):
        groups.setdefault(tuple(text for axis, text in variant.axes.items() if axis != seed), []).append(n)
    summed = []
    for members in groups.values():
        names = dict.fromkeys(name for n in members for name in facts[n])
        held = {name: [facts[n][name] for n in members if name in facts[n]] for name in names}
        summed.append({name: _mean_text(texts) for name, texts in held.items()})
    return [variants[members[0]] for members in groups.values()], summed


def _mean_text(texts: list[str]) -> str:
    values = [float(text.split()[0]) for text in texts]  # of an interval, what it is about
    if len(values) < 2:
        return texts[0]
    return f"{_round(statistics.mean(values))} ± {_round(statistics.stdev(values))} ({len(values)})"


def _telling_keys(variants: list[Variant]) -> list[str]:
    """Return the keys that have columns: the grid's, and those of arms unless they are many; then their names do."""
    grid = [axis for axis in variants[0].axes if axis != ARM]
    keys = list(dict.fromkeys(key for variant in variants for key in variant.texts))
    return keys if len(keys) - len(grid) <= MAX_KEYS else grid


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
    return {f"{instance.node.name}.{name}": " ".join(map(_round, values)) for name, values in numbers_of(summary)}


def numbers_of(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Sequence[float]]]:
    """Yield what is a number, or a short list of numbers, in tables and tables in them, by dotted name."""
    for key, value in facts.items():
        if isinstance(value, Mapping):
            yield from numbers_of(value, f"{prefix}{key}.")
        elif _is_number(value):
            yield f"{prefix}{key}", [value]
        elif isinstance(value, (list, tuple)) and 0 < len(value) <= 3 and all(map(_is_number, value)):
            yield f"{prefix}{key}", value


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
