"""Scoring: rewards of an update see the texts that a probe sees."""

from __future__ import annotations

from nodes.questions.question import Question
from nodes.rewards.reward import ACCURACY
from nodes.update.scoring import Scoring


def test_white_space_around_a_completion_is_nothing_said(some_question: Question) -> None:
    seen: list[str] = []

    class Watched(Scoring):
        def _batch(self, texts, ids, indices):
            batch = super()._batch(texts, ids, indices)
            seen.extend(batch.texts)
            return batch

    (reward,) = Watched([ACCURACY], [some_question], None).functions()
    said = [[{"content": f"\n{some_question.answer} "}]]
    assert reward(said, [[1, 2]], [0], lambda name, value: None) == [1.0]
    assert seen == [some_question.answer]
