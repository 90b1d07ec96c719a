"""Unrolling: a spec's nodes to instances, one a round inside the loop, every reference resolved and type-checked.

A node is inside the loop if it reads a `[-1]` or a `[past]`, or reads by plain name a node that is inside. The number
of rounds changes which instances there are and nothing about any of them. Params of `[rounds.n]` are those of round n's
instance alone: what later rounds see of them is what they read.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterator

import msgspec

from graph.errors import nearest
from graph.kinds import Input
from graph.labels import label_of, round_key
from graph.params import Mistakes
from graph.reference import Reference
from graph.sharing import Shared, share
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

    `node` has the params that hold in this round and variant; `seed` is the node's, else its experiment's.
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


class Link(msgspec.Struct, frozen=True):
    """One alternative of an input, fitted to what it names."""

    reference: Reference
    entry: str | None
    is_zipped: bool


def unroll(spec: Spec) -> dict[str, Instance]:
    """Return the instances of a spec by label, producers before consumers; of all its variants, if it has any.

    Raises:
        SpecError: references across the loop's border, types that do not fit, cycles; all of them.
    """
    alone = _unroll_alone(spec)
    return unroll_variants(spec).instances if spec.variants else alone


def unroll_variants(spec: Spec) -> Shared:
    """Return the instances of all variants, with what each variant calls them. Raises SpecError."""
    unrolled = []
    for whole in spec.variants.values():
        assert whole.variant is not None
        unrolled.append((whole.variant, _unroll_alone(whole)))
    return share(unrolled)


def find_inside(spec: Spec) -> set[str]:
    """Return the names of the nodes inside the loop."""
    readers: dict[str, list[str]] = {}
    inside = set()
    for node in spec.nodes.values():
        for alternatives in node.inputs.values():
            for reference in alternatives:
                if reference.turn is None:
                    readers.setdefault(reference.node, []).append(node.name)
                elif reference.turn in ("-1", "past"):
                    inside.add(node.name)
    waiting = list(inside)
    while waiting:
        found = [reader for reader in readers.get(waiting.pop(), ()) if reader not in inside]
        inside.update(found)
        waiting += found
    return inside


def _unroll_alone(spec: Spec) -> dict[str, Instance]:
    mistakes = spec.mistakes()
    inside = find_inside(spec)
    for number, nodes in spec.rounds.items():
        for name in nodes.keys() - inside:
            mistakes.add(f"rounds.{number}.nodes.{name}", "", f"{name!r} is outside the loop: it has no rounds")
    last = spec.experiment.rounds
    instances = {}
    for node in spec.nodes.values():
        links = {name: list(_link(spec, node, name, inside, mistakes)) for name in node.inputs}
        seed = spec.experiment.seed if node.seed is None else node.seed
        for round in range(1, last + 1) if node.name in inside else (None,):
            own = spec.rounds.get(round or 0, {}).get(node.name)
            effective = node if own is None else msgspec.structs.replace(node, params=own)
            sources = {}
            for name, alternatives in links.items():
                link = next((link for link in alternatives if link.reference.turn != "-1" or round != 1), None)
                if link is not None:
                    sources[name] = _source(link, round, last, inside)
            label = label_of(node.name, round)
            instances[label] = Instance(label, effective, round, seed, sources)
    mistakes.raise_any()
    order = _sort(instances, mistakes)
    return {label: instances[label] for label in order}


def _link(spec: Spec, node: NodeSpec, name: str, inside: set[str], mistakes: Mistakes) -> Iterator[Link]:
    """Yield the alternatives of an input, fitted; all are checked, also those that no round takes."""
    assert node.kind is not None  # an artifact has no inputs: graph.node_table
    where, wanted, alternatives = f"nodes.{node.name}", node.kind.inputs[name], node.inputs[name]
    has_turns = all(item.turn == "-1" and item.node in inside for item in alternatives)
    if node.name in inside and not wanted.is_optional and has_turns:
        text = " | ".join(map(str, alternatives))
        mistakes.add(where, f"inputs.{name} = {text!r}", "is absent in round 1: add `| other`")
    for reference in alternatives:
        try:
            _check_border(node, reference, inside)
            gives = spec.nodes[reference.node].kind
            if gives is None:  # a stored artifact: graph.stored knows its type
                yield Link(reference, reference.entry, wanted.is_mapped)
                continue
            is_rounds = reference.turn in ("all", "past")
            entry, is_zipped = fit(gives.gives, wanted, reference.entry, is_rounds)
            if name == node.kind.facts.each and not is_zipped:
                raise ValueError(f"gives one {_text(wanted.type)}, expected a collection of them to map over")
            yield Link(reference, entry, is_zipped and not is_rounds)
        except ValueError as error:
            mistakes.add(where, f"inputs.{name} = {str(reference)!r}", str(error))


def _check_border(node: NodeSpec, reference: Reference, inside: set[str]) -> None:
    """Raise ValueError for a reference that crosses the loop's border the wrong way."""
    if reference.turn is None:
        return
    if reference.turn in ("last", "all") and node.name in inside:
        raise ValueError(f"[{reference.turn}] is for nodes outside the loop, expected [-1] or [past]")
    if reference.node not in inside:
        expected = "it has no earlier round" if reference.turn in ("-1", "past") else "expected its plain name"
        raise ValueError(f"{reference.node!r} is outside the loop: {expected}")


def _source(link: Link, round: int | None, last: int, inside: set[str]) -> Source:
    name, turn = link.reference.node, link.reference.turn
    if turn in ("all", "past"):
        rounds = range(1, last + 1 if turn == "all" else round or 1)
        return Source({round_key(n): label_of(name, n) for n in rounds}, True, link.entry, False)
    if turn == "last":
        round = last
    elif turn == "-1":
        round = (round or 1) - 1
    return Source({"": label_of(name, round if name in inside else None)}, False, link.entry, link.is_zipped)


@functools.cache
def fit(gives: type[Artifact], wanted: Input, entry: str | None, is_rounds: bool) -> tuple[str | None, bool]:
    """Fit what a producer gives to what an input wants.

    Where the input wants a type that is one of the given artifact's parts, the part is taken (`update` for
    `update.weights`); under `each`, also the one that is a collection of it.
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
    for wish, is_zipped in ((_text(target), False), (PREFIX + _text(target), True)):
        parts = [part for part, cls in gives.parts.items() if _text(cls) == wish] if entry is None else []
        if len(parts) == 1 and (wanted.is_mapped or not is_zipped):
            return parts[0], is_zipped
    raise ValueError(f"gives {_text(gives)}, expected {_text(target)}")


def _text(cls: type) -> str:
    return type_name(typing.cast(type[Artifact], cls))


def _sort(instances: dict[str, Instance], mistakes: Mistakes) -> list[str]:
    """Return the labels, producers before consumers, else in the order that they have."""
    reads = {label: instance.upstream() for label, instance in instances.items()}
    readers: dict[str, list[str]] = {label: [] for label in instances}
    for label, upstream in reads.items():
        for read in upstream:
            readers[read].append(label)
    waits = {label: len(upstream) for label, upstream in reads.items()}
    order = [label for label, count in waits.items() if not count]
    for label in order:  # grows
        for reader in readers[label]:
            waits[reader] -= 1
            if not waits[reader]:
                order.append(reader)
    if len(order) < len(instances):
        path = [next(label for label, count in waits.items() if count)]
        while path[-1] not in path[:-1]:  # whatever waits reads something that waits, so this meets itself
            path.append(min(read for read in reads[path[-1]] if waits[read]))
        cycle = path[path.index(path[-1]) :]
        mistakes.add("nodes", " -> ".join(reversed(cycle)), "reads itself: a cycle")
        mistakes.raise_any()
    return order
