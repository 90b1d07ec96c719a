"""Group relative policy optimisation: TRL's GRPOTrainer on questions whose answers can be checked.

Source: GRPO, arXiv:2402.03300, as TRL runs it: loss "dapo" (arXiv:2503.14476), no KL term and no reference model unless
`params.trl.beta` asks for one, rewards scaled by the group's standard deviation. There is no dynamic sampling: choosing
questions is `select`'s work.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from graph.node import Progress, node
from nodes.policy.lora import Lora
from nodes.policy.policy import Policy
from nodes.policy.rollout import Pictures, Rollout, check_frames, prompt_text
from nodes.questions.question import Question, QuestionPool, pool_rows
from nodes.rewards.reward import ACCURACY, Rewards, needs_of
from nodes.update.companions import Companions
from nodes.update.estimate import Held, estimate, load_of, show
from nodes.update.launch import Processes, check_shared, is_launcher, launch
from nodes.update.launched import main as launched
from nodes.update.lengths import Lengths, context_of, too_long
from nodes.update.model import trained, trained_model
from nodes.update.optimiser import Carry, Schedule, ScheduleSteps, check_carry, go_on, left_by
from nodes.update.options import Options, check_ours, options_of, share
from nodes.update.reference import check_reference, given_reference, hold_on_to
from nodes.update.rows import late_dataset
from nodes.update.scoring import Scoring
from nodes.update.trainer import Run, common_settings, on_one_gpu, opened, run_trainer, trainer_room, unchanged
from nodes.update.update import Trainer, Update

KIND = "update.grpo"


class Grpo(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `update.grpo`."""

    rollout: Rollout = Rollout()
    rewards: Annotated[Rewards, Meta(min_length=1, description="by name, summed")] = (ACCURACY,)
    steps: Annotated[int, Meta(ge=1, description="optimiser steps", extra={"unit": "steps"})] = 40
    prompts: Annotated[int, Meta(ge=1, description="questions a step")] = 32
    group: Annotated[int, Meta(ge=2, description="rollouts a question")] = 4
    learning_rate: Annotated[float, Meta(gt=0, description="highest learning rate (AdamW)")] = 3e-4
    schedule: Annotated[Schedule, Meta(description="of the learning rate, by steps")] = "linear"
    schedule_steps: ScheduleSteps = 0
    carry: Carry = False
    processes: Processes = 1
    lora: Lora | None = None
    trl: Options = {}

    def __post_init__(self) -> None:
        check_ours(self.trl)
        check_shared(self.prompts, self.processes, "prompts")  # groups stay whole: rewards compare within them
        check_carry(self.carry, self.trl)


@node(
    KIND,
    version=2,
    packages=("torch", "transformers", "trl", "accelerate", "tokenizers", "pillow", "peft"),
    depends=[launched],
)
def grpo(
    policy: Policy,
    questions: QuestionPool,
    trainer: Trainer | None = None,
    reference: Policy | None = None,
    *,
    params: Grpo,
    seed: int,
    progress: Progress | None = None,
    scratch: Path | None = None,
) -> Update:
    """Return the policy after `steps` steps on the questions, in an order that the seed draws.

    Without any question the policy goes on as it is, and the log says so. Questions longer than the policy's context
    are dropped, and counted in the log.

    Args:
        trainer: what the update before left: its optimiser goes on, and so does the learning rate of `schedule_steps`.
        reference: the policy that the KL term of `trl.beta` holds on to.
    Raises:
        ValueError: fewer questions than one step takes, one shows more frames than the rollout allows, a KL term
            without a reference, or the training diverges.
    """
    stored, questions = questions, opened(questions)
    rows = pool_rows(questions)
    check_frames(rows, params.rollout)
    check_reference(params.trl.get("beta"), reference)
    if not rows:
        return unchanged(KIND, policy, trainer, params.carry)
    if is_launcher(params.processes):
        inputs = {"policy": policy, "questions": stored, "trainer": trainer, "reference": reference}
        return launch(grpo, params, seed, progress, processes=params.processes, **inputs)
    with trainer_room(seed) as folder:
        model, processor = trained_model(policy, params)
        pictures = Pictures(questions, params.rollout.pixels)
        lengths = Lengths(processor, pictures, params.rollout)
        each, room = lengths.of_prompts(rows), context_of(model) - params.rollout.max_tokens
        kept = [row for row, n_tokens in zip(rows, each, strict=True) if n_tokens <= room]
        note = too_long(len(rows) - len(kept), room + params.rollout.max_tokens)
        if not kept:
            return unchanged(KIND, policy, trainer, params.carry, note)
        made = _trainer(policy, model, processor, kept, pictures, reference, params, folder, seed)
        _check_enough(made, len(kept), params)
        longest = max(n_tokens for n_tokens in each if n_tokens <= room)
        _tell(made, params, len(kept), longest, lengths.of_pictures(kept), progress)
        go_on(made, trainer, params.schedule_steps)
        log = run_trainer(made, Run(KIND, params.steps, ("reward", "loss"), progress, scratch), note)
        return Update(trained(policy, model, processor, kept), log, left_by(made, trainer, params.carry))


def _trainer(
    policy: Policy,
    model: Any,
    processor: Any,
    rows: Sequence[Question],
    pictures: Pictures,
    reference: Policy | None,
    params: Grpo,
    folder: str,
    seed: int,
) -> Any:
    """Return TRL's trainer on these questions."""
    from trl import GRPOConfig, GRPOTrainer

    take_blanks(processor)
    config = on_one_gpu(GRPOConfig(**_settings(params, folder, seed), **options_of(GRPOConfig, params.trl)))
    companions = (
        Companions(rows, pictures, params.rollout.template, max(1, params.group // 2), seed)
        if needs_of(params.rewards)
        else None
    )
    scoring = Scoring(params.rewards, rows, companions)
    with given_reference(reference, params.rollout.dtype):
        made = GRPOTrainer(
            model=model,
            reward_funcs=scoring.functions(),
            args=config,
            processing_class=processor,
            train_dataset=late_dataset(len(rows), lambda index: _prompt(index, rows[index], pictures, params.rollout)),
        )
    scoring.trainer = made
    hold_on_to(made.model, policy, reference)
    return made


def _check_enough(made: Any, n_questions: int, params: Grpo) -> None:
    asked = made.args.generation_batch_size // params.group  # without so many TRL trains nothing
    if n_questions < asked:
        several = asked // params.prompts
        steps = f" for {several} steps that share their rollouts (params.trl.steps_per_generation)" * (several > 1)
        what = f"params.prompts = {params.prompts}{steps}"
        raise ValueError(f"{KIND}: {n_questions} questions, expected at least {what}")


def _settings(params: Grpo, folder: str, seed: int) -> dict[str, Any]:
    parts = params.trl.get("gradient_accumulation_steps", 1)
    return {
        **common_settings(folder, seed, params),
        "per_device_train_batch_size": share(
            params.prompts * params.group // params.processes, parts, "prompts * group"
        ),
        "num_generations": params.group,
        "max_completion_length": params.rollout.max_tokens,
        "temperature": params.rollout.temperature,
        "top_p": params.rollout.top_p,
        "log_multimodal": False,  # would hold on to the pictures of a step
        # A policy that has diverged is found by its loss: to draw from NaN ends all use of a GPU by the process.
        "generation_kwargs": {"remove_invalid_values": True},
    }


def _tell(made: Any, params: Grpo, n_questions: int, longest: int, of_pictures: int, progress: Progress | None) -> None:
    """Print what the update will take."""
    each = longest + params.rollout.max_tokens
    rollouts = params.prompts * (params.group + (max(1, params.group // 2) if needs_of(params.rewards) else 0))
    at_once = made.args.per_device_train_batch_size
    held = Held(at_once * each, at_once * of_pictures, at_once * (params.rollout.max_tokens + 1))
    load = load_of(made.model, made.args, made.ref_model)
    show(estimate(load, n_questions, params.steps, rollouts * each, held, params.carry), progress)


def take_blanks(processor: Any) -> None:
    """Have a processor take None for the pictures of a prompt that shows none: TRL says so, processors want `[]`."""
    kind = type(processor)

    def call(self: Any, images: Any = None, *args: Any, **options: Any) -> Any:
        if isinstance(images, list) and any(row is None for row in images):
            images = [row or [] for row in images]
        return kind.__call__(self, images, *args, **options)

    # Under its own name, which is written down with it.
    processor.__class__ = type(kind.__name__, (kind,), {"__call__": call, "__module__": kind.__module__})


def _prompt(index: int, question: Question, pictures: Pictures, rollout: Rollout) -> dict[str, Any]:
    """Return a row for TRL, which puts the images before the text itself; `question_index` reaches the rewards."""
    messages = [{"role": "user", "content": prompt_text(question, rollout.template)}]
    return {"prompt": messages, "images": pictures.of(question), "question_index": index}
