"""Agreement: params that several nodes of a spec hold must say the same, so that what is measured is what is trained.

A Struct in params names the fields that must agree, `agree: ClassVar[tuple[str, ...]] = ("template",)`: all nodes that
hold a Struct of that type, wherever in their params, then give equal values there; of a round with params of its own,
all nodes inside the loop. A node whose table says `agrees = false` is left out: a warm-up in another form, say.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from graph.action import canonical
from graph.params import Mistakes, as_written, fields_of

if TYPE_CHECKING:
    from graph.spec import NodeSpec, Spec

Held = dict[tuple[type, str], list[tuple[str, str, Any]]]  # type, field -> table, key, value of each that holds it


def check_agreement(spec: Spec, inside: Collection[str], mistakes: Mistakes) -> None:
    """Note where nodes of a spec, a variant resolved, do not agree. `inside` are the names of those inside the loop."""
    told = _check(((f"nodes.{name}", node) for name, node in spec.nodes.items()), mistakes, set())
    for number, changed in spec.rounds.items():
        effective = {name: node for name, node in spec.nodes.items() if name in inside}
        tables = {name: f"nodes.{name}" for name in effective}
        for name, params in changed.items():
            effective[name] = msgspec.structs.replace(spec.nodes[name], params=params)
            tables[name] = f"rounds.{number}.nodes.{name}"
        _check(((tables[name], node) for name, node in effective.items()), mistakes, told)


def _check(
    nodes: Iterable[tuple[str, NodeSpec]], mistakes: Mistakes, told: set[tuple[type, str]]
) -> set[tuple[type, str]]:
    """Note what differs from what most say, a line each; return the fields of which that has been told."""
    held: Held = {}
    for table, node in nodes:
        for key, value in _agreeing(node.params, "params") if node.agrees else ():
            for name in type(value).agree:  # type: ignore[attr-defined]
                place = table, f"{key}.{_written_name(type(value), name)}", as_written(getattr(value, name))
                held.setdefault((type(value), name), []).append(place)
    for which in [which for which in held if which not in told]:
        places = held[which]
        said = [canonical(value) for _, _, value in places]
        usual = max(said, key=said.count)
        table, _, value = places[said.index(usual)]
        expected = f"[{table}] has {value!r}, expected the same in both (`agrees = false` lets a node differ)"
        for (other, key, value), own in zip(places, said):
            if own != usual:
                mistakes.add(other, f"{key} = {value!r}", expected)
                told = told | {which}
    return told


def _written_name(cls: type[msgspec.Struct], name: str) -> str:
    return next(key for key, field in fields_of(cls).items() if field.name == name)


def _agreeing(value: msgspec.Struct, key: str) -> Iterator[tuple[str, msgspec.Struct]]:
    """Yield the Structs in params that name fields which must agree, with the keys at which they stand."""
    if isinstance(getattr(type(value), "agree", None), tuple):  # else it is a field of that name
        yield key, value
    for name, field in fields_of(type(value)).items():
        inner = getattr(value, field.name)
        if isinstance(inner, msgspec.Struct):
            yield from _agreeing(inner, f"{key}.{name}")
