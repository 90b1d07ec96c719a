"""Seeds and generators that belong to words alone, whatever else is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from store.digest import digest

if TYPE_CHECKING:
    import numpy as np


def seed_of(*words: object) -> int:
    """Return a 128-bit seed that is a function of the words alone."""
    return int(digest("/".join(str(word) for word in words).encode())[:32], 16)


def generator(*words: object) -> np.random.Generator:
    """Return the random generator that belongs to these words alone (PCG64, named: the default may change)."""
    import numpy as np

    return np.random.Generator(np.random.PCG64(seed_of(*words)))
