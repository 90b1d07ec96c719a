"""Rewards of ours as functions that TRL calls: once a reward and a batch of completions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nodes.rewards.accuracy import accuracy_of
from nodes.rewards.reward import Batch, Reward, score

if TYPE_CHECKING:
    from graph.node import Named
    from nodes.questions.question import Question
    from nodes.update.companions import Companions


class Scoring:
    """The rewards of one update. `trainer` is TRL's, which exists only after its reward functions do."""

    trainer: Any = None

    def __init__(
        self, rewards: Sequence[Named[Reward]], rows: Sequence[Question], companions: Companions | None
    ) -> None:
        self._rewards, self._rows, self._companions = rewards, rows, companions

    def functions(self) -> list[Callable[..., list[float]]]:
        """Return a function a reward; the first also logs accuracy by task, and what companions cost."""
        return [self._function(named, is_first=not place) for place, named in enumerate(self._rewards)]

    def _function(self, named: Named[Reward], is_first: bool) -> Callable[..., list[float]]:
        def reward(
            completions: list[Any],
            completion_ids: list[list[int]],
            question_index: list[int],
            log_metric: Callable[[str, float], None],
            **_: Any,
        ) -> list[float]:
            batch = self._batch([said[0]["content"] for said in completions], completion_ids, question_index)
            if is_first:
                _log_accuracy(batch, log_metric)
                if self._companions is not None:
                    log_metric("companion_tokens", self._companions.n_tokens)
            return score(named, batch)

        reward.__name__ = named.name  # TRL names the metric after it
        return reward

    def _batch(self, texts: list[str], ids: list[list[int]], indices: list[int]) -> Batch:
        companions = {}
        if self._companions is not None:
            companions["shuffled"] = self._companions.of(self.trainer, indices)
        asked = [self._rows[index] for index in indices]
        texts = [text.strip() for text in texts]  # as a probe's are
        return Batch(texts, asked, [len(one) for one in ids], indices, companions)


def _log_accuracy(batch: Batch, log_metric: Callable[[str, float], None]) -> None:
    by_task: dict[str, list[float]] = {}
    for text, question in zip(batch.texts, batch.questions, strict=True):
        by_task.setdefault(question.task, []).append(accuracy_of(text, question))
    for task, values in sorted(by_task.items()):
        log_metric(f"acc/{task}", sum(values) / len(values))
