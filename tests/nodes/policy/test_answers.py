"""Draws and forced answers from one prefill, beside a slow reference: every prompt alone, without a cache."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from nodes.policy.answers import Asking, ModelAnswerer
from nodes.policy.build import Build, build_tiny
from nodes.policy.lora import Lora, add_lora, merged
from nodes.policy.policy import Policy, load_model, policy_from
from nodes.policy.prefill import Branch, Context, force, prefill
from nodes.policy.prompts import Batch, Prompts, length_multiple, padded
from nodes.policy.rollout import Pictures, Rollout, prompt_messages
from nodes.policy.sampling import Said, draw_tokens, heights_of, nucleus, sampler, say, uniform
from nodes.policy.speech import Speech
from nodes.questions.question import Question, QuestionPool, pool_rows
from nodes.questions.vocabulary import words
from tests.nodes.conftest import SmallPools

FAMILIES = ["idefics3", "smolvlm", "llava", "qwen2_5_vl", "qwen3_vl"]


def tiny(family: str) -> Policy:
    return build_tiny(Build(family=family, width=32, vision_width=32), words(), seed=1)  # type: ignore[arg-type]


def mixed(pool: QuestionPool, n: int = 6) -> list[Question]:
    """Questions of different lengths: every second one shows two frames more."""
    rows = pool_rows(pool)[:n]
    return [replace(row, frames=(*row.frames, 0, 1)) if place % 2 else row for place, row in enumerate(rows)]


def read_batch(answerer: ModelAnswerer, rows: list[Question], pool: QuestionPool | None) -> Context:
    prompts = Prompts(answerer.model, answerer.processor, answerer.rollout, rows, pool)
    inputs, kept, _ = prompts.fitting(Batch(list(range(len(rows))), 16), answerer.rollout.max_tokens)
    assert len(kept) == len(rows)
    return prefill(answerer.model, inputs)


def logits_alone(
    answerer: ModelAnswerer, question: Question, pool: QuestionPool | None, after: list[int]
) -> torch.Tensor:
    """Return (len(after) + 1, V) logits of a prompt and what follows it, in one forward pass without padding."""
    images = None if pool is None else [Pictures(pool).of(question)]
    messages = prompt_messages(question, images and images[0], answerer.rollout.template)
    text = answerer.processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    given: dict[str, Any] = dict(answerer.processor(text=[text], images=images, return_tensors="pt"))
    more = torch.tensor([after], dtype=torch.int64)
    given["input_ids"] = torch.cat([given["input_ids"], more], dim=1)
    given["attention_mask"] = torch.ones_like(given["input_ids"])
    if "mm_token_type_ids" in given:
        given["mm_token_type_ids"] = torch.cat([given["mm_token_type_ids"], torch.zeros_like(more)], dim=1)
    with torch.no_grad():
        logits: torch.Tensor = answerer.model(**given, use_cache=False).logits[0, -len(after) - 1 :]
    return logits


def logprobs_alone(answerer: ModelAnswerer, question: Question, pool: Any, after: list[int]) -> np.ndarray:
    logits = logits_alone(answerer, question, pool, after)[:-1].double().log_softmax(-1)
    return logits.gather(-1, torch.tensor(after)[:, None])[:, 0].numpy()


def without_pictures(answerer: ModelAnswerer) -> torch.Tensor:
    """Return (V,) true for tokens that stand for a picture, which a forward pass would want a picture for."""
    vocabulary = answerer.processor.tokenizer.get_vocab()
    mask = torch.zeros(len(vocabulary), dtype=torch.bool)
    mask[[vocabulary[name] for name in ("<image>", "<|image_pad|>", "<|video_pad|>")]] = True
    return mask


def draw(answerer: ModelAnswerer, rows: list[Question], pool: QuestionPool | None, samples: int) -> list[Said]:
    rollout = answerer.rollout
    chosen = sampler(heights_of(3, [row.id for row in rows], samples, rollout.max_tokens), rollout.temperature, 1.0)
    mask = without_pictures(answerer)
    return list(
        say(
            read_batch(answerer, rows, pool),
            lambda step, at, logits: chosen(step, at, logits.masked_fill(mask, -torch.inf)),
            answerer.speech.ends,
            samples,
            rollout.max_tokens,
        )
    )


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_sample_is_as_probable_as_read_alone(family: str, blind: bool, small_pools: SmallPools) -> None:
    rows, pool = mixed(small_pools.test), None if blind else small_pools.test
    answerer = ModelAnswerer(tiny(family), Rollout(max_tokens=6, frames=3, temperature=0.7), batch=6)
    mask, seen = without_pictures(answerer), 0
    for said in draw(answerer, rows, pool, samples=8):
        for at, row in enumerate(said.rows):
            for k in range(8):
                tokens = said.tokens[at, k, : said.n_tokens[at, k]].tolist()
                logits = logits_alone(answerer, rows[row], pool, tokens)[:-1].masked_fill(mask, -torch.inf) / 0.7
                alone = logits.double().log_softmax(-1).gather(-1, torch.tensor(tokens)[:, None])[:, 0].numpy()
                assert said.logprobs[at, k, : len(tokens)] == pytest.approx(alone, abs=1e-4)
                assert said.truncated[at, k] == (tokens[-1] not in answerer.speech.ends)
                seen += 1
    assert seen == 8 * len(rows)


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_that_end_early_leave_the_others_as_they_were(family: str, small_pools: SmallPools) -> None:
    rows = mixed(small_pools.test, 4)
    answerer = ModelAnswerer(tiny(family), Rollout(max_tokens=6, frames=3), batch=4)
    end, word = answerer.speech.end, answerer.speech.ids("left")[0]
    lengths = torch.tensor([[1, 2], [6, 3], [1, 1], [4, 5]])  # (B, K) tokens with the end; the second may be cut off

    def choose(step: int, at: torch.Tensor, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = torch.where(lengths[at] == step + 1, end, word)
        each = logits.double().log_softmax(-1).expand(-1, 2, -1)
        return tokens, each.gather(-1, tokens[..., None])[..., 0]

    parts = list(say(read_batch(answerer, rows, small_pools.test), choose, {end}, 2, 6))
    assert [part.rows for part in parts] == [
        [0, 2],
        [3],
        [1],
    ]  # half of them have ended after two tokens, then after five
    for part in parts:
        for at, row in enumerate(part.rows):
            assert part.n_tokens[at].tolist() == lengths[row].tolist() and not part.truncated[at].any()
            for k in range(2):
                tokens = [word] * (int(lengths[row, k]) - 1) + [end]
                alone = logprobs_alone(answerer, rows[row], small_pools.test, tokens)
                assert part.logprobs[at, k, : len(tokens)] == pytest.approx(alone, abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_samples_are_as_frequent_as_they_are_probable(family: str, small_pools: SmallPools) -> None:
    question = pool_rows(small_pools.test)[0]
    answerer = ModelAnswerer(tiny(family), Rollout(max_tokens=2), batch=1)
    [said] = draw(answerer, [question], small_pools.test, samples=4000)
    mask = without_pictures(answerer)
    first = logits_alone(answerer, question, small_pools.test, [])[0].masked_fill(mask, -torch.inf).softmax(-1)
    likely = int(first.argmax())
    after = logits_alone(answerer, question, small_pools.test, [likely])[1].masked_fill(mask, -torch.inf).softmax(-1)
    pairs = said.tokens[0]
    for drawn, p in ((pairs[:, 0], first), (pairs[pairs[:, 0] == likely, 1], after)):
        counts = Counter(drawn.tolist())
        for token in p.argsort(descending=True)[:5].tolist():
            expected, n = float(p[token]), len(drawn)
            # five standard errors of a share of n draws
            assert abs(counts[token] / n - expected) < 5 * (expected * (1 - expected) / n) ** 0.5


@pytest.mark.parametrize("family", FAMILIES)
def test_forced_answers_are_as_probable_as_read_alone(family: str, small_pools: SmallPools) -> None:
    rows = mixed(small_pools.test)
    rows = [replace(row, kind="number", options=(), answer=said) for row, said in zip(rows, ["2.3", "221", "7"] * 2)]
    answerer = ModelAnswerer(tiny(family), Rollout(max_tokens=6, frames=3), batch=4)
    draws = answerer.draw(rows, small_pools.test, 2, 3)
    assert draws.n_answer == [4, 4, 2, 4, 4, 2]  # "2", ".", "3" and the end
    parts = np.split(draws.drawn.answer_logprobs, np.cumsum(draws.n_answer)[:-1])
    for row, found in zip(rows, parts, strict=True):
        tokens = [*answerer.speech.ids(row.answer), answerer.speech.end]
        assert found == pytest.approx(logprobs_alone(answerer, row, small_pools.test, tokens), abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_option_is_forced_with_its_end(family: str, small_pools: SmallPools) -> None:
    first, second = pool_rows(small_pools.test)[:2]
    lettered = replace(first, options=("A. left", "B. right side", "C. 2.5"), answer="B")
    worded = replace(second, options=("yes", "left side"), answer="yes")
    answerer = ModelAnswerer(tiny(family), Rollout(max_tokens=6), batch=2)
    drawn = answerer.draw([lettered, worded], small_pools.test, 2, 3).drawn
    asked = [(lettered, said) for said in "ABC"] + [(worded, said) for said in worded.options]
    joint = [
        logprobs_alone(answerer, row, small_pools.test, [*answerer.speech.ids(said), answerer.speech.end]).sum()
        for row, said in asked
    ]
    assert drawn.option_logprobs == pytest.approx(joint, abs=1e-4)


def test_options_of_one_token_are_first_tokens_and_longer_ones_cannot_be_said(small_pools: SmallPools) -> None:
    row = replace(pool_rows(small_pools.test)[0], options=("yes", "left side"), answer="yes")
    answerer = ModelAnswerer(tiny("idefics3"), Rollout(), batch=2)
    draws = answerer.draw([row], small_pools.test, 2, 3)
    yes = logprobs_alone(answerer, row, small_pools.test, list(answerer.speech.ids("yes")))
    assert draws.n_answer == [1] and draws.drawn.answer_logprobs == pytest.approx(yes, abs=1e-4)
    assert draws.drawn.option_logprobs.tolist() == [draws.drawn.answer_logprobs[0], -np.inf]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_answer_after_a_thought_sees_that_thought_alone(family: str, small_pools: SmallPools) -> None:
    rows = [replace(row, answer="2.3") for row in mixed(small_pools.test, 2)]
    answerer = ModelAnswerer(tiny(family), Rollout(template="think", max_tokens=12, frames=3), batch=2)
    speech = answerer.speech
    texts = ["<think>left</think>", "<think>box is right</think>", "<think>no end"]  # K = 3
    scripts = [[*speech.ids(text), speech.end, *[0] * 12][:12] for text in texts]

    def choose(step: int, at: torch.Tensor, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = torch.tensor([script[step] for script in scripts]).expand(len(at), -1)
        return tokens, tokens.double()

    [said] = list(say(read_batch(answerer, rows, small_pools.test), choose, speech.ends, 3, 12))
    found = answerer._thoughts(said, [Asking(row, speech.forced(row)) for row in rows])
    for at, row in enumerate(said.rows):
        answer = speech.ids("2.3")
        for k, text in enumerate(texts[:2]):
            tokens = [*speech.ids(text), *speech.ids("\n<answer>"), *answer]
            alone = logprobs_alone(answerer, rows[row], small_pools.test, tokens)[-3:]
            assert found[at, k] == pytest.approx(alone.mean(), abs=1e-4)
        assert np.isnan(found[at, 2])


def test_under_think_an_answer_stands_inside_its_tags(small_pools: SmallPools) -> None:
    row = replace(pool_rows(small_pools.test)[0], kind="number", options=(), answer="7")
    answerer = ModelAnswerer(tiny("idefics3"), Rollout(template="think", max_tokens=4), batch=2)
    draws = answerer.draw([row], small_pools.test, 2, 3)
    tokens = [*answerer.speech.ids("<answer>"), *answerer.speech.ids("7"), *answerer.speech.ids("</answer>")]
    alone = logprobs_alone(answerer, row, small_pools.test, tokens)[-2:]
    assert draws.n_answer == [2] and draws.drawn.answer_logprobs == pytest.approx(alone, abs=1e-4)
    assert np.isnan(draws.drawn.thought_logprobs).all()  # nothing that a random policy says ends a thought


@pytest.mark.parametrize("family", FAMILIES)
def test_one_token_is_drawn_from_its_exact_distribution(family: str, small_pools: SmallPools) -> None:
    rows = pool_rows(small_pools.test)[:5]
    answerer = ModelAnswerer(tiny(family), Rollout(temperature=1.3), batch=5)
    drawn = answerer.draw(rows, small_pools.test, 8, 3).drawn
    for row, texts, said in zip(rows, drawn.texts, drawn.logprobs.reshape(-1, 8), strict=True):
        logits = logits_alone(answerer, row, small_pools.test, [])[0]
        cold = (logits / 1.3).double().log_softmax(-1).numpy()
        tokens = np.searchsorted(np.exp(cold).cumsum(), uniform(3, row.id, 8), side="right")
        assert texts == answerer.speech.decode([(int(token),) for token in tokens])
        assert said == pytest.approx(cold[tokens], abs=1e-4)
    assert not drawn.truncated.any() and (drawn.n_tokens == 1).all()


@pytest.mark.parametrize("family", ["idefics3", "qwen3_vl"])
def test_an_adapter_draws_as_the_model_that_it_makes(family: str, small_pools: SmallPools) -> None:
    model, processor = load_model(tiny(family))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = add_lora(model, Lora(rank=4))
    for parameter in model.parameters():
        parameter.data += 0.05 * parameter.requires_grad
    adapted, rows, rollout = policy_from(model, processor, ()), mixed(small_pools.test), Rollout(max_tokens=4, frames=3)
    one = ModelAnswerer(adapted, rollout, 6).draw(rows, small_pools.test, 4, 3).drawn
    other = ModelAnswerer(merged(adapted), rollout, 6).draw(rows, small_pools.test, 4, 3).drawn
    assert one.texts == other.texts and one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_neighbours_in_a_batch_change_no_draw(family: str, small_pools: SmallPools) -> None:
    rows = mixed(small_pools.test, 12)
    rollout = Rollout(max_tokens=5, frames=3)
    together = ModelAnswerer(tiny(family), rollout, batch=12).draw(rows, small_pools.test, 4, 3)
    alone = ModelAnswerer(tiny(family), rollout, batch=1).draw(rows[3:8], small_pools.test, 4, 3)
    assert together.drawn.texts[3:8] == alone.drawn.texts
    ends = together.drawn.n_tokens.sum(1).cumsum()
    assert together.drawn.logprobs[ends[2] : ends[7]] == pytest.approx(alone.drawn.logprobs, abs=1e-5)
    assert together.drawn.texts != ModelAnswerer(tiny(family), rollout, 12).draw(rows, small_pools.test, 4, 4)[0].texts


def test_short_answers_are_the_beginnings_of_long_ones(small_pools: SmallPools, small_policy: Policy) -> None:
    rows = pool_rows(small_pools.test)[:6]
    one, four = (
        ModelAnswerer(small_policy, Rollout(max_tokens=n), batch=6).draw(rows, small_pools.test, 8, 3).drawn
        for n in (1, 4)
    )
    for short, long in zip(chain(*one.texts), chain(*four.texts), strict=True):
        assert long.startswith(short)


def test_prompts_are_put_by_length_and_come_back_in_order(small_pools: SmallPools, small_policy: Policy) -> None:
    rows = mixed(small_pools.test, 10)
    answerer = ModelAnswerer(small_policy, Rollout(frames=3), batch=4)
    batches = Prompts(answerer.model, answerer.processor, Rollout(frames=3), rows, small_pools.test).batches(4)
    assert sorted(place for batch in batches for place in batch.places) == list(range(10))
    # one frame: odd and even places differ by 2 frames of 16 tokens and 3 around them
    assert all(len({place % 2 for place in batch.places}) == 1 for batch in batches)
    alone = [answerer.best([row], small_pools.test).texts[0] for row in rows]
    assert answerer.best(rows, small_pools.test).texts == alone


def test_little_of_a_prompt_is_padding() -> None:
    assert [padded(n) for n in (1, 16, 17, 250, 257, 600, 5000)] == [16, 16, 32, 256, 288, 640, 5120]
    assert all(padded(n) - n < max(16, n / 8 + 1) for n in range(1, 5000))
    assert length_multiple(5000) == 512


def test_a_prompt_that_several_questions_share_is_read_once(small_pools: SmallPools, small_policy: Policy) -> None:
    row = pool_rows(small_pools.test)[0]
    variants = [replace(row, id=said, options=("yes", "no"), answer=said) for said in ("yes", "no", "left")]
    answerer = ModelAnswerer(small_policy, Rollout(max_tokens=3), batch=6)
    sizes: list[int] = []
    whole = answerer.model.forward

    def forward(**given: Any) -> Any:
        sizes.append(len(given["input_ids"]))
        return whole(**given)

    answerer.model.forward = forward
    best = answerer.best(variants, small_pools.test)
    assert set(sizes) == {1}
    for variant, p in zip(variants, best.p_answer, strict=True):
        alone = logprobs_alone(answerer, variant, small_pools.test, list(answerer.speech.ids(variant.answer)))
        assert p == pytest.approx(np.exp(alone[0]), rel=1e-4)


def test_the_nucleus_is_the_smallest_set_that_holds_its_share() -> None:
    p = torch.tensor([[0.2, 0.5, 0.3]], dtype=torch.float64)
    assert nucleus(p, 0.5).tolist() == [[0, 0.5, 0]]
    assert nucleus(p, 0.6).tolist() == [[0, 0.5, 0.3]]
    # of .5 and .3 the second token has .5 / .8 = .625, and tells .7 as the whole vocabulary has it
    heights = torch.tensor([[0.0, 0.624, 0.626, 0.999]], dtype=torch.float64)
    tokens, logprobs = draw_tokens(p.log().float(), heights, 1.0, 0.6)
    assert tokens.tolist() == [[1, 1, 2, 2]]
    assert logprobs.exp()[0].tolist() == pytest.approx([0.5, 0.5, 0.3, 0.3])


def test_an_answer_is_what_the_chat_template_makes_of_it(small_policy: Policy) -> None:
    answerer = ModelAnswerer(small_policy, Rollout(max_tokens=2), batch=1)
    processor = answerer.processor
    # This template says a word before every answer and closes it with another end.
    processor.chat_template = processor.chat_template.replace(
        "<assistant>{% generation %}", "<assistant>{% generation %}the "
    )
    speech = Speech(processor, answerer.model.generation_config, Rollout(max_tokens=3))
    assert speech._tokens("left") == (*speech.ids("the"), *speech.ids("left"))
    assert speech.end == processor.tokenizer.eos_token_id


def test_a_branch_of_the_prompt_alone_needs_no_cache(small_pools: SmallPools, small_policy: Policy) -> None:
    answerer = ModelAnswerer(small_policy, Rollout(), batch=1)
    context = read_batch(answerer, pool_rows(small_pools.test)[:1], small_pools.test)
    [
        [one],
    ] = force(context, [[Branch((5,))]])
    assert one == pytest.approx([float(context.logits[0].double().log_softmax(-1)[5])]) and context.n_after == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_pictures_that_questions_share_are_seen_once(family: str, small_pools: SmallPools) -> None:
    rows = [
        replace(row, frames=(0, 1, 2)[: 1 + place % 3]) for place, row in enumerate(pool_rows(small_pools.test)[:6])
    ]
    answerer = ModelAnswerer(tiny(family), Rollout(frames=3), batch=6)
    prompts = Prompts(answerer.model, answerer.processor, answerer.rollout, rows, small_pools.test)
    put, _, _ = prompts.fitting(Batch(list(range(6)), 16), 1)
    assert put.uses == [0, 1, 2, 0, 1, 2]
    logits = prefill(answerer.model, put).logits
    for row, found in zip(rows, logits, strict=True):
        alone = logits_alone(answerer, row, small_pools.test, [])[0]
        assert found.numpy() == pytest.approx(alone.numpy(), abs=1e-4)
