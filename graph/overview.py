"""The overview of a spec as boxes and arrows, for whoever draws it: one box a node, or one an instance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from graph.labels import split_label
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
    """Return a box an instance, of all rounds and variants; every round is a group."""
    instances = unroll(spec)
    boxes = [
        _box(label, instance.node, {states[label]} if label in states else (), _round_of(instance))
        for label, instance in instances.items()
    ]
    arrows = [
        Arrow(read, label, "", False)
        for label, instance in instances.items()
        for source in instance.sources.values()
        for read in source.labels.values()
    ]
    return Overview(boxes, list(dict.fromkeys(arrows)))


def _box(name: str, node: NodeSpec, states: Iterable[str], group: str) -> Box:
    state = next((state for state in STATES if state in states), "")
    return Box(name, node.artifact or node.kind_name.rpartition("/")[2], state, group, node.kind is None)


def _round_of(instance: Instance) -> str:
    return "" if instance.round is None else f"round {instance.round}"
