"""Sharing: the instances of all variants together, those that are equal in several of them once.

Two instances are equal if their nodes are, their seeds where one is drawn, and all that they read. What all variants
share carries no variant in its label; of a grid's keys, a label has those that make a difference to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from graph.labels import label_of
from graph.task import encode_params
from graph.variants import Variant

if TYPE_CHECKING:
    from graph.rounds import Instance


class Shared(msgspec.Struct, frozen=True):
    """The instances of all variants by label, and by variant: its own label of an instance -> the shared one."""

    instances: dict[str, Instance]
    labels: dict[str, dict[str, str]]


def share(variants: Sequence[tuple[Variant, dict[str, Instance]]]) -> Shared:
    """Put the instances of variants together; each dict has producers before consumers, and so has the result."""
    numbers: dict[Any, int] = {}  # what an instance is -> its number
    placed: list[dict[str, int]] = []  # by variant: own label -> number
    for _, instances in variants:
        own: dict[str, int] = {}
        for label, instance in instances.items():
            own[label] = numbers.setdefault(_identity(instance, own), len(numbers))
        placed.append(own)
    texts: dict[int, str] = {}
    for label in dict.fromkeys(label for own in placed for label in own):
        texts.update(_variant_texts([variant for variant, _ in variants], [own.get(label) for own in placed]))
    shared = Shared({}, {})
    for (variant, instances), own in zip(variants, placed):
        labels = shared.labels[variant.name] = {
            label: label_of(instance.node.name, instance.round, texts[own[label]])
            for label, instance in instances.items()
        }
        for label, instance in instances.items():
            if labels[label] not in shared.instances:
                shared.instances[labels[label]] = _rename(instance, labels, texts[own[label]])
    return shared


def _identity(instance: Instance, own: dict[str, int]) -> tuple[Any, ...]:
    """Return what makes an instance what it is; `own` numbers all that it reads."""
    node = instance.node
    sources = [
        (name, source.is_rounds, source.entry, source.is_zipped, *((key, own[up]) for key, up in source.labels.items()))
        for name, source in sorted(instance.sources.items())
    ]
    return (
        node.name,
        instance.round,
        node.artifact or node.kind_name,
        encode_params(node.params),
        instance.seed if node.kind is not None and node.kind.draws else None,
        (node.threads, node.retries, node.timeout, node.may_fail, *sorted(node.resources.items())),
        *sources,
    )


def _variant_texts(variants: list[Variant], numbers: list[int | None]) -> dict[int, str]:
    """Return, for the instances that one label has in all variants (None: not in this one), what tells them apart."""
    if len(set(numbers)) == 1 and numbers[0] is not None:
        return {numbers[0]: ""}
    telling = _telling_keys(variants, numbers)
    texts: dict[int, list[str]] = {}
    for variant, number in zip(variants, numbers):
        text = ",".join(f"{key}={variant.texts[key]}" for key in telling) or variant.name
        if number is not None and text not in texts.setdefault(number, []):
            texts[number].append(text)
    return {number: "+".join(own) for number, own in texts.items()}


def _telling_keys(variants: list[Variant], numbers: list[int | None]) -> list[str]:
    """Return the keys of a grid by which the instances differ; none for variants that have names of their own."""
    if not variants[0].is_grid:
        return []
    telling = []
    for key in variants[0].texts:
        groups: dict[tuple[str, ...], set[int | None]] = {}
        for variant, number in zip(variants, numbers):
            others = tuple(text for other, text in variant.texts.items() if other != key)
            groups.setdefault(others, set()).add(number)
        if any(len(group) > 1 for group in groups.values()):
            telling.append(key)
    return telling


def _rename(instance: Instance, labels: dict[str, str], variant: str) -> Instance:
    sources = {
        name: msgspec.structs.replace(source, labels={key: labels[up] for key, up in source.labels.items()})
        for name, source in instance.sources.items()
    }
    label = label_of(instance.node.name, instance.round, variant)
    return msgspec.structs.replace(instance, label=label, sources=sources, variant=variant)
