"""Supervised fine-tuning: TRL's SFTTrainer on questions with their answers, several questions a frame as turns.

The questions that show the same frames become one conversation: the picture once, then question, answer, question,
answer. A tiny policy learns from 8 questions a picture what it does not learn from one (.76 against .50-.59 with the
same pictures). The loss counts answers alone.

What a policy is to say is the answer; under the template `think` it is the question's trace, a thought that ends in the
answer, and the bare answer only where a question has no trace, which the log counts.
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
from nodes.update.answer_labels import AnswerLabels, marks_answers
from nodes.update.conversations import Talk, conversations
from nodes.update.estimate import Held, estimate, load_of, show
from nodes.update.launch import Processes, check_shared, is_launcher, launch
from nodes.update.launched import main as launched
from nodes.update.lengths import Lengths, context_of, too_long
from nodes.update.model import trained, trained_model
from nodes.update.optimiser import Carry, Schedule, ScheduleSteps, check_carry, go_on, left_by
from nodes.update.options import Options, check_ours, options_of, share
from nodes.update.rows import late_dataset
from nodes.update.trainer import Run, common_settings, on_one_gpu, opened, run_trainer, trainer_room, unchanged
from nodes.update.update import Trainer, Update

KIND = "update.sft"


class Sft(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `update.sft`."""

    rollout: Rollout = Rollout()
    steps: Annotated[int, Meta(ge=1, description="optimiser steps", extra={"unit": "steps"})] = 1500
    batch: Annotated[int, Meta(ge=1, description="conversations a step")] = 16
    turns: Annotated[int, Meta(ge=1, description="most questions on one picture, as turns of one conversation")] = 8
    learning_rate: Annotated[float, Meta(gt=0, description="highest learning rate (AdamW)")] = 3e-3
    schedule: Annotated[Schedule, Meta(description="of the learning rate, by steps")] = "linear"
    schedule_steps: ScheduleSteps = 0
    carry: Carry = False
    processes: Processes = 1
    lora: Lora | None = None
    trl: Options = {}

    def __post_init__(self) -> None:
        check_ours(self.trl)
        check_shared(self.batch, self.processes, "batch")
        check_carry(self.carry, self.trl)


@node(
    KIND,
    version=2,
    packages=("torch", "transformers", "trl", "accelerate", "tokenizers", "pillow", "peft"),
    depends=[launched],
)
def sft(
    policy: Policy,
    questions: QuestionPool,
    trainer: Trainer | None = None,
    *,
    params: Sft,
    seed: int,
    progress: Progress | None = None,
    scratch: Path | None = None,
) -> Update:
    """Return the policy after fine-tuning on the answers of all questions.

    Without any question the policy goes on as it is, and the log says so. Questions longer than the policy's context
    are dropped, and counted in the log.

    Args:
        trainer: what the update before left: its optimiser goes on, and so does the learning rate of `schedule_steps`.
    Raises:
        ValueError: a question shows more frames than the rollout allows, or the training diverges.
    """
    stored, questions = questions, opened(questions)
    rows = pool_rows(questions)
    check_frames(rows, params.rollout)
    if not rows:
        return unchanged(KIND, policy, trainer, params.carry)
    if is_launcher(params.processes):
        inputs = {"policy": policy, "questions": stored, "trainer": trainer}
        return launch(sft, params, seed, progress, processes=params.processes, **inputs)
    with trainer_room(seed) as folder:
        model, processor = trained_model(policy, params)
        pictures = Pictures(questions, params.rollout.pixels)
        lengths, context = Lengths(processor, pictures, params.rollout), context_of(model)
        targets = [target_of(row, params.rollout) for row in rows]
        talks, n_dropped = conversations(rows, targets, params.turns, seed, lengths, context)
        note = _note(rows, n_dropped, context, params.rollout)
        if not talks:
            return unchanged(KIND, policy, trainer, params.carry, note)
        made = _trainer(model, processor, talks, pictures, params, folder, seed)
        _tell(made, params, talks, lengths.of_pictures([talk.rows[0] for talk in talks]), progress)
        go_on(made, trainer, params.schedule_steps)
        log = run_trainer(made, Run(KIND, params.steps, ("loss", "mean_token_accuracy"), progress, scratch), note)
        asked = [row for talk in talks for row in talk.rows]
        return Update(trained(policy, model, processor, asked), log, left_by(made, trainer, params.carry))


def _trainer(
    model: Any, processor: Any, talks: Sequence[Talk], pictures: Pictures, params: Sft, folder: str, seed: int
) -> Any:
    """Return TRL's trainer on these conversations."""
    from trl import SFTConfig, SFTTrainer

    quick = marks_answers(processor)
    parts = params.trl.get("gradient_accumulation_steps", 1)
    settings = {
        **common_settings(folder, seed, params),
        "per_device_train_batch_size": share(params.batch // params.processes, parts, "batch"),
        "assistant_only_loss": not quick,
        "max_length": None,
    }
    return SFTTrainer(
        model=model,
        args=on_one_gpu(SFTConfig(**settings, **options_of(SFTConfig, params.trl))),
        processing_class=processor,
        data_collator=AnswerLabels(processor) if quick else None,
        train_dataset=late_dataset(
            len(talks), lambda index: conversation_row(talks[index].rows, pictures, params.rollout)
        ),
    )


def conversation_row(rows: Sequence[Question], pictures: Pictures, rollout: Rollout) -> dict[str, Any]:
    """Return a row for TRL: `messages` with empty image slots in the first turn, and the `images` to fill them."""
    images = pictures.of(rows[0])
    messages = []
    for turn, row in enumerate(rows):
        slots: list[dict[str, str]] = [{"type": "image"} for _ in images] if turn == 0 else []
        messages.append(
            {"role": "user", "content": [*slots, {"type": "text", "text": prompt_text(row, rollout.template)}]}
        )
        messages.append({"role": "assistant", "content": [{"type": "text", "text": target_of(row, rollout)}]})
    return {"messages": messages, "images": images}


def target_of(row: Question, rollout: Rollout) -> str:
    """Return what the policy is to say."""
    return row.trace or row.answer if rollout.template == "think" else row.answer


def _note(rows: Sequence[Question], n_dropped: int, context: int, rollout: Rollout) -> str:
    bare = sum(not row.trace for row in rows) if rollout.template == "think" else 0
    told = f"{bare} of {len(rows)} questions have no trace: their answer alone is the target" if bare else ""
    return "; ".join(filter(None, [too_long(n_dropped, context), told]))


def _tell(made: Any, params: Sft, talks: Sequence[Talk], of_pictures: int, progress: Progress | None) -> None:
    """Print what the update will take."""
    longest = max(talk.n_tokens for talk in talks)
    at_once = made.args.per_device_train_batch_size
    held = Held(at_once * longest, at_once * of_pictures, at_once * longest)
    n_questions = sum(len(talk.rows) for talk in talks)
    load = load_of(made.model, made.args)
    show(estimate(load, n_questions, params.steps, params.batch * longest, held, params.carry), progress)
