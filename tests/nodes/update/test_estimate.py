"""Estimates: worked by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nodes.policy.policy import Policy, load_model
from nodes.update.estimate import Held, Load, estimate, load_of


def test_memory_and_bytes_are_those_worked_by_hand() -> None:
    # 1,000 numbers of 4 bytes, all trained: weights 4,000, gradients 4,000, moments 2 x 4 x 1,000 = 8,000.
    # Activations: 300 tokens x 16 wide x 17 numbers x 2 layers x 4 bytes = 652,800.
    # Of pictures: 40 tokens x 4 patches x 8 wide x 17 numbers x 3 layers x 4 bytes = 261,120.
    # Scores: 10 tokens x 50 words x 3 x 4 bytes = 6,000.
    load = Load(
        parameters=1000, trained=1000, weight_bytes=4000, frozen_bytes=0, layers=2, hidden=16, vocabulary=50,
        vision_layers=3, vision_hidden=8, patches=4, bytes_a_number=4, is_checkpointed=False,
    )  # fmt: skip
    held = Held(300, 40, 10)
    whole = estimate(load, questions=64, steps=10, tokens_a_step=600, held=held, carry=True)
    assert whole.memory_bytes == 4000 + 4000 + 8000 + 652_800 + 261_120 + 6000
    assert whole.stored_bytes == 4000 + 8000  # weights, and the moments for the next update
    assert estimate(load, 64, 10, 600, held, carry=False).stored_bytes == 4000
    assert whole.line() == (
        "64 questions, 10 steps of at most 600 tokens (6,000 in all); 1,000 of 1,000 parameters trained;"
        " about 936 kB of memory, 12 kB to store"
    )


def test_an_adapter_and_checkpointing_take_less() -> None:
    # 1,000,000 numbers in bfloat16, 10,000 of them trained, a frozen reference as large.
    # Weights 2,000,000 twice; gradients 40,000; moments 80,000.
    # Activations: 100 tokens x 64 wide x (3 layers' inputs + 17 and 9 of one layer) x 2 bytes = 371,200.
    load = Load(
        parameters=1_000_000, trained=10_000, weight_bytes=2_000_000, frozen_bytes=2_000_000, layers=3, hidden=64,
        vocabulary=50, vision_layers=0, vision_hidden=0, patches=1, bytes_a_number=2, is_checkpointed=True,
    )  # fmt: skip
    adapted = estimate(load, questions=1, steps=1, tokens_a_step=100, held=Held(100, 0, 0), carry=False)
    assert adapted.memory_bytes == 2 * 2_000_000 + 40_000 + 80_000 + 371_200
    assert adapted.stored_bytes == 40_000  # the adapter alone


def test_a_model_says_its_sizes(small_policy: Policy) -> None:
    model, processor = load_model(small_policy)
    args = SimpleNamespace(bf16=False, gradient_checkpointing=False)
    load = load_of(model, args)
    n = sum(values.size for values in small_policy.tensors().values())
    assert (load.parameters, load.trained, load.weight_bytes) == (n, n, 4 * n)
    assert (load.layers, load.hidden, load.frozen_bytes) == (2, 32, 0)
    assert (load.vision_layers, load.vision_hidden, load.vocabulary) == (1, 32, len(processor.tokenizer))
    assert load_of(model, args, model).frozen_bytes == 4 * n
    assert load.bytes_a_number == pytest.approx(4)
