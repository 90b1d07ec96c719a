"""References: how a node's input names what it reads.

scenes              the node of that name; inside the loop, its instance of the same round
update[-1] | warmup the round before; in round 1 what follows `|`, else absent
qa[past]            all earlier rounds, as a collection keyed by round
eval[last]          from outside the loop: the last round
eval[all]           from outside the loop: all rounds, as a collection keyed by round
curve[variants]     of a node outside the loop: all variants, as a collection keyed by their names
update.weights      a part of an artifact, or one entry of a collection
"""

from __future__ import annotations

import functools
import re

import msgspec

REFERENCE = re.compile(
    r"(?P<node>[A-Za-z][\w-]*)(?:\[(?P<turn>-1|past|last|all|variants)\])?(?:\.(?P<entry>[^\s|\[\].][^\s|]*))?"
)
EXPECTED = (
    "expected name, name[-1], name[past], name[last], name[all], name[variants] or name.entry; '|' parts alternatives"
)


class Reference(msgspec.Struct, frozen=True):
    """One alternative of an input; `turn` is -1, past, last, all, variants or None for the plain name."""

    node: str
    turn: str | None = None
    entry: str | None = None

    def __str__(self) -> str:
        return f"{self.node}{f'[{self.turn}]' if self.turn else ''}{f'.{self.entry}' if self.entry else ''}"


def parse_reference(text: object) -> tuple[Reference, ...]:
    """Return the alternatives that an input names, in order. Raises ValueError with what was expected."""
    if not isinstance(text, str):
        raise ValueError(EXPECTED)
    return _parse(str(text))


@functools.cache
def _parse(text: str) -> tuple[Reference, ...]:
    alternatives = []
    for piece in text.split("|"):
        match = REFERENCE.fullmatch(piece.strip())
        if match is None:
            raise ValueError(EXPECTED)
        alternatives.append(Reference(match["node"], match["turn"], match["entry"]))
    if any(alternative.turn != "-1" for alternative in alternatives[:-1]):
        raise ValueError("only name[-1] can be absent, so only it can stand before '|'")
    return tuple(alternatives)
