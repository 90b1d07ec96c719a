"""The overview of a spec as boxes and arrows, for whoever draws it: one box a node, or one an instance."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

import msgspec

from graph.folding import relative, rounds_text
from graph.labels import label_of, split_label
from graph.rounds import Instance, find_inside, unroll
from graph.spec import NodeSpec, Spec

STATES = ("will run", "may run", "hit")  # a box of several instances has the first that one of them has


class Box(msgspec.Struct, frozen=True):
    """A node or an instance. `state` is "" where no plan is known, `group` "" outside the loop."""

    name: str
    kind: str
    state: str
    group: str
    is_stored: bool


class Arrow(msgspec.Struct, frozen=True):
    """What a box reads: `turn` is -1, past, last, all, "" for plain names; `is_back` if it leads back in the loop."""

    source: str
    target: str
    turn: str
    is_back: bool


class Overview(msgspec.Struct, frozen=True):
    """All boxes in the order of the spec, and all arrows."""

    boxes: list[Box]
    arrows: list[Arrow]


def show_nodes(spec: Spec, states: Mapping[str, str]) -> Overview:
    """Return a box a node; the loop is one group.

    Args:
        states: label of an instance -> hit, will run or may run; empty if there is no plan.
    """
    inside, last = find_inside(spec), spec.experiment.rounds
    loop = f"rounds 1–{last}" if last > 1 else "round 1"
    by_node: dict[str, set[str]] = {}
    for label, state in states.items():
        by_node.setdefault(split_label(label)[0], set()).add(state)
    boxes = [
        _box(node.name, node, by_node.get(node.name, ()), loop if node.name in inside else "")
        for node in spec.nodes.values()
    ]
    arrows = [
        Arrow(reference.node, node.name, reference.turn or "", reference.turn in ("-1", "past"))
        for node in spec.nodes.values()
        for alternatives in node.inputs.values()
        for reference in alternatives
    ]
    return Overview(boxes, list(dict.fromkeys(arrows)))


def show_instances(spec: Spec, states: Mapping[str, str]) -> Overview:
    """Return a box an instance, of all rounds and variants; every round is a group, or several that are alike."""
    instances = unroll(spec)
    spans = _alike_rounds(instances, states)
    names = {
        label: label_of(instance.node.name, None, instance.variant) + rounds_text(spans.get(instance.round, ()))
        for label, instance in instances.items()
    }
    boxes = {
        names[label]: _box(
            names[label],
            instance.node,
            {states[label]} if label in states else (),
            _told(spans[instance.round]) if instance.round else "",
        )
        for label, instance in instances.items()
    }
    arrows = []
    for label, instance in instances.items():
        for source in instance.sources.values():
            for read in source.labels.values():
                is_same = spans.get(instances[read].round) == spans.get(instance.round)
                is_back = is_same and instances[read].round != instance.round
                turn = ("past" if source.is_rounds else "-1") if is_back else ""
                arrows.append(Arrow(names[read], names[label], turn, is_back))
    return Overview(list(boxes.values()), list(dict.fromkeys(arrows)))


def _alike_rounds(instances: Mapping[str, Instance], states: Mapping[str, str]) -> dict[int | None, range]:
    """Return the rounds that each round is drawn with: neighbours with the same states that read the same of others."""
    said: dict[int, list[tuple]] = {}
    for label, instance in instances.items():
        if instance.round is not None:
            reads = {
                (name, source.is_rounds or relative(read, instance.round))
                for name, source in instance.sources.items()
                for read in source.labels.values() or ("",)
            }
            mine = instance.node.name, instance.variant, states.get(label, ""), frozenset(reads)
            said.setdefault(instance.round, []).append(mine)
    spans: dict[int | None, range] = {}
    for _, group in itertools.groupby(sorted(said), key=lambda round: frozenset(said[round])):
        rounds = list(group)
        spans.update(dict.fromkeys(rounds, range(rounds[0], rounds[-1] + 1)))
    return spans


def _told(rounds: range) -> str:
    return f"round {rounds[0]}" if len(rounds) == 1 else f"rounds {rounds[0]}–{rounds[-1]}"


def _box(name: str, node: NodeSpec, states: Iterable[str], group: str) -> Box:
    state = next((state for state in STATES if state in states), "")
    return Box(name, node.artifact or node.kind_name.rpartition("/")[2], state, group, node.kind is None)
