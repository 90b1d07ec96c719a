"""Threads: how many the numeric libraries use. Results differ by their number, so the engine sets it."""

from __future__ import annotations

import os
import sys
from typing import Any

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
POOLED = ("numpy", "torch")  # whoever brings a pool of threads brings one of these


def environment(threads: int) -> dict[str, str]:
    """Return the variables that hold libraries to `threads` threads where they are set before these are loaded."""
    return dict.fromkeys(VARIABLES, str(threads)) | {"TOKENIZERS_PARALLELISM": "false"}


def hold_torch(threads: int) -> None:
    """Hold torch, if it is loaded, to `threads` threads: a body may have asked it for others."""
    torch: Any = sys.modules.get("torch")
    if hasattr(torch, "get_num_threads") and torch.get_num_threads() != threads:  # else it is being imported
        torch.set_num_threads(threads)


class Threads:
    """Holds this process to a number of threads: libraries loaded already, and by variables those to come.

    A look at the loaded libraries costs a fifth of a millisecond, so it is taken only where there may be new ones.
    """

    def __init__(self) -> None:
        self._held = (0, 0)
        self._limits: Any = None
        self._before: dict[str, str | None] = {}

    def hold(self, threads: int) -> None:
        """Limit the libraries to `threads` threads, until another number is asked for or `release`."""
        if self._held == (threads, len(sys.modules)):
            return
        self._before = self._before or {name: os.environ.get(name) for name in environment(1)}
        os.environ.update(environment(threads))
        if any(name in sys.modules for name in POOLED):
            from threadpoolctl import threadpool_limits

            limits = threadpool_limits(threads)
            self._limits = self._limits or limits  # the first one knows what was before
        self._held = (threads, len(sys.modules))

    def release(self) -> None:
        """Put back what was before."""
        if self._limits is not None:
            self._limits.restore_original_limits()
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self.__init__()  # type: ignore[misc]
