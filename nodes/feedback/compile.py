"""Feedback: from what was probed on a scene to what shall be asked of it next round: a budget in questions, and a
weight for every cell (task x template).

Rules, by name:
    variance    4 x the variance of a question's accuracy over its rollouts, which is 4 p (1 - p) for right or wrong,
                1 where the policy is right half of the time (of K draws it shows (K - 1) / K: .88 for 8): GRPO
                learns where its rollouts differ. Ours; a cell's mean, drawn toward a prior.
    posterior   4 E[p (1 - p)] of a Beta over the cell's pass probability, whose counts halve every round:
                a <- a / 2 + sum r, b <- b / 2 + sum (1 - r), from (2c, 2(1 - c)) with the chance c of the cell in the
                whole pool. Ours; a scene's cells have counts of their own.
    spatialevo  max(.05, 1 - (A + .35 x 2) / (n + 2)) with the summed accuracy A of all n questions so far, accuracy of
                numbers judged against a target of .5. SpatialEvo's scheduler, arXiv:2604.14144; the budget stays.
                Departs: n and A are of a scene's cell, where SpatialEvo counts by task over all scenes, so a cell of
                few questions stays near its prior; accuracy of numbers is MRA here.

A scene's entry depends on that scene's questions alone, so another room in the pool changes no other entry. Our rules'
numbers are coarse: most entries stay as they are from round to round, and what they feed need not run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, median
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct

from graph.node import node
from nodes.feedback.probed import probed_rows
from nodes.probe.probe import Probe, ProbeRow
from nodes.questions.question import Question, QuestionPool, cell_of
from nodes.rewards.accuracy import mra
from store.artifact import Artifact, Reader, Writer
from store.collection import Collection

PRIOR_QUESTIONS = 4  # each mean starts from this many questions of average signal
PRIOR_SIGNAL = 0.5
LEVELS = (25, 50, 75, 100)  # the weights there are; none is 0: what is never asked can never be seen to improve
LOW_SIGNAL, HIGH_SIGNAL = 0.35, 0.65  # a scene below the one loses half of its budget, above the other gains half
DECAY = 0.5
EVO_FLOOR, EVO_PRIOR, EVO_PRIOR_QUESTIONS, EVO_TARGET = 0.05, 0.35, 2, 0.5
# SpatialEvo judges these against its target: full accuracy is out of reach there.
EVO_HARD = frozenset({"object_abs_distance", "camera_distance", "room_size_estimation"})

Rule = Literal["variance", "posterior", "spatialevo"]


class SceneFeedback(Artifact):
    """What past rounds say of a scene: a budget in questions, a weight 0..100 for each cell, the counts behind them.

    `counts`: by cell, successes and failures so far, as the rule sums them.
    """

    type: ClassVar[str] = "feedback/2"
    plain: ClassVar[str] = "nodes.plain:write_feedback"

    def __init__(
        self, budget: int, weights: Mapping[str, int], counts: Mapping[str, Sequence[float]] | None = None
    ) -> None:
        self.budget, self.weights = budget, dict(weights)
        self.counts = {cell: (float(a), float(b)) for cell, (a, b) in (counts or {}).items()}

    def write(self, w: Writer) -> None:
        counts = {cell: list(pair) for cell, pair in sorted(self.counts.items())}
        w.attrs = {"budget": self.budget, "weights": dict(sorted(self.weights.items())), "counts": counts}

    @classmethod
    def open(cls, r: Reader) -> SceneFeedback:
        return cls(r.attrs["budget"], r.attrs["weights"], r.attrs["counts"])

    def summary(self) -> dict[str, Any]:
        return {"budget": self.budget, "weights": self.weights}

    @classmethod
    def summarise(cls, entries: Mapping[str, SceneFeedback]) -> dict[str, Any]:
        scenes = list(entries.values())
        if not scenes:
            return {}
        by_cell: dict[str, list[int]] = {}
        for scene in scenes:
            for cell, weight in scene.weights.items():
                by_cell.setdefault(cell, []).append(weight)
        budgets = [scene.budget for scene in scenes]
        told = {cell: {"scenes": len(of), "weight": round(mean(of), 1)} for cell, of in sorted(by_cell.items())}
        return {"budget": f"{min(budgets)} to {max(budgets)}, {sum(budgets)} in all", "cells": told}


class Compile(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `feedback.compile`."""

    budget: Annotated[
        int,
        Meta(ge=2, description="a scene's middle budget; it gets .5, 1 or 1.5 times that", extra={"unit": "questions"}),
    ] = 24
    rule: Annotated[Rule, Meta(description="how probed accuracy becomes weight")] = "variance"


@node("feedback.compile", version=2)
def compile_feedback(
    probe: Probe, questions: QuestionPool, past: Collection[SceneFeedback] | None, *, params: Compile
) -> Collection[SceneFeedback]:
    """Return the feedback of every scene with a probed question; one that a draw left out says nothing.

    Args:
        past: the round before's, whose counts `posterior` and `spatialevo` go on from.
    Raises:
        ValueError: a probe of another pool.
    """
    by_scene: dict[str, list[tuple[Question, ProbeRow]]] = {}
    for question, row in probed_rows(probe, questions, "feedback.compile")[0]:
        if question.scene:  # what is asked of no scene is not asked for either
            by_scene.setdefault(question.scene, []).append((question, row))
    before = {scene: past[scene].counts for scene in by_scene if past and scene in past}
    entries = {scene: _of_scene(rows, before.get(scene, {}), params) for scene, rows in by_scene.items()}
    idle = {scene: past[scene] for scene in past or {} if past and scene not in entries}  # what was known stays known
    return Collection(SceneFeedback, {**idle, **entries})


def _of_scene(
    rows: Sequence[tuple[Question, ProbeRow]], before: Mapping[str, tuple[float, float]], params: Compile
) -> SceneFeedback:
    by_cell: dict[str, list[tuple[Question, ProbeRow]]] = {}
    for question, row in rows:
        by_cell.setdefault(cell_of(question.task, question.template), []).append((question, row))
    if params.rule == "spatialevo":
        counts = {cell: evo_counts(cell_rows, before.get(cell, (0.0, 0.0))) for cell, cell_rows in by_cell.items()}
        counts = {**before, **counts}
        return SceneFeedback(params.budget, {cell: evo_weight(*counts[cell]) for cell in counts}, counts)
    if params.rule == "posterior":
        counts = {**before, **{cell: beta_counts(of_cell, before.get(cell)) for cell, of_cell in by_cell.items()}}
        signals = {cell: [beta_signal(*pair)] for cell, pair in counts.items()}
        overall = [signals[cell_of(question.task, question.template)][0] for question, _ in rows]
        weights = {cell: _level(signal) for cell, (signal,) in signals.items()}
        return SceneFeedback(_budget(sum(overall) / len(overall), params.budget), weights, counts)
    signals = {cell: [4 * row.reward_variance for _, row in cell_rows] for cell, cell_rows in by_cell.items()}
    scene = mean_signal([4 * row.reward_variance for _, row in rows])
    return SceneFeedback(
        _budget(scene, params.budget), {cell: _level(mean_signal(of_cell)) for cell, of_cell in signals.items()}
    )


def mean_signal(signals: Sequence[float]) -> float:
    """Return the mean of signals in 0..1, drawn toward the prior as if it had been seen a few times."""
    return (sum(signals) + PRIOR_QUESTIONS * PRIOR_SIGNAL) / (len(signals) + PRIOR_QUESTIONS)


def beta_counts(rows: Sequence[tuple[Question, ProbeRow]], before: tuple[float, float] | None) -> tuple[float, float]:
    """Return a cell's Beta counts after a round; a cell met first comes from two questions at its chance."""
    a, b = before or (0.0, 0.0)
    if before is None:
        chance = mean(row.chance for _, row in rows)
        a, b = 2 * chance, 2 * (1 - chance)
    right = sum(row.mean_accuracy for _, row in rows)
    return DECAY * a + right, DECAY * b + len(rows) - right


def chance_of(questions: Sequence[Question]) -> float:
    """Return the chance of a cell, 0..1: of options, and for numbers the mean MRA of their median."""
    numbers = [float(question.answer) for question in questions if question.kind == "number"]
    middle = median(numbers) if numbers else 0.0
    guesses = [question.chance for question in questions if question.kind == "choice"]
    return mean([*guesses, *(mra(middle, number) for number in numbers)])


def beta_signal(a: float, b: float) -> float:
    """Return 4 E[p (1 - p)] of p ~ Beta(a, b), 0..1."""
    return 4 * a * b / ((a + b) * (a + b + 1))


def evo_counts(rows: Sequence[tuple[Question, ProbeRow]], before: tuple[float, float]) -> tuple[float, float]:
    """Return summed accuracy and its complement over all questions so far; targets rescale what is hard by nature."""
    scores = [
        min(1.0, row.mean_accuracy / EVO_TARGET) if question.task in EVO_HARD else row.mean_accuracy
        for question, row in rows
    ]
    return before[0] + sum(scores), before[1] + len(scores) - sum(scores)


def evo_weight(right: float, wrong: float) -> int:
    """Return SpatialEvo's weight in per cent, 5..100."""
    smoothed = (right + EVO_PRIOR * EVO_PRIOR_QUESTIONS) / (right + wrong + EVO_PRIOR_QUESTIONS)
    return round(100 * max(EVO_FLOOR, 1 - smoothed))


def _budget(signal: float, middle: int) -> int:
    return round((0.5 if signal < LOW_SIGNAL else 1.5 if signal > HIGH_SIGNAL else 1.0) * middle)


def _level(signal: float) -> int:
    return min(LEVELS, key=lambda level: (abs(level / 100 - signal), level))
