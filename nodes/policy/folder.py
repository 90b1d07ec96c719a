"""A policy as a Hugging Face model folder, for tools that know nothing of us."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nodes.policy.lora import merged
from nodes.policy.tensors import torch_tensor

if TYPE_CHECKING:
    from nodes.policy.policy import Policy


def write_folder(policy: Policy, folder: Path) -> None:
    """Write config, tokenizer, processor and `model.safetensors` into a folder that is there; adapters are merged."""
    from safetensors.torch import save_file

    policy = merged(policy)
    for name, data in policy.files().items():
        (folder / name).write_bytes(data)
    is_ours = policy.is_stored()
    tensors = {name: torch_tensor(values, is_ours) for name, values in policy.tensors().items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
