"""Updates over bare TRL with the same settings: CPU seconds a step, what surrounds the steps, peak memory.

    python -m tests.bench.update [--steps 12] [--turns 3] [--rooms 40] [--pictures 16] [--questions 8]

Ours and a script that calls TRL as its documentation does, with all pictures in memory, take turns in processes of
their own on one thread. A step is the median of all but the first two; `around` is the whole body without
them and without imports: opening, setting up, the first step, storing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

RUN = "from tests.bench.update import {side}; {side}({kind!r}, {store!r}, {policy!r}, {questions!r}, {steps}, {how!r})"


class How(NamedTuple):
    """What is measured: the sizes of a step, how questions are put, and an adapter's rank (0: all weights)."""

    grpo: dict[str, int]
    sft: dict[str, int]
    rollout: dict[str, Any]
    rank: int = 0


TINY = How({"prompts": 32, "group": 4}, {"batch": 16, "turns": 8}, {})


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--steps", type=int, default=12)
    options.add_argument("--turns", type=int, default=3)
    options.add_argument("--rooms", type=int, default=40, help="to ask about")
    options.add_argument("--pictures", type=int, default=16, help="a room")
    options.add_argument("--questions", type=int, default=8, help="a picture")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(folder, given.steps, given.turns, TINY, make(folder, given.rooms, given.pictures, given.questions))


def compare(folder: str, steps: int, turns: int, how: How, where: dict[str, str]) -> None:
    """Have ours and bare TRL take turns; print the medians of both, side by side."""
    for kind in ("sft", "grpo"):
        told: dict[str, list[dict[str, float]]] = {"ours": [], "bare": []}
        for _ in range(turns):
            for side in told:
                told[side].append(run(side, kind, folder, steps, how, where))
        for name in told["ours"][0]:
            ours, bare = (statistics.median(one[name] for one in told[side]) for side in ("ours", "bare"))
            print(f"{kind:5} {name:13} ours {ours:9.3f}  bare {bare:9.3f}  ratio {ours / bare:.3f}", flush=True)


def make(folder: str, rooms: int, pictures: int = 16, per_frame: int = 8) -> dict[str, str]:
    """Store a policy and a pool of image questions; return their digests."""
    from nodes.policy.build import Build, build_tiny
    from nodes.questions.question import Questions
    from nodes.questions.synthesize import Synthesize, synthesize
    from nodes.questions.vocabulary import words
    from nodes.scenes.extract import Extract, extract
    from nodes.scenes.list import ListRooms, list_rooms
    from nodes.scenes.scene import Scene
    from store.collection import Collection
    from store.open import open_store

    store = open_store(folder)
    listed = list_rooms(params=ListRooms(style="new", count=rooms))
    made = Collection(Scene, {key: extract(listed[key], params=Extract(frames=pictures)) for key in listed})
    scenes = store.open(store.put(made), Collection[Scene])
    asked = {key: synthesize(scenes[key], None, None, params=Synthesize(per_frame=per_frame), seed=1) for key in scenes}
    policy = build_tiny(Build(), words(), seed=1)
    return {"policy": store.put(policy), "questions": store.put(Collection(Questions, asked))}


def run(side: str, kind: str, folder: str, steps: int, how: How, where: dict[str, str]) -> dict[str, float]:
    """Return what one side told, in a process of its own."""
    program = RUN.format(side=side, kind=kind, store=folder, steps=steps, how=tuple(how), **where)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def ours(kind: str, folder: str, policy: str, questions: str, steps: int, given: tuple[Any, ...]) -> None:
    from nodes.policy.lora import Lora
    from nodes.policy.policy import Policy
    from nodes.policy.rollout import Rollout
    from nodes.questions.question import Questions
    from nodes.update.grpo import Grpo, grpo
    from nodes.update.sft import Sft, sft
    from nodes.update.update import Update
    from store.collection import Collection
    from store.open import open_store

    warm()
    how = How(*given)
    clock = Clock(how)
    store = open_store(folder)
    asked = store.open(policy, Policy), store.open(questions, Collection[Questions])
    more: dict[str, Any] = {"rollout": Rollout(**how.rollout), "lora": Lora(rank=how.rank) if how.rank else None}
    progress: Any = lambda done, total, **_: clock.tick() if done else None  # noqa: E731 (0: what it will take)
    if kind == "sft":
        update: Update = sft(*asked, params=Sft(steps=steps, **how.sft, **more), seed=1, progress=progress)
    else:
        update = grpo(*asked, params=Grpo(steps=steps, **how.grpo, **more), seed=1, progress=progress)
    store.put(update)
    clock.tell()


def bare(kind: str, folder: str, policy: str, questions: str, steps: int, given: tuple[Any, ...]) -> None:
    """Train as TRL's documentation does, with rows that hold their pictures."""
    from nodes.policy.policy import Policy
    from nodes.policy.processors import open_processor
    from nodes.policy.rollout import Pictures, Rollout, prompt_text
    from nodes.questions.question import Questions, pool_rows
    from nodes.rewards.accuracy import accuracy_of
    from store.collection import Collection
    from store.open import open_store

    store = open_store(folder)
    pool = store.open(questions, Collection[Questions])
    model_folder = tempfile.mkdtemp()
    _write_folder(store.open(policy, Policy), model_folder)
    warm()
    how = How(*given)
    clock, rollout = Clock(how), Rollout(**how.rollout)
    rows, pictures = pool_rows(pool), Pictures(pool)
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForImageTextToText, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

    class Tick(TrainerCallback):
        def on_log(self, *_: Any, **__: Any) -> None:
            clock.tick()

    dtype = rollout.dtype if how.rank else "float32"
    model = AutoModelForImageTextToText.from_pretrained(model_folder, dtype=dtype)
    processor = open_processor(Path(model_folder), model.config.model_type)  # theirs wants a video part
    common = {
        "output_dir": tempfile.mkdtemp(), "max_steps": steps, "use_cpu": rollout.device == "cpu",
        "bf16": rollout.dtype == "bfloat16", "report_to": [],
        "gradient_checkpointing": False, "save_strategy": "no", "logging_steps": 1, "disable_tqdm": True,
        "remove_unused_columns": False, "seed": 1,
    }  # fmt: skip
    adapter = LoraConfig(r=how.rank, lora_alpha=16, target_modules="all-linear") if how.rank else None
    more: dict[str, Any] = {"peft_config": adapter} if adapter else {}
    if kind == "sft":
        from nodes.update.conversations import conversations
        from nodes.update.lengths import Lengths
        from nodes.update.sft import conversation_row

        lengths = Lengths(processor, pictures, rollout)
        talks, _ = conversations(rows, [row.answer for row in rows], how.sft["turns"], 1, lengths, 2048)
        data = Dataset.from_list([conversation_row(talk.rows, pictures, rollout) for talk in talks])
        config = SFTConfig(
            **common,
            per_device_train_batch_size=how.sft["batch"],
            learning_rate=3e-3,
            assistant_only_loss=True,
            max_length=None,
        )
        trainer: Any = SFTTrainer(
            model, args=config, train_dataset=data, processing_class=processor, callbacks=[Tick()], **more
        )
    else:
        data = Dataset.from_list(
            [
                {
                    "prompt": [{"role": "user", "content": prompt_text(row)}],
                    "images": pictures.of(row),
                    "place": index,
                }
                for index, row in enumerate(rows)
            ]
        )

        def accuracy(completions: list, place: list, **_: Any) -> list[float]:
            return [accuracy_of(said[0]["content"], rows[i]) for said, i in zip(completions, place)]

        config = GRPOConfig(
            **common, per_device_train_batch_size=how.grpo["prompts"] * how.grpo["group"],
            num_generations=how.grpo["group"], max_completion_length=rollout.max_tokens, learning_rate=3e-4,
        )  # fmt: skip
        trainer = GRPOTrainer(
            model, accuracy, args=config, train_dataset=data, processing_class=processor, callbacks=[Tick()], **more
        )
    trainer.train()
    trainer.model.save_pretrained(tempfile.mkdtemp())
    clock.tell()


def _write_folder(policy: Any, folder: str) -> None:
    from nodes.policy.policy import load_model

    model, processor = load_model(policy)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def warm() -> None:
    """Import what both need, as the child of a worker has after its first update."""
    from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer  # noqa: F401


class Clock:
    """CPU seconds and memory of the process; on a GPU seconds by the wall, and the GPU's memory."""

    def __init__(self, how: How) -> None:
        self._is_gpu = how.rollout.get("device") == "cuda"
        self._now = time.perf_counter if self._is_gpu else time.process_time
        self._began, self._ticks = self._now(), list[float]()

    def tick(self) -> None:
        self._ticks.append(self._now())

    def tell(self) -> None:
        """Print the median of the steps, what surrounds them, and the peak of memory."""
        ticks, whole_s = self._ticks, self._now() - self._began
        steps = [after - before for before, after in itertools.pairwise(ticks)]
        around = whole_s - (ticks[-1] - ticks[0])
        print(json.dumps({"step_s": statistics.median(steps[1:]), "around_s": around, "peak_mib": self._peak_mib()}))

    def _peak_mib(self) -> float:
        if self._is_gpu:
            import torch

            return torch.cuda.max_memory_allocated() / (1 << 20)
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
