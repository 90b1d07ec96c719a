"""Supervised fine-tuning: TRL's SFTTrainer on questions with their answers, several questions a frame as turns.

The questions that show the same frames become one conversation: the picture once, then question, answer, question,
answer. A tiny policy learns from 8 questions a picture what it does not learn from one (.76 against .50-.59 with the
same pictures). The loss counts answers alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct

from graph.node import Progress, node
from nodes.policy.policy import Policy, load_model, policy_from
from nodes.policy.rollout import Pictures, Rollout, check_frames, prompt_text
from nodes.questions.question import Question, QuestionPool, pool_rows
from nodes.update.answer_labels import AnswerLabels, marks_answers
from nodes.update.trainer import common_settings, lazy_dataset, run_trainer, trainer_room
from nodes.update.update import Update

if TYPE_CHECKING:
    import numpy as np


class Sft(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `update.sft`."""

    rollout: Rollout = Rollout()
    steps: Annotated[int, Meta(ge=1, description="optimiser steps", extra={"unit": "steps"})] = 1500
    batch: Annotated[int, Meta(ge=1, description="conversations a step")] = 16
    turns: Annotated[int, Meta(ge=1, description="most questions on one picture, as turns of one conversation")] = 8
    learning_rate: Annotated[float, Meta(gt=0, description="highest learning rate (AdamW)")] = 3e-3
    schedule: Annotated[Literal["linear", "cosine", "constant"], Meta(description="of the learning rate, by steps")] = (
        "linear"
    )


@node("update.sft", version=1, packages=("torch", "transformers", "trl", "accelerate", "tokenizers", "pillow"))
def sft(policy: Policy, questions: QuestionPool, *, params: Sft, seed: int, progress: Progress | None = None) -> Update:
    """Return the policy after fine-tuning on the answers of all questions.

    Raises:
        ValueError: no questions, or one shows more frames than the rollout allows.
    """
    rows = pool_rows(questions)
    if not rows:
        raise ValueError("update.sft: 0 questions, expected at least 1")
    check_frames(rows, params.rollout)
    with trainer_room(seed) as folder:
        from trl import SFTConfig, SFTTrainer

        talks, pictures = conversations(rows, params.turns, seed), Pictures(questions)
        model, processor = load_model(policy)
        quick = marks_answers(processor)
        config = SFTConfig(
            **common_settings(folder, seed, params.steps, params.learning_rate, params.schedule),
            per_device_train_batch_size=params.batch,
            assistant_only_loss=not quick,
            max_length=None,
        )
        trainer = SFTTrainer(
            model=model,
            args=config,
            processing_class=processor,
            data_collator=AnswerLabels(processor) if quick else None,
            train_dataset=lazy_dataset(len(talks), lambda index: conversation_row(talks[index], pictures)),
        )
        log = run_trainer(trainer, params.steps, progress, shown=("loss", "mean_token_accuracy"))
        places = [*policy.trained_places, *(name for row in rows for name in (row.place, row.scene) if name)]
        return Update(policy_from(model.eval(), processor, places), log)


def conversations(rows: Sequence[Question], turns: int, seed: int) -> list[list[Question]]:
    """Group questions that show the same frames, at most `turns` together, in an order that the seed shuffles.

    The shuffle is within a picture: else all pictures would ask their tasks in the same order, and the policy could
    learn the order in place of the question.
    """
    import numpy as np

    by_picture: dict[tuple[object, ...], list[Question]] = {}
    for row in rows:  # what shows nothing has nothing in common
        by_picture.setdefault((row.scene, row.frames_digest, row.frames) if row.frames else (row.id,), []).append(row)
    rng = np.random.Generator(np.random.PCG64(seed))
    return [
        chunk
        for picture in by_picture.values()
        for chunk in _chunks([picture[index] for index in _order(rng, len(picture))], turns)
    ]


def _order(rng: np.random.Generator, length: int) -> list[int]:
    order: list[int] = rng.permutation(length).tolist()
    return order


def _chunks(rows: list[Question], size: int) -> list[list[Question]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def conversation_row(rows: Sequence[Question], pictures: Pictures) -> dict[str, Any]:
    """Return a row for TRL: `messages` with empty image slots in the first turn, and the `images` to fill them."""
    images = pictures.of(rows[0])
    messages = []
    for turn, row in enumerate(rows):
        slots: list[dict[str, str]] = [{"type": "image"} for _ in images] if turn == 0 else []
        messages.append({"role": "user", "content": [*slots, {"type": "text", "text": prompt_text(row)}]})
        messages.append({"role": "assistant", "content": [{"type": "text", "text": row.answer}]})
    return {"messages": messages, "images": images}
