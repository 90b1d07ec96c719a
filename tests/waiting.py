"""Waiting for what other processes do: as long as it takes on a busy machine, and no longer than anyone would."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Return once the condition holds. Raises AssertionError: it never does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended; who started it may not have heard of that yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # not asked first: it may end in between
        return True
