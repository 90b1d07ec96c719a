"""Probe: what a policy can do on each question, by K rollouts and by its own probability of the true answer.

Definitions, by question:
    pass_rate        share of the K rollouts that are right: exact for choices, MRA >= `right_at` for numbers
    mean_accuracy    mean accuracy of the rollouts (MRA for numbers)
    reward_variance  variance of the *accuracy* of the rollouts; 0 means a group without a signal for GRPO
    p_answer         p_geo: geometric mean probability of the true answer's tokens, teacher-forced, without the end
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from msgspec import Meta, Struct

from graph.node import Progress, node
from nodes.policy.answers import open_answerer
from nodes.policy.policy import Policy
from nodes.policy.rollout import Rollout
from nodes.questions.question import QuestionPool, pool_rows
from nodes.rewards.accuracy import accuracy, is_right
from nodes.rewards.reward import total_reward
from store.artifact import Artifact, Reader, Writer

if TYPE_CHECKING:
    import numpy as np


class Confidence(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `probe.confidence`."""

    rollout: Rollout = Rollout()
    samples: Annotated[int, Meta(ge=1, description="rollouts a question", extra={"unit": "rollouts"})] = 8
    right_at: Annotated[float, Meta(gt=0, le=1, description="MRA from which a number counts as right")] = 0.5
    batch: Annotated[int, Meta(ge=1, description="questions put at a time", extra={"unit": "questions"})] = 256


class ProbeRow(Struct, frozen=True):
    """What the policy can do on one question; definitions in the module's text."""

    id: str
    scene: str
    task: str
    template: str
    pass_rate: float
    mean_accuracy: float
    reward_variance: float
    p_answer: float


class Probe(Artifact):
    """One row a question, in the pool's order, and the rollouts behind it.

    rows; texts (Q, K) str; rewards (Q, K) sum of the rollout's rewards; logprobs (Q, K) nats.
    """

    type: ClassVar[str] = "probe/1"
    plain: ClassVar[str] = "nodes.plain:write_probe"

    def __init__(self, rows: list[ProbeRow], texts: list[list[str]], rewards: np.ndarray, logprobs: np.ndarray) -> None:
        self.rows = rows
        self._arrays = (texts, rewards, logprobs)
        self._reader: Reader | None = None

    def by_id(self) -> dict[str, ProbeRow]:
        """Return the rows by question id."""
        return {row.id: row for row in self.rows}

    def texts(self) -> list[list[str]]:
        """Return what was said, (Q, K)."""
        if self._reader is None:
            return self._arrays[0]
        flat = self._reader.array("texts").tolist()
        k = self._reader.attrs["samples"]
        return [flat[start : start + k] for start in range(0, len(flat), k)]

    def rewards(self) -> np.ndarray:
        """Return the summed rewards, (Q, K) float64."""
        return self._arrays[1] if self._reader is None else self._reader.array("rewards")

    def logprobs(self) -> np.ndarray:
        """Return the log-probabilities of what was said, (Q, K) float64, nats."""
        return self._arrays[2] if self._reader is None else self._reader.array("logprobs")

    def write(self, w: Writer) -> None:
        w.attrs = {"samples": int(self.rewards().shape[1])}
        w.table("questions", self.rows, ProbeRow)
        w.array("texts", [text for row in self.texts() for text in row], dims=("rollout",))
        w.array("rewards", self.rewards(), dims=("question", "sample"))
        w.array("logprobs", self.logprobs(), dims=("question", "sample"))

    @classmethod
    def open(cls, r: Reader) -> Probe:
        import numpy as np

        opened = cls(r.table("questions", ProbeRow), [], np.empty((0, 0)), np.empty((0, 0)))
        opened._reader = r
        return opened

    def summary(self) -> dict[str, Any]:
        tasks = sorted({row.task for row in self.rows})
        rates = {task: _mean([row.pass_rate for row in self.rows if row.task == task]) for task in tasks}
        silent = _mean([float(row.reward_variance == 0) for row in self.rows])
        return {"questions": len(self.rows), "pass_rate": rates, "share_without_variance": silent}


@node("probe.confidence", version=1, packages=("torch", "transformers", "tokenizers", "pillow", "numpy"))
def probe(
    policy: Policy, questions: QuestionPool, *, params: Confidence, seed: int, progress: Progress | None = None
) -> Probe:
    """Draw K rollouts of every question and measure what the policy can do on it."""
    import numpy as np

    rows = pool_rows(questions)
    answerer = open_answerer(policy, params.rollout, params.batch, progress)
    draws = answerer.draw(rows, questions, params.samples, seed)
    accuracies = [[accuracy(text, row) for text in texts] for row, texts in zip(rows, draws.texts, strict=True)]
    worth = [reward.load() for reward in params.rollout.rewards]
    rewards = [[total_reward(worth, text, row) for text in texts] for row, texts in zip(rows, draws.texts, strict=True)]
    probed = [
        ProbeRow(
            id=row.id,
            scene=row.scene,
            task=row.task,
            template=row.template,
            pass_rate=sum(is_right(text, row, params.right_at) for text in texts) / params.samples,
            mean_accuracy=float(np.mean(scores)),
            reward_variance=float(np.var(scores)),
            p_answer=float(p),
        )
        for row, texts, scores, p in zip(rows, draws.texts, accuracies, draws.p_answer, strict=True)
    ]
    return Probe(probed, draws.texts, np.array(rewards).reshape(len(rows), params.samples), draws.logprobs)


def _mean(values: list[float]) -> float:
    return round(sum(values) / len(values), 4) if values else 0.0
