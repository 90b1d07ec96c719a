"""MindCube's reward of an agent that draws a map and states what follows from it.

    wrong answer                             0
    right answer                             5 + .5 (assertions + map + retrieval), 4.25..6.5
    right, and the question has no true map  5

Each of the three is +1 for what holds and -.5 for what does not, as a mean over its parts:

    assertions  expressions of the scene API in `<assert>..</assert>`, run in the question sandbox over the true map:
                those that are True hold. Distances are in cells; a map has no sizes, frames or area, and what asks for
                them does not hold. The first eight are run; none at all counts as one that does not hold.
    map         pairs of categories of the true map that lie to each other as in the drawn one (left or right, below or
                above, of the means of their cells), for the best of four rotations of it; 0 where there is no pair
    retrieval   categories of the true map that are drawn with the right count

Source: MindCube's agent as a third party describes it; how the three are counted is ours. Its map score is .7 direction
+ .3 facing: our maps have no facing, so that direction is all of it. With two categories some rotation always fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from graph.node import node
from nodes.questions.programs.program import Runner
from nodes.questions.programs.sandbox import Limits
from nodes.questions.vocabulary import shape_name, short_name
from nodes.rewards.accuracy import is_right
from nodes.rewards.maps import Cell, Map, map_of, true_map

if TYPE_CHECKING:
    from nodes.questions.programs.facts import Facts
    from nodes.rewards.reward import Batch

RIGHT, WEIGHT = 5.0, 0.5
HOLDS, FAILS = 1.0, -0.5
MOST = 8  # assertions of a text that are run
LIMITS = Limits(memory_mb=16)


@node("reward.mindcube", version=1, depends=["../questions/programs/api/*.py"])  # what the sandbox reads
def mindcube(batch: Batch) -> list[float]:
    """Return the reward of every rollout."""
    scores = []
    with Runner(LIMITS) as runner:
        for text, question in zip(batch.texts, batch.questions, strict=True):
            if not is_right(text, question):
                scores.append(0.0)
                continue
            said, true = map_of(text) or {}, true_map(question)
            terms = (_assertions(text, true, runner), _directions(said, true), _counts(said, true)) if true else ()
            scores.append(RIGHT + WEIGHT * sum(terms))
    return scores


def assertions_in(text: str) -> list[str]:
    """Return the first assertions of a text."""
    pieces = text.split("<assert>", MOST)[1:]
    return [inside.strip() for inside, is_closed, _ in (piece.partition("</assert>") for piece in pieces) if is_closed]


def map_facts(true: Map) -> Facts:
    """Return what the scene API may know of a map: FACTS with cells for metres, every object seen, no frames."""
    labels = [label for label, cells in true.items() for _ in cells]
    centre = [[*cell, 0.0] for cells in true.values() for cell in cells]
    instances: dict[str, list[int]] = {}
    groups: dict[str, list[int]] = {}
    for index, label in enumerate(labels):
        instances.setdefault(label, []).append(index)
        for name in {label, shape_name(label)}:
            groups.setdefault(name, []).append(index)
    return {
        "labels": labels,
        "instances": instances,
        "groups": groups,
        "short": {label: short_name(label) for label in instances},
        "counts": {name: len(group) for name, group in groups.items()},
        "seen": [True] * len(labels),
        "centre": centre,
        "distance": [[((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5 for b in centre] for a in centre],
        "area_m2": None,
        "floor": None,
        "shown": [],
        "frames": {},
    }


def _assertions(text: str, true: Map, runner: Runner) -> float:
    stated = assertions_in(text)
    if not stated:
        return FAILS
    outcomes = runner.run([(map_facts(true), stated)])[0]
    return _mean([outcome.value is True for outcome in outcomes])


def _directions(said: Map, true: Map) -> float:
    """Return the term of the map: the best over its four rotations."""
    pairs = list(combinations(true, 2))
    if not pairs:
        return 0.0
    here = {label: _middle(cells) for label, cells in said.items() if cells and label in true}
    there = {label: _middle(cells) for label, cells in true.items()}
    best = FAILS
    for _ in range(4):
        here = {label: (-y, x) for label, (x, y) in here.items()}
        both = [a in here and b in here and _way(here[a], here[b]) == _way(there[a], there[b]) for a, b in pairs]
        best = max(best, _mean(both))
    return best


def _counts(said: Map, true: Map) -> float:
    return _mean([len(said.get(label, ())) == len(cells) for label, cells in true.items()])


def _middle(cells: Sequence[Cell]) -> Cell:
    return sum(x for x, _ in cells) / len(cells), sum(y for _, y in cells) / len(cells)


def _way(a: Cell, b: Cell) -> tuple[Any, ...]:
    """Return how b lies to a: whether it is right or left of it, above or below it; neither where they are level."""
    return b[0] > a[0], b[0] < a[0], b[1] > a[1], b[1] < a[1]


def _mean(holds: Sequence[bool]) -> float:
    return sum(HOLDS if one else FAILS for one in holds) / len(holds)
