"""The rest: what is left of a map whose elements may fail, and which elements its readers must not take for absent.

A lost element is in no collection below: a map that zips a collection without it leaves it out, too, instead of running
it with an input absent. A node that reads a collection whole and gives one passes on what was lost before it: nobody
can tell whether it would have given that element.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import TYPE_CHECKING

from store.artifact import Artifact
from store.open import item_type

if TYPE_CHECKING:
    from graph.rounds import Instance

Lost = Mapping[str, str]  # element -> the instance that failed on it
NONE: Lost = {}
LISTED = 10  # elements of one map that the terminal names; all are in the run's events


def inherit(instance: Instance, known: Mapping[str, Lost]) -> Lost:
    """Return what an instance's output lacks since it was lost before; of a map, since what it maps over lacks it.

    Args:
        known: what each instance's output lacks.
    """
    kind = instance.node.kind
    if kind is None:
        return NONE
    gives = typing.cast(type[Artifact], kind.gives)
    if all(item_type(given) is None for given in (gives, *gives.parts.values())):
        return NONE
    each = kind.facts.each
    sources = [source for name, source in instance.sources.items() if each in (None, name)]
    lost: dict[str, str] = {}
    for label in (label for source in sources for label in source.labels.values()):
        lost.update(known.get(label, NONE))
    return lost


def lost_partners(instance: Instance, known: Mapping[str, Lost]) -> dict[str, Lost]:
    """Return, by zipped input, what it lacks since it was lost; inputs that lack nothing are left out."""
    zipped = {name: source for name, source in instance.sources.items() if source.is_zipped}
    found = {name: known.get(source.labels[""], NONE) for name, source in zipped.items()}
    return {name: lost for name, lost in found.items() if lost}


def lost_lines(label: str, lost: Lost) -> list[str]:
    """Return a line for each of the first elements that a map leaves out since others lost them."""
    lines = [f"node {label} left out {element!r}, since {by} failed on it" for element, by in lost.items()]
    return lines[:LISTED] + ([f"node {label} left out {len(lines) - LISTED} more"] if len(lines) > LISTED else [])
