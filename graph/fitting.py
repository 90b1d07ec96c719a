"""Fitting: the references of an input beside the nodes that they name: borders of loop and variants, and types."""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from graph.errors import nearest
from graph.kinds import Input
from graph.params import Mistakes
from graph.reference import Reference
from store.artifact import Artifact
from store.collection import PREFIX
from store.open import item_type, type_name

if TYPE_CHECKING:
    from graph.spec import NodeSpec, Spec


class Link(msgspec.Struct, frozen=True):
    """One alternative of an input, fitted to what it names."""

    reference: Reference
    entry: str | None
    is_zipped: bool


def links_of(
    spec: Spec, node: NodeSpec, name: str, inside: set[str], over: set[str], mistakes: Mistakes
) -> Iterator[Link]:
    """Yield the alternatives of an input, fitted; all are checked, also those that no round takes."""
    assert node.kind is not None  # an artifact has no inputs: graph.node_table
    where, wanted, alternatives = f"nodes.{node.name}", node.kind.inputs[name], node.inputs[name]
    has_turns = all(item.turn == "-1" and item.node in inside for item in alternatives)
    if node.name in inside and not wanted.is_optional and has_turns:
        text = " | ".join(map(str, alternatives))
        mistakes.add(where, f"inputs.{name} = {text!r}", "is absent in round 1: add `| other`")
    for reference in alternatives:
        try:
            _check_border(node, reference, inside, over)
            if reference.turn == "variants" and not (spec.variants or spec.variant):
                raise ValueError("the spec has no [variants]")
            gives = spec.nodes[reference.node].kind
            if gives is None:  # a stored artifact: graph.stored knows its type
                yield Link(reference, reference.entry, wanted.is_mapped)
                continue
            is_rounds = reference.turn in ("all", "past", "variants")
            entry, is_zipped = fit(gives.gives, wanted, reference.entry, is_rounds)
            if name == node.kind.facts.each and not is_zipped:
                raise ValueError(f"gives one {_text(wanted.type)}, expected a collection of them to map over")
            yield Link(reference, entry, is_zipped and not is_rounds)
        except ValueError as error:
            mistakes.add(where, f"inputs.{name} = {str(reference)!r}", str(error))


def _check_border(node: NodeSpec, reference: Reference, inside: set[str], over: set[str]) -> None:
    """Raise ValueError for a reference that crosses the border of the loop, or of the variants, the wrong way."""
    is_plain = reference.turn is None and reference.node not in inside - over
    if node.name in over and reference.turn != "variants" and not is_plain:
        outside = "of a node outside the loop"
        raise ValueError(
            f"{node.name!r} is there once for all variants, expected name[variants] or the plain name {outside}"
        )
    if reference.turn == "variants" and reference.node in over:
        raise ValueError(f"{reference.node!r} is there once for all variants: expected its plain name")
    if reference.turn is None:
        return
    if reference.turn in ("last", "all") and node.name in inside:
        raise ValueError(f"[{reference.turn}] is for nodes outside the loop, expected [-1] or [past]")
    if reference.turn == "variants":
        if reference.node in inside:
            raise ValueError(f"{reference.node!r} is inside the loop, [variants] is for nodes outside")
    elif reference.node not in inside:
        expected = "it has no earlier round" if reference.turn in ("-1", "past") else "expected its plain name"
        raise ValueError(f"{reference.node!r} is outside the loop: {expected}")


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
