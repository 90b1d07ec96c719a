"""The rollouts of a policy on a pool: everything that was said and how probable it was, so that no measure of it, no
reward and no rule of selection ever needs a second drawing.

    questions/        one row a question, in the pool's order
    texts             (Q, K) str
    n_tokens          (Q, K) tokens said, with the end
    truncated         (Q, K) true where `max_tokens` came before the end
    logprobs          (sum of n_tokens,) nats of every token said, at the sampling temperature over the vocabulary,
                      before `top_p` cuts it
    answer_logprobs   nats of the true answer's tokens and then of its end, teacher-forced at temperature 1, a question
                      after the other; no end where answers are of one token and none is awaited
    option_logprobs   nats of each option as the answer, tokens and end summed, a question after the other; -inf for an
                      option of several tokens where answers are of one
    thought_logprobs  (Q, K) nats a token of the true answer after each rollout's own thought; NaN for a rollout whose
                      thought has no end, and without thoughts

Under the template `think`, true answers and options are forced inside `<answer>`: the opening tag is read and not
counted, the end is the first token of the closing one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from msgspec import Struct

from store.artifact import Artifact, Reader, Writer

if TYPE_CHECKING:
    import numpy as np


class Asked(Struct, frozen=True):
    """One question: tokens of its prompt, pictures included, and of its true answer, end included; its options."""

    id: str
    n_prompt: int
    n_answer: int
    n_options: int


class Drawn(NamedTuple):
    """The arrays of the module's text."""

    texts: list[list[str]]
    n_tokens: np.ndarray  # (Q, K) int32
    truncated: np.ndarray  # (Q, K) bool
    logprobs: np.ndarray  # (N,) float64
    answer_logprobs: np.ndarray  # (sum of n_answer,) float64
    option_logprobs: np.ndarray  # (sum of n_options,) float64
    thought_logprobs: np.ndarray  # (Q, K) float64


class Rollouts(Artifact):
    """K rollouts of every question of a pool but the dropped ones; `dropped` says by id why it was not asked.

    `is_blind`: questions were put without their pictures.
    """

    type: ClassVar[str] = "rollouts/1"
    plain: ClassVar[str] = "nodes.plain:write_rollouts"

    def __init__(
        self,
        rows: list[Asked],
        samples: int,
        drawn: Drawn | None,
        dropped: Mapping[str, str] | None = None,
        is_blind: bool = False,
    ) -> None:
        self.rows, self.samples, self.dropped, self.is_blind = rows, samples, dict(dropped or {}), is_blind
        self._drawn = drawn
        self._reader: Reader | None = None

    def drawn(self) -> Drawn:
        """Return everything that was drawn."""
        if self._drawn is None:
            assert self._reader is not None
            read = {name: self._reader.array(name) for name in Drawn._fields}
            flat, k = read.pop("texts").tolist(), self.samples
            self._drawn = Drawn([flat[start : start + k] for start in range(0, len(flat), k)], **read)
        return self._drawn

    def write(self, w: Writer) -> None:
        drawn = self.drawn()
        dropped = dict(sorted(self.dropped.items()))
        w.attrs = {"samples": self.samples, "dropped": dropped, "is_blind": self.is_blind}
        w.table("questions", self.rows, Asked)
        w.array("texts", [text for row in drawn.texts for text in row], dims=("rollout",))
        dims = {"logprobs": ("token",), "answer_logprobs": ("answer_token",), "option_logprobs": ("option",)}
        for name, values in drawn._asdict().items():
            if name != "texts":
                w.array(name, values, dims=dims.get(name, ("question", "sample")))

    @classmethod
    def open(cls, r: Reader) -> Self:
        told = {name: r.attrs[name] for name in ("samples", "dropped", "is_blind")}
        opened = cls(r.table("questions", Asked), drawn=None, **told)
        opened._reader = r
        return opened

    def summary(self) -> dict[str, Any]:
        drawn = self.drawn()
        told: dict[str, Any] = {
            "questions": len(self.rows),
            "samples": self.samples,
            "tokens": int(drawn.n_tokens.sum()),
        }
        if self.is_blind:
            told["blind"] = True
        if drawn.truncated.any():
            told["truncated"] = int(drawn.truncated.sum())
        return {**told, **({"dropped": len(self.dropped)} if self.dropped else {})}
