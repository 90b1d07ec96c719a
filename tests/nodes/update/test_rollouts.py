"""What GRPO adds to its rollouts: companions where a reward needs them, a policy that the KL term holds on to."""

from __future__ import annotations

import msgspec
import pytest

from graph.node import Named
from nodes.policy.policy import Policy
from nodes.policy.rollout import Rollout
from nodes.questions.question import QuestionPool, Questions, pool_rows
from nodes.update.companions import shuffled
from nodes.update.grpo import Grpo, grpo
from nodes.update.sft import Sft, sft
from store.collection import Collection
from tests.nodes.conftest import SmallPools
from tests.nodes.update import rewards_that_look

HERE = "tests.nodes.update.rewards_that_look"
WORDY = (Named("wordy", f"{HERE}:wordy"),)


@pytest.fixture
def several(small_pools: SmallPools) -> QuestionPool:
    """Four questions of one frame, four of three."""
    rows = pool_rows(small_pools.train)[:8]
    rows = [msgspec.structs.replace(row, frames=(0, 1, 2)) if i % 2 else row for i, row in enumerate(rows)]
    frames = small_pools.train[rows[0].scene].frames(rows[0].frames_digest)
    return Collection(Questions, {rows[0].scene: Questions(rows, frames)})


def test_companions_are_drawn_once_a_batch_for_prompts_of_several_frames(
    small_policy: Policy, several: QuestionPool
) -> None:
    rollout = Rollout(frames=3, max_tokens=2)
    both = (Named("looks", f"{HERE}:looks"), Named("again", f"{HERE}:looks_again"))
    params = Grpo(rollout=rollout, rewards=both, steps=2, prompts=8, group=5)
    rewards_that_look.SEEN.clear()
    log = grpo(small_policy, several, params=params, seed=1).log
    first, second = rewards_that_look.SEEN[:2]
    assert len(rewards_that_look.SEEN) == 4  # two rewards, two steps
    assert first.companions == second.companions
    for question, texts in zip(first.questions, first.companions["shuffled"], strict=True):
        assert len(texts) == (2 if len(question.frames) > 1 else 0)  # half of 5
    assert first.groups[:5] == [first.groups[0]] * 5
    # 4 prompts x 2 companions of 3 frames, 18 tokens a frame and more, and 1 or 2 said.
    assert (log.metrics["companion_tokens"] > 4 * 2 * 3 * 16).all()
    seen = [batch.companions for batch in rewards_that_look.SEEN]
    rewards_that_look.SEEN.clear()
    grpo(small_policy, several, params=params, seed=1)
    assert [batch.companions for batch in rewards_that_look.SEEN] == seen
    one_by_one = msgspec.structs.replace(params, steps=8, prompts=1)
    tokens = grpo(small_policy, several, params=one_by_one, seed=1).log.metrics["companion_tokens"].tolist()
    assert tokens.count(0) == 4  # the steps whose question shows one frame


def test_companions_leave_the_rollouts_that_are_trained_on(small_policy: Policy, several: QuestionPool) -> None:
    rollout = Rollout(frames=3, max_tokens=2)
    plain = Grpo(rollout=rollout, steps=1, prompts=8, group=2)
    without = grpo(small_policy, several, params=plain, seed=1).log.metrics
    looked = msgspec.structs.replace(plain, rewards=(*plain.rewards, Named("again", f"{HERE}:looks_again")))
    log = grpo(small_policy, several, params=looked, seed=1).log.metrics
    assert log["tokens"].tolist() == without["tokens"].tolist() and "companion_tokens" not in without
    assert log["rewards/accuracy/mean"].tolist() == without["rewards/accuracy/mean"].tolist()


def test_an_order_is_never_the_true_one() -> None:
    assert all(shuffled(2, number) == [1, 0] for number in range(20))
    assert {tuple(shuffled(3, number)) for number in range(60)} == {
        (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0),
    }  # fmt: skip


def test_a_kl_term_needs_its_reference_and_pulls_towards_it(small_pools: SmallPools, small_policy: Policy) -> None:
    params = Grpo(steps=3, prompts=4, group=3, rewards=WORDY, learning_rate=1e-2, trl={"beta": 0.5})
    with pytest.raises(ValueError, match=r"params.trl.beta = 0.5: expected an input `reference`"):
        grpo(small_policy, small_pools.train, params=params, seed=5)
    kl = grpo(small_policy, small_pools.train, None, small_policy, params=params, seed=5).log.metrics["kl"]
    assert kl[0] == pytest.approx(0, abs=1e-6) and kl[2] > 1e-4
    elsewhere = sft(small_policy, small_pools.train, params=Sft(steps=8, batch=4), seed=1).weights
    far = grpo(small_policy, small_pools.train, None, elsewhere, params=params, seed=5).log.metrics["kl"]
    assert far[0] > 0.01


def test_a_divergence_fails_the_update(small_pools: SmallPools, small_policy: Policy) -> None:
    params = Sft(steps=9, batch=2, learning_rate=1e30, schedule="constant")
    with pytest.raises(ValueError, match=r"update.sft: (loss|grad_norm) is (nan|inf) at step \d; the policy before it"):
        sft(small_policy, small_pools.train, params=params, seed=1)
    with pytest.raises(ValueError, match=r"update.sft: weight .* is not finite at step 1; the policy before it stays"):
        sft(small_policy, small_pools.train, params=Sft(steps=1, batch=2, learning_rate=1e300), seed=1)
    wild = Grpo(steps=3, prompts=4, group=3, learning_rate=1e30, schedule="constant", rewards=WORDY)
    with pytest.raises(ValueError, match=r"update.grpo: (loss|grad_norm) is nan at step 2; the policy before it"):
        grpo(small_policy, small_pools.train, params=wild, seed=1)
