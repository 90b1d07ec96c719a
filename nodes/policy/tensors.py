"""Torch tensors as arrays of the store and back, bit for bit, in the type that they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from store import bfloat16

if TYPE_CHECKING:
    import numpy as np
    import torch


def stored_array(tensor: torch.Tensor) -> np.ndarray:
    """Return a copy of a tensor on any device: training goes on, what is stored must not."""
    import torch

    values = tensor.detach().cpu().contiguous()
    if values.dtype == torch.bfloat16:  # numpy has no such type
        return values.view(torch.int16).numpy().copy().view(bfloat16.bfloat16())
    return values.numpy().copy()


def torch_tensor(values: np.ndarray) -> torch.Tensor:
    """Return a copy of an array as a tensor on the CPU."""
    import torch

    if values.dtype == bfloat16.bfloat16():
        return torch.from_numpy(values[bfloat16.NAME].view("int16").copy()).view(torch.bfloat16)
    return torch.from_numpy(values.copy())
