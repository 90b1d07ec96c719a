"""What an update will take, told before it starts: questions, tokens, memory, bytes.

Memory is weights, gradients, moments, activations and the scores of the vocabulary. Activations are rough: per layer
and token, or patch of a picture, about 17 numbers of the hidden size (Korthikanti et al., arXiv:2205.05198, eq. 1
without its attention term, which fused kernels do not store), and more beside an adapter of another type. With gradient
checkpointing a layer keeps its input alone. What torch and TRL hold beside them is not in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

if TYPE_CHECKING:
    from graph.node import Progress

NUMBERS_A_TOKEN = 17  # kept for the backward pass, times the hidden size, in every layer
COPIED_A_TOKEN = 9  # more of them where an adapter in float32 is beside weights of 16 bits: what it reads is cast
MOMENTS = 2  # of AdamW, in float32
F32 = 4  # bytes


class Load(Struct, frozen=True):
    """The sizes that an estimate is made from.

    Attributes:
        parameters, trained: numbers in the model, and those of them that are trained.
        weight_bytes: of all parameters.
        frozen_bytes: of other models that are held (a reference).
        layers, hidden, vocabulary: of the language model.
        vision_layers, vision_hidden, patches: of the vision model, and what it sees of a picture for a token.
        bytes_a_number: of an activation.
        is_checkpointed: activations are computed again.
    """

    parameters: int
    trained: int
    weight_bytes: int
    frozen_bytes: int
    layers: int
    hidden: int
    vocabulary: int
    vision_layers: int
    vision_hidden: int
    patches: int
    bytes_a_number: int
    is_checkpointed: bool


class Held(NamedTuple):
    """Tokens that are computed together: all, those of them that stand for pictures, those that words are scored at."""

    tokens: int
    shown: int
    scored: int


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


def estimate(load: Load, questions: int, steps: int, tokens_a_step: int, held: Held, carry: bool) -> Estimate:
    """Return what an update will take.

    Args:
        tokens_a_step: prompts and completions, companions included.
        carry: the moments are stored as well.
    """
    text = held.tokens * load.hidden * _kept(load, load.layers)
    pictures = held.shown * load.patches * load.vision_hidden * _kept(load, load.vision_layers)
    scores = held.scored * load.vocabulary * (load.bytes_a_number + 2 * F32)  # in float32 too, and their gradients
    moments = MOMENTS * F32 * load.trained
    states = load.weight_bytes + load.frozen_bytes + F32 * load.trained + moments
    whole = load.weight_bytes if load.trained == load.parameters else F32 * load.trained
    memory = states + (text + pictures) * load.bytes_a_number + scores
    return Estimate(questions, steps, tokens_a_step, load, memory, whole + (moments if carry else 0))


def _kept(load: Load, layers: int) -> int:
    """Return how many numbers are kept for a token in all layers, in units of the hidden size."""
    is_cast = load.trained < load.parameters and load.bytes_a_number < F32
    each = NUMBERS_A_TOKEN + (COPIED_A_TOKEN if is_cast else 0)
    return layers + each if load.is_checkpointed else layers * each


def load_of(model: Any, args: Any, frozen: Any = None) -> Load:
    """Return the sizes of a transformers model that is trained with these arguments, beside a frozen one."""
    text, vision = model.config.get_text_config(), getattr(model.config, "vision_config", None)
    parameters = list(model.parameters())
    return Load(
        parameters=sum(one.numel() for one in parameters),
        trained=sum(one.numel() for one in parameters if one.requires_grad),
        weight_bytes=_bytes(parameters),
        frozen_bytes=_bytes(frozen.parameters()) if frozen is not None else 0,
        layers=text.num_hidden_layers,
        hidden=text.hidden_size,
        vocabulary=text.vocab_size,
        vision_layers=_first(vision, "depth", "num_hidden_layers"),
        vision_hidden=_first(vision, "hidden_size"),
        patches=(_first(vision, "spatial_merge_size") or _first(model.config, "scale_factor") or 1) ** 2,
        bytes_a_number=2 if args.bf16 else F32,
        is_checkpointed=args.gradient_checkpointing,
    )


def _first(config: Any, *names: str) -> int:
    """Return what a config says under the first of these names that it has; 0 if under none."""
    return next((int(getattr(config, name)) for name in names if hasattr(config, name)), 0)


def _bytes(parameters: Iterable[Any]) -> int:
    return sum(one.numel() * one.element_size() for one in parameters)


def _size(n: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n >= size:
            return f"{n / size:.3g} {unit}"
    return f"{n} bytes"
