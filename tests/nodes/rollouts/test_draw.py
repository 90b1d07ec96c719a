"""`rollouts.draw`: everything that its artifact promises, killed and gone on, and with bad input."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from nodes.policy.policy import Policy
from nodes.policy.prompts import Prompts
from nodes.policy.rollout import Rollout
from nodes.policy.server import Server
from nodes.probe.confidence import Confidence, probe
from nodes.questions.question import QuestionPool, Questions, pool_of, pool_rows
from nodes.rollouts.draw import Draw, draw
from nodes.rollouts.rollouts import Rollouts
from store.collection import Collection
from tests.nodes.conftest import SmallPools

LONG = Draw(Rollout(max_tokens=4), samples=3, batch=4)


def changed(pools: SmallPools, **by_place: object) -> QuestionPool:
    """Return the test pool with other fields for the question at a place, `_3={"prompt": ...}`."""
    rows = pool_rows(pools.test)
    for place, fields in by_place.items():
        rows[int(place[1:])] = replace(rows[int(place[1:])], **fields)  # type: ignore[arg-type]
    return pools.kept(pool_of(rows))


def same(one: Rollouts, other: Rollouts) -> bool:
    texts = one.drawn().texts == other.drawn().texts and one.rows == other.rows and one.dropped == other.dropped
    pairs = zip(one.drawn()[1:], other.drawn()[1:], strict=True)
    return texts and all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs)


def test_rollouts_hold_what_they_promise(small_pools: SmallPools, small_policy: Policy) -> None:
    drawn = draw(small_policy, small_pools.test, params=LONG, seed=3)
    rows, told = pool_rows(small_pools.test), drawn.drawn()
    assert [row.id for row in drawn.rows] == [row.id for row in rows] and drawn.dropped == {}
    assert all(asked.n_answer == 2 for asked in drawn.rows)  # a word or a digit, and the end
    assert told.n_tokens.shape == told.truncated.shape == told.thought_logprobs.shape == (len(rows), 3)
    assert len(told.logprobs) == told.n_tokens.sum() and len(told.answer_logprobs) == 2 * len(rows)
    assert len(told.option_logprobs) == sum(len(row.options) for row in rows) and (told.option_logprobs < 0).all()
    assert ((told.n_tokens == 4) | ~told.truncated).all()
    opened = small_pools.store.open(small_pools.store.put(drawn), Rollouts)
    assert same(opened, drawn)


class Killed(Exception):
    pass


def kill_after(chunks: int):
    calls = []

    def progress(done: int, total: int, **numbers: float) -> None:
        calls.append(done)
        if len(calls) == chunks:
            raise Killed

    return progress


def test_a_killed_draw_goes_on_bit_for_bit(
    small_pools: SmallPools, small_policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = changed(small_pools, _5={"prompt": "left " * 3000})
    whole = draw(small_policy, pool, params=LONG, seed=3)
    with pytest.raises(Killed):
        draw(small_policy, pool, params=LONG, seed=3, scratch=tmp_path, progress=kill_after(2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["draw-00000", "draw-00001"]
    read = []
    fitting = Prompts.fitting
    monkeypatch.setattr(Prompts, "fitting", lambda *given: read.append(given[1]) or fitting(*given))
    again = draw(small_policy, pool, params=LONG, seed=3, scratch=tmp_path)
    assert same(again, whole)
    assert sum(len(batch.places) for batch in read) == len(pool_rows(pool)) - 8  # two chunks of 4 were there


@pytest.mark.parametrize("data", [b"", b"0" * 30, None])
def test_a_torn_chunk_is_drawn_anew(
    data: bytes | None, small_pools: SmallPools, small_policy: Policy, tmp_path: Path
) -> None:
    whole = draw(small_policy, small_pools.test, params=LONG, seed=3, scratch=tmp_path)
    first = tmp_path / "draw-00000"
    first.write_bytes(first.read_bytes()[:-9] if data is None else data)
    assert same(draw(small_policy, small_pools.test, params=LONG, seed=3, scratch=tmp_path), whole)


def test_chunks_of_other_questions_are_not_taken(small_pools: SmallPools, small_policy: Policy, tmp_path: Path) -> None:
    draw(small_policy, small_pools.train, params=LONG, seed=3, scratch=tmp_path)
    found = draw(small_policy, small_pools.test, params=LONG, seed=3, scratch=tmp_path)
    assert same(found, draw(small_policy, small_pools.test, params=LONG, seed=3))


def test_a_prompt_over_the_context_is_dropped_and_said_so(small_pools: SmallPools, small_policy: Policy) -> None:
    pool = changed(small_pools, _3={"prompt": "left " * 2100})
    rows = pool_rows(pool)
    drawn = draw(small_policy, pool, params=LONG, seed=3)
    # 2,100 words; 16 tokens of the picture and 3 around it; <user>, its end and <assistant>
    assert drawn.dropped == {rows[3].id: "context: 2122 tokens of prompt and 4 of answer, the policy reads 2048"}
    assert [row.id for row in drawn.rows] == [row.id for row in rows if row is not rows[3]]
    assert drawn.summary()["dropped"] == 1 and len(drawn.drawn().texts) == len(rows) - 1
    others = draw(small_policy, small_pools.test, params=LONG, seed=3).drawn()
    assert drawn.drawn().texts == others.texts[:3] + others.texts[4:]


def test_a_pool_of_prompts_over_the_context_gives_no_rollouts(small_pools: SmallPools, small_policy: Policy) -> None:
    row = replace(pool_rows(small_pools.test)[0], prompt="left " * 2100)
    drawn = draw(small_policy, small_pools.kept(pool_of([row])), params=Draw(samples=2), seed=3)
    assert drawn.rows == [] and list(drawn.dropped) == [row.id] and drawn.drawn().n_tokens.shape == (0, 2)


def test_blind_rollouts_saw_no_picture_and_say_so(small_pools: SmallPools, small_policy: Policy) -> None:
    seeing = draw(small_policy, small_pools.test, params=LONG, seed=3)
    blind = draw(small_policy, small_pools.test, params=replace(LONG, blind=True), seed=3)
    assert not seeing.is_blind and blind.is_blind
    # 16 tokens of the picture and 3 around it
    assert [row.n_prompt for row in blind.rows] == [row.n_prompt - 19 for row in seeing.rows]
    opened = small_pools.store.open(small_pools.store.put(blind), Rollouts)
    assert opened.is_blind and same(opened, blind) and opened.summary()["blind"] is True
    probed = probe(seeing, small_pools.test, opened, params=Confidence())
    assert all(row.chance <= 1 for row in probed.rows)
    # a pool that has lost its pictures can be asked blind
    bare = pool_of([replace(row, frames_digest="0" * 64) for row in pool_rows(small_pools.test)])
    assert draw(small_policy, bare, params=replace(LONG, blind=True), seed=3).drawn().texts == blind.drawn().texts


def test_a_policy_that_gives_no_numbers_is_named(small_pools: SmallPools, small_policy: Policy) -> None:
    weights = {name: np.full_like(values, np.nan) for name, values in small_policy.tensors().items()}
    broken = Policy(small_policy.family, weights, small_policy.files())
    with pytest.raises(ValueError, match=r"gives NaN in torch\.float32, expected numbers"):
        draw(broken, small_pools.test, params=LONG, seed=3)


def test_no_questions_give_no_rollouts(small_pools: SmallPools, small_policy: Policy) -> None:
    drawn = draw(small_policy, Collection(Questions, {}), params=Draw(samples=2), seed=3)
    assert drawn.rows == [] and drawn.dropped == {} and drawn.drawn().n_tokens.shape == (0, 2)
    opened = small_pools.store.open(small_pools.store.put(drawn), Rollouts)
    assert opened.drawn().texts == [] and opened.summary() == {"questions": 0, "samples": 2, "tokens": 0}


def test_a_policy_that_takes_no_pictures_is_told_of(small_pools: SmallPools, small_policy: Policy) -> None:
    from nodes.policy.policy import load_model

    model, processor = load_model(small_policy)
    rows = pool_rows(small_pools.test)
    with pytest.raises(ValueError, match="'idefics3' takes no pictures, and questions show 1; expected a vision"):
        Prompts(model, processor.tokenizer, Rollout(), rows, small_pools.test)
    assert len(Prompts(model, processor.tokenizer, Rollout(), rows, None).batches(64)[0].places) > 1


def test_a_true_answer_without_room_is_named(small_pools: SmallPools, small_policy: Policy) -> None:
    pool = changed(small_pools, _2={"answer": "12.34", "kind": "number", "options": ()})
    with pytest.raises(ValueError, match=r"answer '12.34' is 5 tokens, expected at most rollout.max_tokens = 4"):
        draw(small_policy, pool, params=LONG, seed=3)


def test_an_empty_true_answer_is_named(small_pools: SmallPools, small_policy: Policy) -> None:
    pool = changed(small_pools, _2={"answer": " "})
    for params in (LONG, Draw(samples=2)):
        with pytest.raises(ValueError, match="answer ' ' has no token, expected some text"):
            draw(small_policy, pool, params=params, seed=3)


def test_params_come_from_a_table() -> None:
    params = msgspec.convert({"rollout": {"max_tokens": 6, "top_p": 0.95}, "samples": 4}, Draw)
    assert params.rollout.top_p == 0.95 and params.batch == 256


def test_a_server_has_a_backend_of_its_own() -> None:
    with pytest.raises(ValueError, match="backend = 'vllm' with a server"):
        Draw(backend="vllm", server=Server("https://host/v1", "m"))
