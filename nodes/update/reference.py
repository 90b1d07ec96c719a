"""The policy that GRPO's KL term holds on to: an input, the policy before round 1 as a rule.

TRL would load it anew from where the trained model came from, which for a model of ours is nowhere; for an adapter it
takes the adapter as this update finds it. Both are replaced here by what a spec says.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nodes.policy.lora import config_of
from nodes.policy.policy import Policy, load_model
from nodes.policy.tensors import torch_tensor

REF = "ref"  # TRL's name for its copy


def check_reference(beta: Any, reference: Policy | None) -> None:
    """Raise ValueError for a KL term without a policy to hold on to."""
    if beta and reference is None:
        raise ValueError(
            f"params.trl.beta = {beta}: expected an input `reference`, the policy that the KL term holds on to"
            " (the one before round 1)"
        )


@contextmanager
def given_reference(reference: Policy | None, dtype: str) -> Iterator[None]:
    """Have TRL take this policy for its reference model, held in `dtype`, in all else as it handles its own."""
    from trl.trainer import grpo_trainer

    kept = grpo_trainer.create_model_from_path
    if reference is not None:  # TRL calls it only for a KL term
        grpo_trainer.create_model_from_path = lambda *_, **__: load_model(reference, dtype=dtype)[0]
    try:
        yield
    finally:
        grpo_trainer.create_model_from_path = kept


def hold_on_to(model: Any, policy: Policy, reference: Policy | None) -> None:
    """Have TRL's copy of an adapter, which its KL term holds on to, be the reference's: none changes nothing.

    Raises:
        ValueError: the reference has other weights below its adapter than the policy, or an adapter of another shape.
    """
    if reference is None or REF not in getattr(model, "peft_config", {}):
        return
    below, ours = reference.base or reference, policy.base or policy
    if not _is_same(below, ours):
        raise ValueError("input reference: expected the weights that the policy has below its adapter")
    if reference.base is not None and (told := reference.adapter_config()) != (known := config_of(model)):
        name = next(name for name in known if told.get(name) != known[name])
        raise ValueError(f"input reference: its adapter has {name} = {told.get(name)}, expected {known[name]}")
    tensors = reference.adapter()
    for name, parameter in model.named_parameters():
        if f".{REF}." in name:
            values = tensors.get(name.replace(f".{REF}.", "."))
            parameter.data.zero_() if values is None else parameter.data.copy_(torch_tensor(values))


def _is_same(one: Policy, other: Policy) -> bool:
    if one is other or (one.digest is not None and one.digest == other.digest):
        return True
    a, b = one.tensors(), other.tensors()
    return a.keys() == b.keys() and all(bool((values == b[name]).all()) for name, values in a.items())
