"""Sharing: the instances of all variants together, those that are equal in several of them once.

Two instances are equal if their nodes are, their seeds where one is drawn, and all that they read. What all variants
share carries no variant in its label; a label has the arms and the grid's keys that make a difference to it.
"""

from __future__ import annotations

import math
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
    """Return, for the instances that one label has in all variants (None: not in this one), what tells them apart.

    One that is there for some choices on one axis, whatever those on others, is told by choices: `a+b,seed=7`.
    """
    if len(set(numbers)) == 1 and numbers[0] is not None:
        return {numbers[0]: ""}
    telling = _telling_axes(variants, numbers)
    held: dict[int, list[tuple[str, ...]]] = {}
    for variant, number in zip(variants, numbers):
        place = tuple(variant.axes[axis] for axis in telling)
        if number is not None and place not in held.setdefault(number, []):
            held[number].append(place)
    known = [len({variant.axes[axis] for variant in variants}) for axis in telling]
    return {number: _join(places, known) for number, places in held.items()}


def _join(places: list[tuple[str, ...]], known: list[int]) -> str:
    """Return some places on the telling axes as text; `known` is how many choices each axis has."""
    choices = [list(dict.fromkeys(axis)) for axis in zip(*places)]
    if math.prod(map(len, choices)) > len(places):
        return "+".join(map(",".join, places))
    return ",".join("+".join(chosen) for chosen, n in zip(choices, known) if len(chosen) < n)


def _telling_axes(variants: list[Variant], numbers: list[int | None]) -> list[str]:
    """Return the axes on which a step leads to another instance."""
    telling = []
    for axis in variants[0].axes:
        groups: dict[tuple[str, ...], set[int | None]] = {}
        for variant, number in zip(variants, numbers):
            others = tuple(text for other, text in variant.axes.items() if other != axis)
            groups.setdefault(others, set()).add(number)
        if any(len(group) > 1 for group in groups.values()):
            telling.append(axis)
    return telling


def _rename(instance: Instance, labels: dict[str, str], variant: str) -> Instance:
    sources = {
        name: msgspec.structs.replace(source, labels={key: labels[up] for key, up in source.labels.items()})
        for name, source in instance.sources.items()
    }
    label = label_of(instance.node.name, instance.round, variant)
    return msgspec.structs.replace(instance, label=label, sources=sources, variant=variant)
