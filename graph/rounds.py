"""Unrolling: a spec's nodes to instances, one a round inside the loop, every reference resolved and type-checked.

A node is inside the loop if it reads a `[-1]` or a `[past]`, or by plain name a node that is inside, or says
`every_round`. One that says `if_read` has an instance where another has it as a source. The number
of rounds changes which instances there are and nothing about any of them. Params of `[rounds.n]` are those of round n's
instance alone: what later rounds see of them is what they read.

A node stands over the variants if it reads a `[variants]`, or by plain name a node that does: it is there once.
"""

from __future__ import annotations

import msgspec

from graph.agreement import check_agreement
from graph.fitting import Link, links_of
from graph.labels import label_of, round_key
from graph.params import Mistakes
from graph.sharing import Shared, share
from graph.spec import NodeSpec, Spec


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


def unroll(spec: Spec) -> dict[str, Instance]:
    """Return the instances of a spec by label, producers before consumers; of all its variants, if it has any.

    Raises:
        SpecError: references across the loop's border, types that do not fit, cycles; all of them.
    """
    alone = _unroll_alone(spec)
    return unroll_variants(spec).instances if spec.variants else alone


def unroll_variants(spec: Spec) -> Shared:
    """Return the instances of all variants, with what each variant calls them. Raises SpecError."""
    _check_over(spec)
    unrolled = []
    for whole in spec.variants.values():
        assert whole.variant is not None
        unrolled.append((whole.variant, _unroll_alone(whole)))
    shared = share(unrolled)
    return msgspec.structs.replace(shared, instances=shared.instances | _unroll_over(spec, shared))


def find_inside(spec: Spec) -> set[str]:
    """Return the names of the nodes inside the loop."""
    return _find_readers(spec, ("-1", "past"), {node.name for node in spec.nodes.values() if node.every_round})


def find_over(spec: Spec) -> set[str]:
    """Return the names of the nodes that stand over the variants."""
    return _find_readers(spec, ("variants",), set())


def _check_over(spec: Spec) -> None:
    """Raise SpecError where a variant sets what a node over the variants is, or that there is one."""
    mistakes, over = spec.mistakes(), find_over(spec)
    keys = {key: None for whole in spec.variants.values() if whole.variant for key in whole.variant.settings}
    for key in keys:
        if key[0] == "nodes" and key[1] in over:
            mistakes.add("variants", ".".join(key), f"{key[1]!r} is there once for all variants")
    for whole in spec.variants.values():
        own = whole.mistakes()
        for name in sorted(find_over(whole) - over):
            own.add(f"nodes.{name}", "", "reads [variants] here and not without variants")
        mistakes.lines += own.lines
    mistakes.raise_any()


def _find_readers(spec: Spec, turns: tuple[str, ...], found: set[str]) -> set[str]:
    """Return the names of `found` and of the nodes that read one of these turns, or by plain name one of them all."""
    readers: dict[str, list[str]] = {}
    for node in spec.nodes.values():
        for alternatives in node.inputs.values():
            for reference in alternatives:
                if reference.turn is None:
                    readers.setdefault(reference.node, []).append(node.name)
                elif reference.turn in turns:
                    found.add(node.name)
    waiting = list(found)
    while waiting:
        more = [reader for reader in readers.get(waiting.pop(), ()) if reader not in found]
        found.update(more)
        waiting += more
    return found


def _unroll_alone(spec: Spec) -> dict[str, Instance]:
    mistakes = spec.mistakes()
    inside, over = find_inside(spec), find_over(spec)
    for number, nodes in spec.rounds.items():
        for name in nodes.keys() - inside:
            mistakes.add(f"rounds.{number}.nodes.{name}", "", f"{name!r} is outside the loop: it has no rounds")
    check_agreement(spec, inside, mistakes)
    last = spec.experiment.rounds
    instances = {}
    for node in spec.nodes.values():
        links = {name: list(links_of(spec, node, name, inside, over, mistakes)) for name in node.inputs}
        if node.name in over:  # there once, whatever varies: _unroll_over
            continue
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
    read = {reference.node for name in over for item in spec.nodes[name].inputs.values() for reference in item}
    return _drop_unread({label: instances[label] for label in order}, read)


def _drop_unread(instances: dict[str, Instance], read: set[str]) -> dict[str, Instance]:
    """Leave out the instances of nodes that say `if_read` and that nothing reads; consumers come after producers.

    Args:
        read: labels that are read from elsewhere; grows.
    """
    kept: dict[str, Instance] = {}
    for label, instance in reversed(instances.items()):
        if label in read or not instance.node.if_read:
            kept[label] = instance
            read |= instance.upstream()
    return dict(reversed(kept.items()))


def _unroll_over(spec: Spec, shared: Shared) -> dict[str, Instance]:
    """Return the instances that stand over the variants. Raises SpecError: one reads by plain name what varies."""
    mistakes, over, instances = spec.mistakes(), find_over(spec), {}
    for node in (node for node in spec.nodes.values() if node.name in over):
        sources = {}
        for name in node.inputs:
            link = next(links_of(spec, node, name, set(), over, mistakes))
            read = link.reference.node
            found = {variant: labels.get(read, read) for variant, labels in shared.labels.items()}
            if link.reference.turn == "variants":
                sources[name] = Source(found, True, link.entry, False)
                continue
            sources[name] = Source({"": next(iter(found.values()))}, False, link.entry, link.is_zipped)
            if len(set(found.values())) > 1:
                mistakes.add(f"nodes.{node.name}", f"inputs.{name} = {read!r}", f"varies, expected {read}[variants]")
        seed = spec.experiment.seed if node.seed is None else node.seed
        instances[node.name] = Instance(node.name, node, None, seed, sources)
    mistakes.raise_any()
    order = _sort(instances, mistakes)
    return _drop_unread({label: instances[label] for label in order}, set())


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


def _sort(instances: dict[str, Instance], mistakes: Mistakes) -> list[str]:
    """Return the labels, producers before consumers, else in the order that they have."""
    reads = {label: instance.upstream() & instances.keys() for label, instance in instances.items()}
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
