"""Labels: what instances are called, and which of them a person means.

    rooms    qa[2]    selected@low=0.1    selected@low=0.1[2]    update@small+large[2]

After `@` stands the variant, or as much of it as makes a difference to this instance; none for what all variants share,
several names joined by `+` for what only these share: `selected@uniform+band,seed=7[2]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

LABEL = re.compile(r"([A-Za-z][\w-]*)(?:@([^\[\]]+))?(?:\[([0-9]+)\])?")


def label_of(name: str, round: int | None, variant: str = "") -> str:
    """Return what an instance is called."""
    return f"{name}{f'@{variant}' if variant else ''}{'' if round is None else f'[{round}]'}"


def round_key(round: int) -> str:
    """Return a round's key in a collection of rounds: four digits, so that keys sort as rounds do."""
    return f"{round:04d}"


def split_label(label: str) -> tuple[str, str, int | None]:
    """Return node, variant and round of a label: "" and None where it has none."""
    match = LABEL.fullmatch(label)
    if match is None:
        return label, "", None
    return match[1], match[2] or "", int(match[3]) if match[3] else None


def find_labels(asked: str, labels: Iterable[str]) -> tuple[list[str], str]:
    """Return the labels that a person asks for, in order, and the entry that is named behind: `qa[2].scene0011_00`.

    A node's name alone means all its rounds and variants; a variant may be named whole or in part. None: no label.
    """
    known = {label: split_label(label) for label in labels}
    end = len(asked)
    while end > 0:  # the longest that names a label, since variants hold dots too: low=0.1
        node, variant, round = split_label(asked[:end])
        found = [label for label, own in known.items() if own[0] == node and round in (None, own[2])]
        exact = [label for label in found if known[label][1] == variant]
        found = exact if variant and exact else [label for label in found if _matches(variant, known[label][1])]
        if found:
            return found, asked[end + 1 :]
        end = asked.rfind(".", 0, end)
    return [], ""


def _matches(asked: str, variant: str) -> bool:
    wanted = set(filter(None, asked.split(",")))
    choices = [{text, *text.split("+")} for text in variant.split(",") if text]
    return all(any(one in own for own in choices) for one in wanted) or all(wanted & own for own in choices)
