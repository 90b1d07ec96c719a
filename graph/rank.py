"""Ranks: which of several instances that are ready goes first.

By rounds; in a round, whoever has the longest way to the end before it (list scheduling by levels: Hu 1961, every
instance taken to last as long). What no later round waits for, an evaluation say, may lag a round where something else
can run beside it: so the next round begins at once, and nothing is put off till the end of the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graph.rounds import Instance

Rank = tuple[int, int]  # the smallest goes first


def rank_instances(instances: dict[str, Instance], lag: int) -> dict[str, Rank]:
    """Return the rank of every instance.

    Args:
        instances: by label, producers before consumers.
        lag: rounds by which what no later round waits for may be late.
    """
    ways = dict.fromkeys(instances, 0)  # label -> instances on the longest way to an end
    latest = {label: instance.round or 0 for label, instance in instances.items()}  # round that it leads to
    for label in reversed(instances):
        for read in instances[label].upstream():
            ways[read] = max(ways[read], ways[label] + 1)
            latest[read] = max(latest[read], latest[label])
    last = max(latest.values(), default=0)  # of which nothing may be late
    ranks = {}
    for label, instance in instances.items():
        round = instance.round or 0
        ranks[label] = round + (lag if latest[label] == round < last else 0), -ways[label]
    return ranks
