"""`report.points`: what every round of a loop cost so far, and how good the policy was after it.

    rounds/     one row a round, 0 before the loop; costs are sums up to and with the round
    accuracy    (R + 1, Q) of every test question after every round, for comparisons by question
    scenes      (Q,) whose questions stand or fall together

Costs are counted, not timed: clock times never enter an output. `tokens` are those that went through the policy: to
draw, those of a prompt once for all its rollouts (one prefill) and what was said; to train, all of every sequence three
times, since a backward pass costs two forward passes, and once more where the update rolled them out itself (GRPO).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import Struct

from graph.node import node
from nodes.evaluate.scores import Scores
from nodes.questions.question import QuestionPool, Questions
from nodes.rollouts.rollouts import Rollouts
from nodes.update.update import Log
from store.artifact import Artifact, Reader, Writer
from store.collection import Collection

if TYPE_CHECKING:
    import numpy as np

TOKENS, COMPANIONS = "tokens", "companion_tokens"  # of each step
PASSES = 3
ROLLED_OUT = "reward"  # a log that has this is of an update that rolls out


class PointRow(Struct, frozen=True):
    """One round; `old` is NaN where what the policy knew before was not asked."""

    round: int
    generated: int
    probed: int
    trained: int
    tokens: int
    accuracy: float
    old: float


class Points(Artifact):
    """The points of one loop."""

    type: ClassVar[str] = "points/1"
    plain: ClassVar[str] = "nodes.plain:write_rows"

    def __init__(self, rows: list[PointRow], accuracy: np.ndarray, scenes: list[str]) -> None:
        self.rows, self.accuracy, self.scenes = rows, accuracy, scenes

    def write(self, w: Writer) -> None:
        w.table("rounds", self.rows, PointRow)
        w.array("accuracy", self.accuracy, dims=("round", "question"))
        w.array("scenes", self.scenes, dims=("question",))

    @classmethod
    def open(cls, r: Reader) -> Points:
        return cls(r.table("rounds", PointRow), r.array("accuracy"), r.array("scenes").tolist())

    def summary(self) -> dict[str, Any]:
        last = self.rows[-1]
        return {
            "trained": last.trained,
            "tokens": last.tokens,
            "accuracy": round(last.accuracy, 4),
            "gain": round(last.accuracy - self.rows[0].accuracy, 4),
            "old": round(last.old, 4),
        }


@node("report.points", version=1, packages=("numpy",))
def points(
    before: Scores,
    rounds: Collection[Scores],
    generated: Collection[QuestionPool],
    trained: Collection[QuestionPool],
    logs: Collection[Log],
    rollouts: Collection[Rollouts] | None = None,
    anchors: Collection[Rollouts] | None = None,
    old_before: Scores | None = None,
    old_last: Scores | None = None,
) -> Points:
    """Return costs and accuracy by round.

    Args:
        generated, trained: the pools that each round made and learned from.
        rollouts, anchors: what was drawn to select by, if anything.
        old_before, old_last: scores in what the policy knew before the loop, to see what is forgotten.
    Raises:
        ValueError: a round was tested on other questions.
    """
    from math import nan

    import numpy as np

    order = sorted(rounds, key=int)
    ids = [row.id for row in before.rows]
    accuracy, rows = [], []
    costs = {"generated": 0, "probed": 0, "trained": 0, "tokens": 0}
    for number, key in enumerate(["", *order]):
        scores = rounds[key] if key else before
        old = old_before if not key else old_last if key == order[-1] else None
        by_id = {row.id: row.accuracy for row in scores.rows}
        if by_id.keys() != set(ids):
            raise ValueError(f"report.points: round {key} was tested on other questions than the policy before round 1")
        accuracy.append([by_id[name] for name in ids])
        if key:
            drawn = [group[key] for group in (rollouts, anchors) if group is not None]
            costs["generated"] += _count(generated[key])
            costs["trained"] += _count(trained[key])
            costs["probed"] += sum(len(draw.rows) for draw in drawn)
            costs["tokens"] += sum(map(drawn_tokens, drawn)) + trained_tokens(logs[key])
        rows.append(PointRow(number, **costs, accuracy=scores.overall.mean, old=old.overall.mean if old else nan))
    scenes = [row.scene or row.id for row in before.rows]
    return Points(rows, np.array(accuracy, dtype=np.float32), scenes)


def _count(pool: Collection[Questions]) -> int:
    return sum(len(pool[scene].rows) for scene in pool)


def drawn_tokens(rollouts: Rollouts) -> int:
    """Return the tokens that drawing took: each prompt once, each rollout's own tokens but the last, which is only
    chosen."""
    said = int(rollouts.drawn().n_tokens.sum()) - rollouts.samples * len(rollouts.rows)
    return sum(row.n_prompt for row in rollouts.rows) + said


def trained_tokens(log: Log) -> int:
    """Return the tokens of an update, as often as they went through the policy."""
    import numpy as np

    seen = {name: int(np.nansum(log.metrics.get(name, np.zeros(0)))) for name in (TOKENS, COMPANIONS)}
    return (PASSES + (ROLLED_OUT in log.metrics)) * seen[TOKENS] + seen[COMPANIONS]
