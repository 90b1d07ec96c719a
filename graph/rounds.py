"""Unrolling: a spec's nodes to instances, one a round inside the loop, every reference resolved and type-checked.

A node is inside the loop if it reads a `[-1]` or a `[past]`, or reads by plain name a node that is inside. The number
of rounds changes which instances there are and nothing about any of them.
"""

from __future__ import annotations

import graphlib
import typing

import msgspec

from graph.errors import nearest
from graph.kinds import Input
from graph.params import Mistakes
from graph.reference import Reference
from graph.spec import NodeSpec, Spec
from store.artifact import Artifact
from store.collection import PREFIX
from store.open import item_type, type_name


class Source(msgspec.Struct, frozen=True):
    """What fills one input: an instance, or one of every listed round; `entry` picks a part of each.

    `is_zipped`: under `each`, the element sees its own entry only.
    """

    labels: dict[str, str]
    is_rounds: bool
    entry: str | None
    is_zipped: bool


class Instance(msgspec.Struct, frozen=True):
    """One use of a node: `qa[2]`, or `rooms` outside the loop. An input that is absent has no source.

    `seed` is the node's, else its experiment's.
    """

    label: str
    node: NodeSpec
    round: int | None
    seed: int
    sources: dict[str, Source]
    variant: str = ""

    def upstream(self) -> set[str]:
        """Return the labels of the instances that it reads."""
        return {label for source in self.sources.values() for label in source.labels.values()}


def unroll(spec: Spec) -> dict[str, Instance]:
    """Return the instances of a spec by label, producers before consumers.

    Raises:
        SpecError: references across the loop's border, types that do not fit, cycles; all of them.
    """
    mistakes = Mistakes(str(spec.path))
    inside = find_inside(spec)
    instances = {}
    for node in spec.nodes.values():
        for round in range(1, spec.experiment.rounds + 1) if node.name in inside else [None]:
            instance = _unroll_one(spec, node, round, inside, mistakes)
            instances[instance.label] = instance
    mistakes.lines = list(dict.fromkeys(mistakes.lines))  # a mistake is told once, not once a round
    mistakes.raise_any()
    order = _sort(instances, mistakes)
    return {label: instances[label] for label in order}


def find_inside(spec: Spec) -> set[str]:
    """Return the names of the nodes inside the loop."""
    inside: set[str] = set()
    while True:
        found = {
            node.name
            for node in spec.nodes.values()
            for alternatives in node.inputs.values()
            for reference in alternatives
            if reference.turn in ("-1", "past") or (reference.turn is None and reference.node in inside)
        }
        if found <= inside:
            return inside
        inside |= found


def label_of(name: str, round: int | None) -> str:
    """Return what an instance is called: `qa[2]`, or the plain name outside the loop."""
    return name if round is None else f"{name}[{round}]"


def round_key(round: int) -> str:
    """Return a round's key in a collection of rounds: four digits, so that keys sort as rounds do."""
    return f"{round:04d}"


def _unroll_one(spec: Spec, node: NodeSpec, round: int | None, inside: set[str], mistakes: Mistakes) -> Instance:
    sources = {}
    for name, alternatives in node.inputs.items():
        assert node.kind is not None  # an artifact has no inputs: graph.spec
        place = Mistakes(mistakes.file)
        reference = _choose(alternatives, round)
        if reference is None and not node.kind.inputs[name].is_optional:
            text = " | ".join(str(alternative) for alternative in alternatives)
            place.add(f"nodes.{node.name}", f"inputs.{name} = {text!r}", "is absent in round 1: add `| other`")
        for alternative in alternatives:  # all are checked, also those that this round does not take
            _check_border(node, name, alternative, inside, place)
            source = None if place.lines else _source(spec, node, name, alternative, round, inside, place)
            if source is not None and alternative is reference:
                sources[name] = source
        mistakes.lines += place.lines
    seed = spec.experiment.seed if node.seed is None else node.seed
    return Instance(label_of(node.name, round), node, round, seed, sources)


def _choose(alternatives: tuple[Reference, ...], round: int | None) -> Reference | None:
    """Return the first alternative that is there: a `[-1]` is absent in round 1."""
    present = (alternative for alternative in alternatives if alternative.turn != "-1" or round != 1)
    return next(present, None)


def _check_border(node: NodeSpec, name: str, reference: Reference, inside: set[str], mistakes: Mistakes) -> None:
    where, what = f"nodes.{node.name}", f"inputs.{name} = {str(reference)!r}"
    is_inside = reference.node in inside
    if reference.turn in ("-1", "past") and not is_inside:
        mistakes.add(where, what, f"{reference.node!r} is outside the loop: it has no earlier round")
    if reference.turn in ("last", "all") and node.name in inside:
        mistakes.add(where, what, f"[{reference.turn}] is for nodes outside the loop, expected [-1] or [past]")
    if reference.turn in ("last", "all") and not is_inside:
        mistakes.add(where, what, f"{reference.node!r} is outside the loop: expected its plain name")


def _source(
    spec: Spec,
    node: NodeSpec,
    name: str,
    reference: Reference,
    round: int | None,
    inside: set[str],
    mistakes: Mistakes,
) -> Source | None:
    assert node.kind is not None
    wanted = node.kind.inputs[name]
    producer = spec.nodes[reference.node]
    gives = producer.kind.gives if producer.kind else None
    is_rounds = reference.turn in ("all", "past")
    entry, is_zipped = reference.entry, False
    if gives is not None:
        try:
            entry, is_zipped = fit(gives, wanted, entry, is_rounds)
            if name == node.kind.facts.each and not is_zipped:
                raise ValueError(f"gives one {_text(wanted.type)}, expected a collection of them to map over")
        except ValueError as error:
            mistakes.add(f"nodes.{node.name}", f"inputs.{name} = {str(reference)!r}", str(error))
            return None
    else:
        is_zipped = wanted.is_mapped
    if is_rounds:
        last = spec.experiment.rounds if reference.turn == "all" else (round or 1) - 1
        labels = {round_key(turn): label_of(reference.node, turn) for turn in range(1, last + 1)}
        return Source(labels, True, entry, False)
    turn = {None: round, "-1": (round or 1) - 1, "last": spec.experiment.rounds}[reference.turn]
    label = label_of(reference.node, turn if reference.node in inside else None)
    return Source({"": label}, False, entry, is_zipped)


def fit(gives: type[Artifact], wanted: Input, entry: str | None, is_rounds: bool) -> tuple[str | None, bool]:
    """Fit what a producer gives to what an input wants.

    Where the input wants a type that is one of the given artifact's parts, the part is taken (`update` for
    `update.weights`).
    Returns:
        The entry to take of each given artifact, and whether the input is zipped.
    Raises:
        ValueError: they do not fit; the text says what is given and what is expected.
    """
    if entry is not None:
        item = item_type(gives)
        if item is None and entry not in gives.parts:
            known = ", ".join(gives.parts) or "none"
            raise ValueError(f"{_text(gives)} has no part {entry!r}{nearest(entry, gives.parts)}; parts: {known}")
        gives = item or gives.parts[entry]
    target = wanted.type
    if is_rounds:
        item = item_type(target)
        if item is None:
            raise ValueError(f"gives one {_text(gives)} a round, expected {_text(target)}")
        target = item
    # By name, as the store does: two copies of a file declare the same types.
    if _text(gives) == _text(target):
        return entry, False
    if wanted.is_mapped and _text(gives) == PREFIX + _text(target):
        return entry, True
    parts = [part for part, cls in gives.parts.items() if _text(cls) == _text(target)] if entry is None else []
    if len(parts) == 1:
        return parts[0], False
    raise ValueError(f"gives {_text(gives)}, expected {_text(target)}")


def _text(cls: type) -> str:
    return type_name(typing.cast(type[Artifact], cls))


def _sort(instances: dict[str, Instance], mistakes: Mistakes) -> list[str]:
    # Sorted, since the order of a set of texts differs from process to process.
    order = graphlib.TopologicalSorter({label: sorted(instance.upstream()) for label, instance in instances.items()})
    try:
        return list(order.static_order())
    except graphlib.CycleError as error:
        mistakes.add("nodes", " -> ".join(reversed(error.args[1])), "reads itself: a cycle")
        mistakes.raise_any()
        raise
