"""Many operations at a time, for places that answer in tens of milliseconds, and hundreds at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from store.objects import Objects

T = TypeVar("T")
R = TypeVar("R")
AT_ONCE = 16
THREADS = 32  # of who does nothing else


def many(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Call a function for all items, 16 at a time; return the results in order, or raise the first error."""
    listed = list(items)
    if len(listed) < 2:
        return [function(item) for item in listed]
    from concurrent.futures import ThreadPoolExecutor

    pool, waits = ThreadPoolExecutor(min(AT_ONCE, len(listed))), True
    try:
        return list(pool.map(function, listed))
    except KeyboardInterrupt:
        waits = False  # a place that does not answer may take a minute to say so
        raise
    finally:
        pool.shutdown(waits, cancel_futures=True)


def each(
    objects: Objects, function: Callable[[T], R], items: Iterable[T], threads: int = THREADS
) -> Iterator[tuple[T, R]]:
    """Yield (item, result) in no order. No more items are taken, and results held, than twice the threads.

    What `function` raises is raised here; what had begun is finished first. A folder is served by one thread: its
    operations take microseconds, which is less than to hand them over.
    """
    if objects.is_touched_freely:
        yield from ((item, function(item)) for item in items)
        return
    from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

    rest = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        under_way: dict[Future[R], T] = {}
        while True:
            for item in itertools.islice(rest, 2 * threads - len(under_way)):
                under_way[pool.submit(function, item)] = item
            if not under_way:
                return
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                yield under_way.pop(future), future.result()
