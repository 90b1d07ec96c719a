"""bfloat16 in numpy, which has no such type: a record of one field that holds the bits.

    values["bfloat16"]                                                   the bits, uint16, without a copy
    torch.tensor(values["bfloat16"].view(numpy.int16)).view(torch.bfloat16)    the tensor, bit for bit

A record is kept by slices, copies and concatenation, and numpy refuses to calculate with it: bits that pass for
integers would be added up in silence.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

NAME = "bfloat16"


@functools.cache
def bfloat16() -> np.dtype:
    """Return the data type of such arrays."""
    import numpy as np

    return np.dtype([(NAME, "<u2")])


def widen(values: np.ndarray) -> np.ndarray:
    """Return the same numbers as float32, of which a bfloat16 is the upper half; NaN payloads stay."""
    import numpy as np

    return (values[NAME].astype(np.uint32) << 16).view(np.float32)
