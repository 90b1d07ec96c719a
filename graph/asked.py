"""What a person asks for: `qa`, `qa[2]`, `qa --round 2`, `selected@low=0.1`, `scenes.scene0011_00`."""

from __future__ import annotations

from collections.abc import Collection

from graph.change import listed
from graph.errors import NotFoundError, nearest
from graph.labels import find_labels, split_label


def find_asked(asked: str, labels: Collection[str], round: int | None, where: str) -> tuple[list[str], str]:
    """Return the labels that are meant, by round, and the entry behind them ("" for none).

    Args:
        labels: those of a run or of a spec; `where` says which, for errors.
    Raises:
        NotFoundError: there is none, or none of that round.
    """
    found, entry = find_labels(asked, labels)
    if not found:
        raise NotFoundError(f"{where} has no node {asked!r}{suggest(asked, labels)}")
    chosen = [label for label in found if round is None or split_label(label)[2] == round]
    if not chosen:
        raise NotFoundError(f"{where} has no {asked}[{round}]: it has {', '.join(found)}")
    return sorted(chosen, key=lambda label: split_label(label)[2] or 0), entry


def suggest(asked: str, labels: Collection[str]) -> str:
    """Return what may have been meant by what stands for no label: its other rounds, else the nearest name."""
    others = [label for label in labels if label.partition("[")[0] == asked.partition("[")[0]]
    if others:
        return f": it has {listed(others, 9)}"
    return nearest(asked, {name for label in labels for name in (split_label(label)[0], label.partition("[")[0])})


def one_variant(labels: list[str], where: str) -> list[str]:
    """Return the labels if they are all of one variant. Raises NotFoundError that names the variants."""
    variants = sorted({label.partition("[")[0] for label in labels})
    if len(variants) > 1:
        raise NotFoundError(f"{where} has variants, ask for one of {', '.join(variants)}")
    return labels
