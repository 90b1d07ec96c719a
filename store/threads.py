"""A few threads for large blobs: hashing, compression and file I/O work outside the interpreter's lock.

What is computed does not depend on how many there are.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

T = TypeVar("T")
R = TypeVar("R")

THREADS_LIMIT = 8  # the memory's bandwidth is used up by then
WORTHWHILE_BYTES = 4 << 20  # below, threads cost more than they save
_END = object()


def map_blobs(function: Callable[[T], R], items: Iterable[T], n_bytes: int) -> list[R]:
    """Return `function` of every item, in any order; `n_bytes` tells whether threads are worth it.

    Items are drawn one at a time as threads get free, so what an iterator makes is not held longer than needed. The
    first error ends it all.
    """
    count = min(THREADS_LIMIT, _count_cores()) if n_bytes >= WORTHWHILE_BYTES else 1
    if count == 1:
        return [function(item) for item in items]
    source, lock, failed = iter(items), threading.Lock(), threading.Event()

    def work(_: int) -> list[R]:
        done: list[R] = []
        try:
            while not failed.is_set():
                with lock:
                    item = next(source, _END)
                if item is _END:
                    break
                done.append(function(cast(T, item)))
        except BaseException:
            failed.set()
            raise
        return done

    with ThreadPoolExecutor(count) as pool:
        return [result for done in pool.map(work, range(count)) for result in done]


def _count_cores() -> int:
    # Of this process: a container or a batch system may give it fewer than the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
