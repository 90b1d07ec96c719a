"""Torch tensors as arrays of the store and back, bit for bit, in the type that they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from store import bfloat16

if TYPE_CHECKING:
    import numpy as np
    import torch


def stored_array(tensor: torch.Tensor) -> np.ndarray:
    """Return a tensor on any device as an array; one on the CPU shares its memory with it."""
    import torch

    values = tensor.detach().cpu().contiguous()
    if values.dtype == torch.bfloat16:  # numpy has no such type
        return values.view(torch.int16).numpy().view(bfloat16.bfloat16())
    return values.numpy()


def torch_tensor(values: np.ndarray, is_ours: bool = False) -> torch.Tensor:
    """Return an array as a tensor on the CPU that may be written to.

    Args:
        is_ours: nobody else holds this array, which was just read: its memory becomes the tensor's where that may be
            written to. What is small may stand in a manifest, which may not.
    """
    import torch

    if is_ours:
        try:
            values.flags.writeable = True
        except ValueError:
            values = values.copy()
    else:
        values = values.copy()
    if values.dtype == bfloat16.bfloat16():
        return torch.from_numpy(values[bfloat16.NAME].view("int16")).view(torch.bfloat16)
    return torch.from_numpy(values)
