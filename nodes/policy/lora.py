"""Low-rank adapters: a policy whose own weights stay as they are, and a few small tensors that are trained.

A round then stores its adapter alone. What is stored of an adapter is its tensors and six facts; nothing else of a
folder's `adapter_config.json` is believed, whose fields can name code.

Source: LoRA, arXiv:2106.09685: W x + alpha / rank * B A x, B zero at first, so that a new adapter changes nothing.
Departs: no dropout, since probes and updates must ask the same policy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

if TYPE_CHECKING:
    import torch

    from nodes.policy.policy import Policy

ALL_LINEAR = "all-linear"


class Lora(Struct, frozen=True, forbid_unknown_fields=True):
    """What of a model an adapter changes, and how much of it."""

    rank: Annotated[int, Meta(ge=1, description="of the change of every weight")] = 8
    alpha: Annotated[float, Meta(gt=0, description="the change is scaled by alpha / rank")] = 16.0
    targets: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="names of linear layers, or all-linear: all but the one that gives the words"),
    ] = (ALL_LINEAR,)


def add_lora(model: Any, lora: Lora) -> Any:
    """Return the model with a new adapter, all of whose other weights are frozen; a model that has one as it is.

    The adapter's first weights come from torch's generator.

    Raises:
        ValueError: the model has no such layers.
    """
    if is_adapted(model):
        return model
    targets = ALL_LINEAR if lora.targets == (ALL_LINEAR,) else list(lora.targets)
    return _adapt(model, lora.rank, lora.alpha, targets)


def open_lora(model: Any, policy: Policy) -> Any:
    """Return a policy's model with its stored adapter.

    Raises:
        ValueError: what is stored is no adapter of this model.
    """
    import torch

    from nodes.policy.tensors import torch_tensor

    try:
        told = policy.adapter_config()
        rank, alpha, targets = int(told["r"]), float(told["lora_alpha"]), [str(name) for name in told["target_modules"]]
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"policy adapter: {type(error).__name__}: {error}") from error
    state = {name: torch_tensor(values) for name, values in policy.adapter().items()}
    _check_sizes(rank, alpha, state)
    with torch.random.fork_rng(devices=[]):  # its first weights are replaced at once
        adapted = _adapt(model, rank, alpha, targets)
    from peft import set_peft_model_state_dict

    expected = {name: tensor.shape for name, tensor in adapter_tensors(adapted).items()}
    found = {name: tensor.shape for name, tensor in state.items()}
    if found != expected:
        wrong = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
        raise ValueError(f"policy adapter: {wrong[0]} is {found.get(wrong[0])}, expected {expected.get(wrong[0])}")
    set_peft_model_state_dict(adapted, state)
    return adapted


def _check_sizes(rank: int, alpha: float, state: dict[str, torch.Tensor]) -> None:
    """Raise ValueError unless the rank is that of the tensors: what is told is made room for before it is compared."""
    if not math.isfinite(alpha):
        raise ValueError(f"policy adapter: alpha = {alpha}, expected a finite number")
    for name, tensor in sorted(state.items()):
        if name.endswith("lora_A.weight") and tensor.shape[:1] != (rank,):
            raise ValueError(f"policy adapter: {name} is {tuple(tensor.shape)}, expected rank {rank}")


def _adapt(model: Any, rank: int, alpha: float, targets: str | Iterable[str]) -> Any:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets, lora_dropout=0.0, task_type="CAUSAL_LM")
    return get_peft_model(model, config)


def is_adapted(model: Any) -> bool:
    """Tell whether a model is a PeftModel, without importing peft."""
    return hasattr(model, "peft_config") and hasattr(model, "get_base_model")


def adapter_tensors(model: Any) -> dict[str, torch.Tensor]:
    """Return the adapter's tensors by the names that peft gives them in a folder."""
    from peft import get_peft_model_state_dict

    state: dict[str, torch.Tensor] = get_peft_model_state_dict(model, save_embedding_layers=False)
    return state


def base_tensors(net: Any) -> dict[str, torch.Tensor]:
    """Return the tensors below an adapter, under the names that they have without one."""
    state = net.state_dict()
    return {name.replace(".base_layer.", "."): tensor for name, tensor in state.items() if ".lora_" not in name}


def config_of(model: Any) -> dict[str, Any]:
    """Return what is stored of an adapter: the fields of an `adapter_config.json` that peft reads."""
    config = model.peft_config["default"]
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": config.r,
        "lora_alpha": config.lora_alpha,
        "lora_dropout": 0.0,
        "target_modules": sorted(config.target_modules),
    }


def merged(policy: Policy) -> Policy:
    """Return a policy with its adapter worked into its weights, which keep their types; one without as it is."""
    if policy.base is None:
        return policy
    import torch

    from nodes.policy.policy import Policy, load_model, policy_from
    from nodes.policy.tensors import torch_tensor

    types = {name: torch_tensor(values).dtype for name, values in policy.tensors().items()}
    model, processor = load_model(policy)  # in float32: one rounding, at the end
    with torch.no_grad():
        net = model.merge_and_unload()
        for name, tensor in net.state_dict(keep_vars=True).items():
            if name in types:
                tensor.data = tensor.data.to(types[name])
    whole = policy_from(net, processor, policy.trained_places, policy.base)
    return Policy(whole.family, whole.tensors(), whole.files(), policy.trained_places)
