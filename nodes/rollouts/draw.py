"""`rollouts.draw`: K rollouts of every question of a pool."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from graph.node import Progress, node
from nodes.policy.open import Backend, answering
from nodes.policy.policy import Policy
from nodes.policy.rollout import Rollout
from nodes.policy.server import Server
from nodes.questions.question import QuestionPool, pool_rows
from nodes.rollouts.rollouts import Asked, Rollouts


class Draw(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `rollouts.draw`."""

    rollout: Rollout = Rollout()
    samples: Annotated[int, Meta(ge=1, description="rollouts a question", extra={"unit": "rollouts"})] = 8
    blind: Annotated[bool, Meta(description="ask without pictures: what language alone answers")] = False
    batch: Annotated[int, Meta(ge=1, description="questions put at a time", extra={"unit": "questions"})] = 256
    backend: Annotated[Backend, Meta(description="what runs the policy; vllm: started and ended by the action")] = "hf"
    server: Server | None = None

    def __post_init__(self) -> None:
        if self.server is not None and self.backend != "hf":
            raise ValueError(f"backend = {self.backend!r} with a server: need at most one of the two")

    @property
    def is_served(self) -> bool:
        """Tell whether a server is asked, which need not say the same twice; vLLM's answers depend on its batches."""
        return self.server is not None or self.backend == "vllm"


@node(
    "rollouts.draw",
    version=2,
    packages=("torch", "transformers", "tokenizers", "pillow", "numpy"),
    external="is_served",
)
def draw(
    policy: Policy | None,
    questions: QuestionPool,
    *,
    params: Draw,
    seed: int,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> Rollouts:
    """Draw K rollouts of every question, and how probable the policy holds the truth.

    A killed draw goes on where it was, by batches. Questions whose prompt is longer than the policy's context are
    dropped, and said so; of no question at all come no rollouts. Blind, no question shows a frame, and none is read.

    Without a policy, `params.server` is asked; what a server or vLLM cannot know of the truth is NaN.

    Raises:
        ValueError: not exactly one of policy and server; a true answer is longer than `rollout.max_tokens`, a question
            shows more frames than `rollout.frames`, or it shows some to a policy that takes no pictures.
    """
    rows = pool_rows(questions)
    served = (params.backend, params.server, seed, scratch)
    with answering(policy, params.rollout, params.batch, progress, *served) as answerer:
        shown = None if params.blind else questions
        drawn, n_prompt, n_answer, dropped = answerer.draw(rows, shown, params.samples, seed, scratch)
    put = [row for row in rows if row.id not in dropped]
    asked = [Asked(row.id, p, n, len(row.options)) for row, p, n in zip(put, n_prompt, n_answer, strict=True)]
    return Rollouts(asked, params.samples, drawn, dropped, params.blind)
