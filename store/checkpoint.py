"""Checkpoints: named tensors in an artifact, one array each.

A tensor is one chunk up to 16 MiB, a larger one is cut where that divides its first dimension, so nothing is padded
and a tensor that did not change has the blobs that it had. They are written and read in a few threads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from store.artifact import Reader, Writer
from store.errors import Unacceptable

if TYPE_CHECKING:
    import numpy as np

CHUNK_BYTES = 16 << 20
SMALL_BYTES = 1 << 20  # a chunk below is worse than one above CHUNK_BYTES: a prime vocabulary would be 50,000 files


def write_tensors(w: Writer, group: str, tensors: Mapping[str, np.ndarray]) -> None:
    """Write tensors as `<group>/<name>`, in the types that they have; their dimensions are d0, d1, ...

    Raises:
        Unacceptable: a name with a '/', or a type that no array has.
    """
    for name in tensors:
        if "/" in name:
            raise Unacceptable(f"tensor name {name!r} holds a '/'")
    w.arrays([_array(f"{group}/{name}", values) for name, values in sorted(tensors.items())])


def read_tensors(r: Reader, group: str) -> dict[str, np.ndarray]:
    """Return the tensors of a group by name, verified and read-only; bfloat16 as `store.bfloat16` has it."""
    start, end = f"{group}/", "/zarr.json"
    keys = [key for key in r.keys() if key.startswith(start) and key.endswith(end) and key != group + end]
    arrays = r.arrays([key.removesuffix(end) for key in keys])
    return {name.removeprefix(start): values for name, values in arrays.items()}


def _array(name: str, values: np.ndarray) -> tuple[str, np.ndarray, tuple[str, ...], int]:
    dims = tuple(f"d{axis}" for axis in range(values.ndim))
    return name, values, dims, tensor_rows(values.shape, values.itemsize)


def tensor_rows(shape: tuple[int, ...], item_bytes: int) -> int:
    """Return the rows of a chunk: the most that divide the first dimension and fit 16 MiB.

    Where those would be chunks below 1 MiB, it is the fewest that divide it and do not fit.
    """
    length = shape[0] if shape else 1
    row_bytes = item_bytes * math.prod(shape[1:])
    if length * row_bytes <= CHUNK_BYTES:
        return max(1, length)
    below = [rows for rows in _divisors(length) if rows * row_bytes <= CHUNK_BYTES]
    if below and below[-1] * row_bytes >= SMALL_BYTES:
        return below[-1]
    return next(rows for rows in _divisors(length) if rows * row_bytes > CHUNK_BYTES)


def _divisors(n: int) -> list[int]:
    low = [d for d in range(1, math.isqrt(n) + 1) if n % d == 0]
    return sorted({*low, *(n // d for d in low)})
