"""A policy without a model, for tests of the loop: right with a given probability by task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nodes.policy.answers import Best, Draws
from nodes.policy.policy import Policy
from nodes.policy.sampling import uniform
from nodes.rollouts.rollouts import Drawn

if TYPE_CHECKING:
    import numpy as np

    from nodes.questions.question import Question, QuestionPool

WRONG = "wrong"


def scripted_policy(rates: Mapping[str, float], trained_places: Sequence[str] = ()) -> Policy:
    """Return a policy that answers a task rightly with probability `rates[task]`, 0 where it is not named."""
    return Policy("scripted", {}, {}, trained_places, rates)


class Script:
    """Answers for a scripted policy. Blind or not makes no difference to it."""

    def __init__(self, rates: Mapping[str, float]) -> None:
        self.rates = rates

    def draw(
        self,
        questions: Sequence[Question],
        pool: QuestionPool | None,
        samples: int,
        seed: int,
        scratch: Path | None = None,
    ) -> Draws:
        """Draw `samples` answers a question."""
        import numpy as np

        p = self._p(questions)
        drawn = [uniform(seed, question.id, samples) for question in questions]
        right = np.stack(drawn) < p[:, None] if drawn else np.zeros((0, samples), dtype=bool)  # (Q, K)
        texts = [[q.answer if hit else WRONG for hit in row] for q, row in zip(questions, right.tolist(), strict=True)]
        with np.errstate(divide="ignore"):
            logprobs = np.where(right, np.log(p)[:, None], np.log1p(-p)[:, None])
            true = np.log(p)
        no = np.full(right.shape, np.nan)
        options = np.full(sum(len(question.options) for question in questions), np.nan)
        one = np.ones(right.shape, dtype=np.int32)
        return Draws(
            Drawn(texts, one, one == 0, logprobs.ravel(), true, options, no),
            [0] * len(questions),
            [1] * len(questions),
            {},
        )

    def best(self, questions: Sequence[Question], pool: QuestionPool | None) -> Best:
        """Answer; "greedy" is a single draw here, so that accuracy is near the rate."""
        draws = self.draw(questions, pool, samples=1, seed=0)
        return Best([row[0] for row in draws.drawn.texts], self._p(questions))

    def _p(self, questions: Sequence[Question]) -> np.ndarray:
        import numpy as np

        return np.array([self.rates.get(question.task, 0.0) for question in questions])
