"""Probing: questions a CPU second with 8 rollouts each, by four ways, and where the time of a draw goes.

    python -m tests.bench.probe                           # both families, about five minutes
    python -m tests.bench.probe --families idefics3 --questions 96

The ways: `generate` on every prompt 8 times; `generate` with num_return_sequences = 8; ours, one prefill for all 8,
which also forces the true answer and every option; ours with answers of one token, drawn from their exact distribution.
Each way reads its pictures and words anew, draws at temperature 1, and is the best of `--times`. Policies are random
ones of the default width, whose answers hardly ever end, so an answer of up to 6 tokens takes 6.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

from nodes.policy.answers import ModelAnswerer
from nodes.policy.build import Build, build_tiny
from nodes.policy.policy import Policy
from nodes.policy.prefill import force, prefill
from nodes.policy.prompts import Prompts
from nodes.policy.rollout import Pictures, Rollout, prompt_messages
from nodes.policy.sampling import heights_of, sampler, say
from nodes.questions.question import Question, QuestionPool, Questions, pool_rows
from nodes.questions.synthesize import Synthesize, synthesize
from nodes.questions.vocabulary import words
from nodes.scenes.extract import Extract, extract
from nodes.scenes.list import ListRooms, list_rooms
from nodes.scenes.scene import Scene
from store.collection import Collection
from store.open import open_store

SAMPLES, TOKENS, BATCH = 8, 6, 64
PER_ROOM = 25


def made_pool(folder: str, n: int) -> QuestionPool:
    """Return a stored pool of n questions or a few more, on generated rooms."""
    store = open_store(folder)
    listed = list_rooms(params=ListRooms(style="new", count=-(-n // PER_ROOM)))
    made = {key: extract(listed[key], params=Extract(frames=4)) for key in listed}
    scenes = store.open(store.put(Collection(Scene, made)), Collection[Scene])
    asked = {key: synthesize(scenes[key], None, None, params=Synthesize(per_scene=PER_ROOM), seed=1) for key in scenes}
    return store.open(store.put(Collection(Questions, asked)), Collection[Questions])


def generate(answerer: ModelAnswerer, rows: Sequence[Question], pool: QuestionPool, repeat: bool, tokens: int) -> None:
    """Draw by `generate`, every prompt 8 times or once with num_return_sequences."""
    import torch

    pictures, each = Pictures(pool), SAMPLES if repeat else 1
    for start in range(0, len(rows), BATCH // each):
        chunk = [row for row in rows[start : start + BATCH // each] for _ in range(each)]
        images = [pictures.of(row) for row in chunk]
        messages = [prompt_messages(row, shown) for row, shown in zip(chunk, images, strict=True)]
        texts = [
            answerer.processor.apply_chat_template(one, add_generation_prompt=True, tokenize=False) for one in messages
        ]
        inputs = answerer.processor(text=texts, images=images, padding=True, padding_side="left", return_tensors="pt")
        inputs = inputs.to(answerer.model.device)
        more: dict[str, Any] = {} if repeat else {"num_return_sequences": SAMPLES}
        with torch.no_grad():
            answerer.model.generate(**inputs, do_sample=True, top_k=0, max_new_tokens=tokens, **more)


def speed(work: Callable[[], object], questions: int, times: int) -> float:
    """Return questions a CPU second, the best of some times."""
    seconds = []
    for _ in range(times):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return questions / min(seconds)


def compare(policy: Policy, pool: QuestionPool, n: int, times: int) -> list[tuple[str, float, float]]:
    """Return each way's questions a CPU second, with answers of up to 6 tokens and of one."""
    rows = pool_rows(pool)[:n]
    answerers = {tokens: ModelAnswerer(policy, Rollout(max_tokens=tokens), BATCH) for tokens in (TOKENS, 1)}
    for tokens in answerers:
        answerers[tokens].draw(rows[:8], pool, SAMPLES, 1)  # what is loaded at first use
    found = []
    for name, repeat in (("generate, each prompt 8 times", True), ("generate, num_return_sequences = 8", False)):
        both = [
            speed(lambda t=tokens, r=repeat: generate(answerers[t], rows, pool, r, t), n, times)  # type: ignore[misc]
            for tokens in answerers
        ]
        found.append((name, *both))
    ours = [speed(lambda t=tokens: answerers[t].draw(rows, pool, SAMPLES, 1), n, times) for tokens in answerers]  # type: ignore[misc]
    return [*found, ("one prefill for all 8", *ours)]  # type: ignore[list-item]


def parts(policy: Policy, pool: QuestionPool, tokens: int) -> dict[str, float]:
    """Return the CPU seconds of each part of a draw of the whole pool."""
    rows, spent = pool_rows(pool), dict.fromkeys(("words", "lengths", "pictures", "prefill", "forced", "said"), 0.0)
    answerer = ModelAnswerer(policy, Rollout(max_tokens=tokens), 256)

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start = time.process_time()
        made = work()
        spent[name] += time.process_time() - start
        return made

    prompts = timed("words", lambda: Prompts(answerer.model, answerer.processor, answerer.rollout, rows, pool))
    for batch in timed("lengths", lambda: prompts.batches(256)):
        asked = [rows[place] for place in batch.places]
        inputs, _, _ = timed("pictures", lambda batch=batch: prompts.fitting(batch, tokens))
        context = timed("prefill", lambda inputs=inputs: prefill(answerer.model, inputs))
        wanted = [answerer.speech.forced(row).branches for row in asked]
        timed("forced", lambda context=context, wanted=wanted: force(context, wanted))
        choose = sampler(heights_of(1, [row.id for row in asked], SAMPLES, tokens), 1.0, 1.0)
        timed("said", lambda context=context, c=choose: list(say(context, c, answerer.speech.ends, SAMPLES, tokens)))
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", default=["idefics3", "qwen3_vl"])
    parser.add_argument("--questions", type=int, default=192)
    parser.add_argument("--times", type=int, default=2)
    given = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        pool = made_pool(folder, 1000)
        for family in given.families:
            policy = build_tiny(Build(family=family), words(), seed=1)
            found = compare(policy, pool, given.questions, given.times)
            print(f"\n{family}, questions a CPU second       up to 6 tokens     one token")
            for name, long, short in found:
                print(f"{name:36} {long:8.0f} {long / found[0][1]:5.1f}x {short:8.0f} {short / found[0][2]:5.1f}x")
            for tokens in (1, TOKENS):
                told = "  ".join(f"{name} {seconds:.2f}" for name, seconds in parts(policy, pool, tokens).items())
                print(f"{len(pool_rows(pool))} questions, {tokens} tokens, CPU seconds: {told}")


if __name__ == "__main__":
    main()
