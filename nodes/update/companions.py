"""Companions: further rollouts of the prompts of a batch, with their frames in another order.

Source: SpaceR, arXiv:2504.01805: half as many as there are rollouts in a group, by the policy as it is now. They are
drawn once a batch, only where a reward needs them; a prompt of fewer than two frames has no other order, and none.
Their draws come from (seed, step) alone: the rollouts that are trained on stay those that they would be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nodes.policy.rollout import Pictures, Template, prompt_messages
from store.digest import digest

if TYPE_CHECKING:
    from nodes.questions.question import Question


class Companions:
    """Draws the shuffled companions of every batch of a GRPO trainer."""

    def __init__(self, rows: Sequence[Question], pictures: Pictures, template: Template, count: int, seed: int) -> None:
        """Take the questions by their index in TRL's rows, and how many companions a prompt has."""
        self._rows, self._pictures, self._template = rows, pictures, template
        self._count, self._seed = count, seed
        self._step = -1
        self._said: dict[int, list[str]] = {}
        self.n_tokens = 0

    def of(self, trainer: Any, indices: Sequence[int]) -> list[list[str]]:
        """Return for each rollout the texts of its prompt's companions; drawn at the first call for a batch."""
        if self._step != trainer._step:
            shown = [index for index in dict.fromkeys(indices) if len(self._rows[index].frames) > 1]
            self._said, self.n_tokens = self._draw(trainer, shown) if shown else ({}, 0)
            self._step = trainer._step
        return [self._said.get(index, []) for index in indices]

    def _draw(self, trainer: Any, indices: Sequence[int]) -> tuple[dict[int, list[str]], int]:
        """Return what companions say by question, and how many tokens they took, prompts included."""
        import torch

        prompts = [self._prompt(index, trainer._step) for index in indices for _ in range(self._count)]
        with torch.random.fork_rng():
            torch.manual_seed(_number(self._seed, trainer._step) % 2**63)
            asked, images, fields = trainer._tokenize_prompts(prompts)
            ids, _ = trainer._generate_single_turn(asked, images, fields, self._count)
        texts = trainer.processing_class.batch_decode(ids, skip_special_tokens=True)
        each = self._count
        said = {index: texts[row * each : (row + 1) * each] for row, index in enumerate(indices)}
        return said, sum(map(len, asked)) + sum(map(len, ids))

    def _prompt(self, index: int, step: int) -> list[dict[str, Any]]:
        row = self._rows[index]
        images = self._pictures.of(row)
        order = shuffled(len(images), _number(self._seed, step, row.id))
        return prompt_messages(row, [images[place] for place in order], self._template)


def shuffled(n: int, number: int) -> list[int]:
    """Return an order of n >= 2 things that is not the one they are in."""
    import numpy as np

    rng = np.random.Generator(np.random.PCG64(number))
    while True:
        order: list[int] = rng.permutation(n).tolist()
        if order != sorted(order):
            return order


def _number(*words: object) -> int:
    return int(digest("\n".join(map(str, words)).encode())[:32], 16)
