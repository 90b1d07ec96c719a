"""Feedback: from what was probed on a scene to what shall be asked of it next round.

A question teaches GRPO where its rollouts differ: 4 x the variance of their accuracy, which is 4 p (1 - p) for right or
wrong, 1 where the policy is right half of the time (of K draws it shows (K - 1) / K: .88 for 8). Tasks are weighted by
it, and scenes are given more or fewer questions. Source: SpatialEvo's scheduler (arXiv:2604.14144) in form, with the
variance in place of 1 - accuracy: what is hopeless is no reason to ask more of it.

A scene's entry depends on that scene's questions alone, so another room in the pool changes no other entry, and both
numbers are coarse and drawn toward the middle: most entries stay as they are from round to round, and what they feed
need not run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct

from graph.node import node
from nodes.probe import Probe, ProbeRow
from nodes.questions.question import QuestionPool, pool_rows
from store.artifact import Artifact, Reader, Writer
from store.collection import Collection

PRIOR_QUESTIONS = 4  # each mean starts from this many questions of average signal
PRIOR_SIGNAL = 0.5
LEVELS = (25, 50, 75, 100)  # the weights there are; none is 0: what is never asked can never be seen to improve
LOW_SIGNAL, HIGH_SIGNAL = 0.35, 0.65  # a scene below the one loses half of its budget, above the other gains half


class SceneFeedback(Artifact):
    """What last round says of a scene: a budget in questions, and a weight 0..100 for each task."""

    type: ClassVar[str] = "feedback/1"
    plain: ClassVar[str] = "nodes.plain:write_feedback"

    def __init__(self, budget: int, weights: Mapping[str, int]) -> None:
        self.budget, self.weights = budget, dict(weights)

    def write(self, w: Writer) -> None:
        w.attrs = {"budget": self.budget, "weights": dict(sorted(self.weights.items()))}

    @classmethod
    def open(cls, r: Reader) -> SceneFeedback:
        return cls(r.attrs["budget"], r.attrs["weights"])

    def summary(self) -> dict[str, Any]:
        return {"budget": self.budget, "weights": self.weights}


class Compile(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `feedback.compile`."""

    budget: Annotated[
        int,
        Meta(ge=2, description="a scene's middle budget; it gets .5, 1 or 1.5 times that", extra={"unit": "questions"}),
    ] = 24


@node("feedback.compile", version=1)
def compile_feedback(probe: Probe, questions: QuestionPool, *, params: Compile) -> Collection[SceneFeedback]:
    """Return the feedback of every scene with a probed question.

    Raises:
        ValueError: a question that was not probed.
    """
    probed = probe.by_id()
    by_scene: dict[str, list[ProbeRow]] = {}
    for row in pool_rows(questions):
        if row.id not in probed:
            raise ValueError(f"feedback.compile: question {row.id!r} was not probed")
        by_scene.setdefault(row.scene, []).append(probed[row.id])
    return Collection(SceneFeedback, {scene: _of_scene(rows, params.budget) for scene, rows in by_scene.items()})


def _of_scene(rows: Sequence[ProbeRow], budget: int) -> SceneFeedback:
    by_task: dict[str, list[float]] = {}
    for row in rows:
        by_task.setdefault(row.task, []).append(4 * row.reward_variance)
    scene = mean_signal([4 * row.reward_variance for row in rows])
    factor = 0.5 if scene < LOW_SIGNAL else 1.5 if scene > HIGH_SIGNAL else 1.0
    weights = {task: _level(mean_signal(signals)) for task, signals in by_task.items()}
    return SceneFeedback(round(factor * budget), weights)


def mean_signal(signals: Sequence[float]) -> float:
    """Return the mean of signals in 0..1, drawn toward the prior as if it had been seen a few times."""
    return (sum(signals) + PRIOR_QUESTIONS * PRIOR_SIGNAL) / (len(signals) + PRIOR_QUESTIONS)


def _level(signal: float) -> int:
    return min(LEVELS, key=lambda level: (abs(level / 100 - signal), level))
