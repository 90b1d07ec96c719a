"""Group relative policy optimisation: TRL's GRPOTrainer on questions whose answers can be checked.

Source: GRPO, arXiv:2402.03300, as TRL runs it: loss "dapo" (arXiv:2503.14476), no KL term and no reference model,
rewards scaled by the group's standard deviation. There is no dynamic sampling: choosing questions is `select`'s work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from graph.node import Named, Progress, node
from nodes.policy.policy import Policy, load_model, policy_from
from nodes.policy.rollout import Pictures, Rollout, check_frames, prompt_text
from nodes.questions.question import Question, QuestionPool, pool_rows
from nodes.rewards.accuracy import accuracy
from nodes.rewards.reward import Reward
from nodes.update.trainer import common_settings, lazy_dataset, run_trainer, trainer_room
from nodes.update.update import Update


class Grpo(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `update.grpo`."""

    rollout: Rollout = Rollout()
    steps: Annotated[int, Meta(ge=1, description="optimiser steps", extra={"unit": "steps"})] = 40
    prompts: Annotated[int, Meta(ge=1, description="questions a step")] = 32
    group: Annotated[int, Meta(ge=2, description="rollouts a question")] = 4
    learning_rate: Annotated[float, Meta(gt=0, description="highest learning rate (AdamW)")] = 3e-4
    schedule: Annotated[Literal["linear", "cosine", "constant"], Meta(description="of the learning rate, by steps")] = (
        "linear"
    )


@node("update.grpo", version=1, packages=("torch", "transformers", "trl", "accelerate", "tokenizers", "pillow"))
def grpo(
    policy: Policy, questions: QuestionPool, *, params: Grpo, seed: int, progress: Progress | None = None
) -> Update:
    """Return the policy after `steps` steps on the questions, in an order that the seed draws.

    Raises:
        ValueError: fewer questions than one step takes, or one shows more frames than the rollout allows.
    """
    rows = pool_rows(questions)
    if len(rows) < params.prompts:
        raise ValueError(f"update.grpo: {len(rows)} questions, expected at least params.prompts = {params.prompts}")
    check_frames(rows, params.rollout)
    with trainer_room(seed) as folder:
        from trl import GRPOConfig, GRPOTrainer

        config = GRPOConfig(
            **common_settings(folder, seed, params.steps, params.learning_rate, params.schedule),
            per_device_train_batch_size=params.prompts * params.group,
            num_generations=params.group,
            max_completion_length=params.rollout.max_tokens,
            temperature=params.rollout.temperature,
        )
        model, processor = load_model(policy)
        take_blanks(processor)
        pictures = Pictures(questions)
        trainer = GRPOTrainer(
            model=model,
            reward_funcs=[_reward(named, rows, first=not place) for place, named in enumerate(params.rollout.rewards)],
            args=config,
            processing_class=processor,
            train_dataset=lazy_dataset(len(rows), lambda index: _prompt(index, rows[index], pictures)),
        )
        log = run_trainer(trainer, params.steps, progress, shown=("reward", "loss"))
        places = [*policy.trained_places, *(name for row in rows for name in (row.place, row.scene) if name)]
        return Update(policy_from(model.eval(), processor, places), log)


def take_blanks(processor: Any) -> None:
    """Have a processor take None for the pictures of a prompt that shows none: TRL says so, processors want `[]`."""
    kind = type(processor)

    def call(self: Any, images: Any = None, *args: Any, **options: Any) -> Any:
        if isinstance(images, list) and any(row is None for row in images):
            images = [row or [] for row in images]
        return kind.__call__(self, images, *args, **options)

    # Under its own name, which is written down with it.
    processor.__class__ = type(kind.__name__, (kind,), {"__call__": call, "__module__": kind.__module__})


def _prompt(index: int, question: Question, pictures: Pictures) -> dict[str, Any]:
    """Return a row for TRL, which puts the images before the text itself; `question_index` reaches the rewards."""
    messages = [{"role": "user", "content": prompt_text(question)}]
    return {"prompt": messages, "images": pictures.of(question), "question_index": index}


def _reward(named: Named[Reward], rows: Sequence[Question], first: bool) -> Callable[..., list[float]]:
    """Return a reward function as TRL calls it; the first one also logs accuracy by task."""
    worth = named.load()

    def reward(
        completions: list[Any], question_index: list[int], log_metric: Callable[[str, float], None], **_: Any
    ) -> list[float]:
        texts = [completion[0]["content"] for completion in completions]
        asked = [rows[index] for index in question_index]
        if first:
            by_task: dict[str, list[float]] = {}
            for text, question in zip(texts, asked, strict=True):
                by_task.setdefault(question.task, []).append(accuracy(text, question))
            for task, values in sorted(by_task.items()):
                log_metric(f"acc/{task}", sum(values) / len(values))
        return [worth(text, question) for text, question in zip(texts, asked, strict=True)]

    reward.__name__ = named.name  # TRL names the metric after it
    return reward
