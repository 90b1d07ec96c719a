"""What SFT has a policy say: the answer, or the thought that ends in it."""

from __future__ import annotations

import msgspec

from nodes.policy.policy import Policy
from nodes.policy.rollout import Pictures, Rollout, prompt_text
from nodes.questions.question import Question, QuestionPool, Questions, pool_rows
from nodes.update.sft import Sft, conversation_row, sft, target_of
from store.collection import Collection
from tests.nodes.conftest import SmallPools

TRACE = "<think>yes</think><answer>yes</answer>"


def test_the_template_says_whether_a_trace_is_said(small_pools: SmallPools, some_question: Question) -> None:
    traced = msgspec.structs.replace(some_question, trace=TRACE)
    direct, think = Rollout(), Rollout(template="think", max_tokens=64)
    assert target_of(traced, direct) == some_question.answer and target_of(traced, think) == TRACE
    assert target_of(some_question, think) == some_question.answer
    row = conversation_row([traced], Pictures(small_pools.test), think)
    asked, said = (message["content"][-1]["text"] for message in row["messages"])
    assert (asked, said) == (prompt_text(traced, "think"), TRACE)


def test_questions_without_a_trace_are_counted(small_pools: SmallPools, small_policy: Policy) -> None:
    rows = pool_rows(small_pools.train)[:6]
    rows = [msgspec.structs.replace(row, trace=TRACE if place else "") for place, row in enumerate(rows)]
    frames = small_pools.train[rows[0].scene].frames(rows[0].frames_digest)
    pool: QuestionPool = Collection(Questions, {rows[0].scene: Questions(rows, frames)})
    params = Sft(rollout=Rollout(template="think", max_tokens=64), steps=1, batch=2)
    update = sft(small_policy, pool, params=params, seed=1)
    assert update.log.note == "1 of 6 questions have no trace: their answer alone is the target"
