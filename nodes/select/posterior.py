"""`select.posterior`: the questions of highest E[p (1 - p)], p the probability of a right answer under its posterior.

Few rollouts are noisy: with p = .95, four of four are right in 81 % of draws. So a question's rollouts are seen beside
those of its cell, whose mean is its prior, worth `prior` rollouts:

    m = (2 c + sum r) / (2 + N)          over the N probed questions of the cell, c its chance, r mean accuracies
    a = prior m + K r,  b = prior (1 - m) + K (1 - r)        K rollouts of this question
    E[p (1 - p)] = a b / ((a + b) (a + b + 1))

Source: ours; p (1 - p) as what a question can teach is of arXiv:2504.03380 and of "Frontier of Learnability".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from graph.node import node
from nodes.feedback.compile import beta_signal, chance_of
from nodes.feedback.probed import Probed
from nodes.probe.probe import Probe
from nodes.questions.question import QuestionPool, cell_of
from nodes.select.drawing import best_first
from nodes.select.weighing import Weighing, weigh

CELL_PRIOR = 2  # questions of chance accuracy that each cell starts from


class Posterior(Weighing, frozen=True, forbid_unknown_fields=True):
    """Params of `select.posterior`."""

    prior: Annotated[float, Meta(gt=0, description="what the cell's mean is worth", extra={"unit": "rollouts"})] = 2.0


@node("select.posterior", version=1, packages=("numpy",))
def posterior(probe: Probe, questions: QuestionPool, *, params: Posterior, seed: int) -> QuestionPool:
    """Return the `n` questions of highest E[p (1 - p)]; equal ones as the seed draws.

    Raises:
        ValueError: the probe holds no rewards, so that nobody knows of how many rollouts it is.
    """
    rewards = list(probe.rewards().values())
    if probe.rows and not rewards:
        raise ValueError("select.posterior: the probe holds no rewards, expected one that needs no companions")
    samples = rewards[0].shape[1] if rewards else 0

    def weights(probed: Sequence[Probed]) -> list[float]:
        return posterior_weights(probed, samples, params.prior)

    return weigh("select.posterior", probe, questions, weights, best_first, params, seed)


def posterior_weights(probed: Sequence[Probed], samples: int, prior: float) -> list[float]:
    """Return 4 E[p (1 - p)] of every question, 0..1."""
    cells: dict[str, list[Probed]] = {}
    for question, row in probed:
        cells.setdefault(cell_of(question.task, question.template), []).append((question, row))
    means = {}
    for cell, rows in cells.items():
        chance = chance_of([question for question, _ in rows])
        right = sum(row.mean_accuracy for _, row in rows)
        means[cell] = (CELL_PRIOR * chance + right) / (CELL_PRIOR + len(rows))
    weights = []
    for question, row in probed:
        mean, r = means[cell_of(question.task, question.template)], row.mean_accuracy
        weights.append(beta_signal(prior * mean + samples * r, prior * (1 - mean) + samples * (1 - r)))
    return weights
