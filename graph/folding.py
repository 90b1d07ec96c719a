"""Folding: rows that say the same of several rounds, or variants, of a node are told as one.

probe[1..20]    selected@uniform[1..3,5..20]    update@12 variants[2..20]
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping

import msgspec

from graph.labels import label_of, split_label

NAMED = re.compile(r"([A-Za-z][\w-]*)(?:@[^\[\]\s]*[^\[\]\s,;])?\[([0-9]+)\]")


class Row(msgspec.Struct, frozen=True):
    """One row: what it is called, and the labels that it stands for, in their order."""

    label: str
    members: list[str]


def fold(said: Mapping[str, Hashable]) -> list[Row]:
    """Return the rows of instances, in the order of their first members.

    Args:
        said: label -> what its row says.
    """
    rounds: dict[tuple[str, str, Hashable], list[str]] = {}  # node, variant, what it says -> labels
    for label, says in said.items():
        node, variant, round = split_label(label)
        rounds.setdefault((node, variant, (round is None, says)), []).append(label)
    variants: dict[tuple[str, str, Hashable], list[list[str]]] = {}  # node, rounds, what it says -> labels by variant
    for (node, _, says), labels in rounds.items():
        variants.setdefault((node, rounds_text(map(round_of, labels)), says), []).append(labels)
    rows = []
    for (node, ending, _), held in variants.items():
        variant = split_label(held[0][0])[1] if len(held) == 1 else f"{len(held)} variants"
        rows.append(Row(label_of(node, None, variant) + ending, [label for labels in held for label in labels]))
    return rows


def round_of(label: str) -> int | None:
    """Return the round of an instance, None outside the loop."""
    return split_label(label)[2]


def rounds_text(rounds: Iterable[int | None]) -> str:
    """Return rounds as labels end: `[3]`, `[1..3,5]`; empty outside the loop."""
    spans: list[list[int]] = []
    for round in sorted(one for one in rounds if one is not None):
        if spans and round <= spans[-1][1] + 1:
            spans[-1][1] = round
        else:
            spans.append([round, round])
    texts = [str(first) if first == last else f"{first}..{last}" for first, last in spans]
    return f"[{','.join(texts)}]" if texts else ""


def relative(text: str, round: int | None) -> str:
    """Return what is said of an instance, with labels in it as a spec refers to them: `update[6]` as `update[-1]`."""

    def refer(found: re.Match[str]) -> str:
        name, other = found[1], int(found[2])
        return name if other == round else f"{name}[-1]" if other + 1 == round else f"{name}[{other}]"

    return NAMED.sub(refer, text)


def span_text(texts: Iterable[str]) -> str:
    """Return what several rows have in one column: the same text, else the least and the greatest number."""
    found = list(dict.fromkeys(texts))
    if len(found) > 1 and all(text.isdigit() for text in found if text):
        numbers = sorted(int(text) for text in found if text)
        found = [f"{numbers[0]}..{numbers[-1]}" if numbers[0] != numbers[-1] else str(numbers[0])]
    return found[0] if len(found) == 1 else ""
