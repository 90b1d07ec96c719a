"""Quotas: an integer budget over weights, by largest remainder, within capacities."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)


def largest_remainder(n: int, weights: Mapping[Name, int], order: Sequence[Name]) -> dict[Name, int]:
    """Split n in proportion to weights; left-over units go to the largest remainders, equal ones by `order`.

    Args:
        weights: non-negative integers, not all 0.
        order: the names, in the order in which ties are resolved.
    """
    total = sum(weights[name] for name in order)
    shares = {name: n * weights[name] // total for name in order}
    by_remainder = sorted(order, key=lambda name: -(n * weights[name] % total))
    for name in by_remainder[: n - sum(shares.values())]:
        shares[name] += 1
    return shares


def quotas(n: int, weights: Mapping[Name, int], capacity: Mapping[Name, int], order: Sequence[Name]) -> dict[Name, int]:
    """Split n by weights, within capacities; what a name cannot take goes to the others by the same rule.

    Names of weight 0 take, equally, only what no other can. The sum is min(n, all capacity).

    Example:
        >>> quotas(6, {"a": 1, "b": 1}, {"a": 1, "b": 9}, ["a", "b"])
        {'a': 1, 'b': 5}
    """
    taken = dict.fromkeys(order, 0)
    for names, weigh in ((order, weights), (order, dict.fromkeys(order, 1))):
        while left := n - sum(taken.values()):
            free = [name for name in names if weigh[name] > 0 and taken[name] < capacity[name]]
            if not free:
                break
            for name, share in largest_remainder(left, weigh, free).items():
                taken[name] = min(capacity[name], taken[name] + share)
    return taken
