"""The sandbox: a pool of interpreter processes (pydantic-monty), one for this process, in which programs run.

A Rust interpreter without files, network or host modules; limits on time, memory and depth are its own, and a worker
that breaks one is replaced. Every session begins with the scene API, restored from a dump that is made once.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from nodes.questions.programs.scene_api import sandbox_source

if TYPE_CHECKING:
    from pydantic_monty import Monty, MontySession

PRINTED_BYTES = 10_000


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """What one program may use."""

    time_s: Annotated[float, Meta(gt=0, le=60, description="of a program", extra={"unit": "s"})] = 0.5
    memory_mb: Annotated[int, Meta(ge=1, le=4096, description="of its values", extra={"unit": "MB"})] = 64
    depth: Annotated[int, Meta(ge=10, le=500, description="of calls within calls")] = 100
    length: Annotated[int, Meta(ge=10, le=10_000, description="of a value as text", extra={"unit": "characters"})] = 400


_lock = threading.Lock()
_pools: dict[int, Monty] = {}  # by process: a fork leaves its parent's alone
_dumps: dict[Limits, bytes] = {}


@contextmanager
def open_session(limits: Limits) -> Iterator[MontySession]:
    """Give a fresh session that knows the scene API."""
    if limits not in _dumps:
        with _checkout(limits) as session:
            session.feed_run(sandbox_source())
            _dumps[limits] = session.dump()
    with _checkout(limits) as session:
        session.load_session(_dumps[limits])
        yield session


def feed(session: MontySession, source: str, inputs: dict[str, Any] | None = None) -> Any:
    """Run one piece of source, with what it prints thrown away. Raises MontyError."""
    from pydantic_monty import CollectString

    return session.feed_run(source, inputs=inputs, print_callback=CollectString(PRINTED_BYTES))


def _checkout(limits: Limits) -> MontySession:
    return _pool().checkout(
        limits={
            "max_feed_duration_secs": limits.time_s,
            "max_memory": limits.memory_mb << 20,
            "max_recursion_depth": limits.depth,
            "max_suspensions": 100,
        },
        os_policy={"sleep": "zero", "random_start": {"seed": 0}},
    )


def _pool() -> Monty:
    from pydantic_monty import Monty

    with _lock:
        if _pools.keys() - {os.getpid()}:
            raise RuntimeError(
                "a process that has run programs was forked, and its interpreters' threads are not in the fork:"
                " start such processes by spawn, or fork them before"
            )
        pool = _pools.get(os.getpid())
        if pool is None:
            pool = Monty(binary_path=_binary(), checkout_timeout=600)
            pool.__enter__()
            _pools[os.getpid()] = pool
        return pool


def _binary() -> Path | None:
    """Return the interpreter where the package's installer put it, if that is not where the package looks for it.

    In an environment on top of another one its scripts lie in the lower one.
    """
    from importlib.metadata import PackageNotFoundError, files

    try:
        listed = files("pydantic-monty-runtime") or []
    except PackageNotFoundError:
        return None
    found = [Path(str(file.locate())) for file in listed if file.name in ("monty", "monty.exe")]
    return next((path for path in found if path.is_file()), None)


def _leave_to_parent() -> None:
    """In a fork: another thread of the parent may have held the lock, and letting go of its pool waits for threads that
    are not here."""
    global _lock
    _lock = threading.Lock()
    for pool in _pools.values():
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(pool))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


@atexit.register
def _close() -> None:
    pool = _pools.pop(os.getpid(), None)
    if pool is not None:
        pool.__exit__(None, None, None)
