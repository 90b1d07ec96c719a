"""What an update will take, told before it starts: questions, tokens, memory, bytes.

Memory is weights, gradients, moments and activations; the last are rough: per layer and token about 17 numbers of the
hidden size (Korthikanti et al., arXiv:2205.05198, eq. 1 without its attention term, which fused kernels do not store).
With gradient checkpointing a layer keeps its input alone. What torch and TRL hold beside them is not in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from graph.node import Progress

NUMBERS_A_TOKEN = 17  # kept for the backward pass, times the hidden size, in every layer
MOMENTS = 2  # of AdamW, in float32
F32 = 4  # bytes


class Load(Struct, frozen=True):
    """The sizes that an estimate is made from.

    Attributes:
        parameters, trained: numbers in the model, and those of them that are trained.
        weight_bytes: of all parameters.
        frozen_bytes: of other models that are held (a reference).
        layers, hidden: of the language model.
        bytes_a_number: of an activation.
        is_checkpointed: activations are computed again.
    """

    parameters: int
    trained: int
    weight_bytes: int
    frozen_bytes: int
    layers: int
    hidden: int
    bytes_a_number: int
    is_checkpointed: bool


class Estimate(Struct, frozen=True):
    """What an update will take."""

    questions: int
    steps: int
    tokens_a_step: int
    load: Load
    memory_bytes: int
    stored_bytes: int

    def line(self) -> str:
        """Return it in words."""
        load, total = self.load, self.tokens_a_step * self.steps
        return (
            f"{self.questions:,} questions, {self.steps:,} steps of at most {self.tokens_a_step:,} tokens"
            f" ({total:,} in all); {load.trained:,} of {load.parameters:,} parameters trained;"
            f" about {_size(self.memory_bytes)} of memory, {_size(self.stored_bytes)} to store"
        )


def show(told: Estimate, progress: Progress | None) -> None:
    """Tell what an update will take before it starts: in its log, and to whoever watches."""
    print(told.line())
    if progress is not None:
        tokens, memory = told.tokens_a_step * told.steps / 1e6, told.memory_bytes / 1e9
        progress(0, told.steps, million_tokens=tokens, memory_gb=memory, stored_gb=told.stored_bytes / 1e9)


def estimate(load: Load, questions: int, steps: int, tokens_a_step: int, at_once: int, carry: bool) -> Estimate:
    """Return what an update will take.

    Args:
        tokens_a_step: prompts and completions, companions included.
        at_once: tokens whose activations are held together.
        carry: the moments are stored as well.
    """
    kept = 1 if load.is_checkpointed else NUMBERS_A_TOKEN
    held = load.layers * kept + (NUMBERS_A_TOKEN if load.is_checkpointed else 0)
    activations = at_once * load.hidden * held * load.bytes_a_number
    moments = MOMENTS * F32 * load.trained
    memory = load.weight_bytes + load.frozen_bytes + F32 * load.trained + moments + activations
    whole = load.weight_bytes if load.trained == load.parameters else F32 * load.trained
    return Estimate(questions, steps, tokens_a_step, load, memory, whole + (moments if carry else 0))


def load_of(model: Any, args: Any, frozen: Any = None) -> Load:
    """Return the sizes of a transformers model that is trained with these arguments, beside a frozen one."""
    text = model.config.get_text_config()
    parameters = list(model.parameters())
    return Load(
        parameters=sum(one.numel() for one in parameters),
        trained=sum(one.numel() for one in parameters if one.requires_grad),
        weight_bytes=_bytes(parameters),
        frozen_bytes=_bytes(frozen.parameters()) if frozen is not None else 0,
        layers=text.num_hidden_layers,
        hidden=text.hidden_size,
        bytes_a_number=2 if args.bf16 else F32,
        is_checkpointed=args.gradient_checkpointing,
    )


def _bytes(parameters: Iterable[Any]) -> int:
    return sum(one.numel() * one.element_size() for one in parameters)


def _size(n: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n >= size:
            return f"{n / size:.3g} {unit}"
    return f"{n} bytes"
