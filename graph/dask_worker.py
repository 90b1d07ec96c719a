"""What runs inside a Dask worker: tasks, each in a child of it, and what a driver asks and tells all workers."""

from __future__ import annotations

import asyncio
import importlib.util
import platform
import threading
from typing import Any

import msgspec

from graph.action import ARTIFACT_FORMAT, KEY_FORMAT
from graph.distributions import major_minor
from graph.slot import Slots
from graph.task import Outcome, Task
from store.errors import StoreError
from store.open import open_store

_slots: dict[tuple[str, str], Slots] = {}  # run, worker; the workers of a local cluster share this process
_stopped: set[str] = set()
_lock = threading.Lock()


def run_task(run: str, data: bytes) -> bytes:
    """Run an encoded task of a run and return its encoded outcomes; progress travels as Dask events."""
    import distributed

    worker = distributed.get_worker()
    key = worker.get_current_task()

    def is_wanted() -> bool:
        # A driver that was killed says nothing: the scheduler then takes back what it had asked for.
        known = worker.state.tasks.get(key)
        return known is not None and known.state != "cancelled"

    with _lock:
        slots = _slots.setdefault((run, worker.address), Slots(worker.state.nthreads, worker.address))
        if run in _stopped:
            slots.stop()
        others = [other for other in _slots.values() if other is not slots]
    for other in others:  # of drivers that were killed
        other.close_dead()
    task = msgspec.msgpack.decode(data, type=Task)
    outcomes = slots.run(task, lambda label, numbers: worker.log_event(run, (label, numbers)), is_wanted)
    return msgspec.msgpack.encode(outcomes)


def decode_outcomes(data: bytes) -> list[Outcome]:
    """Return what `run_task` returned."""
    return msgspec.msgpack.decode(data, type=list[Outcome])


def stop_run(run: str) -> None:
    """End all children of a run in this process; none begins any more."""
    with _lock:
        _stopped.add(run)
        ours = [slots for (of, _), slots in _slots.items() if of == run]
    threads = [threading.Thread(target=slots.stop, daemon=True) for slots in ours]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


async def stop_run_here(run: str) -> None:
    """Do the same in the loop of a worker, which has to go on meanwhile."""
    await asyncio.to_thread(stop_run, run)


def forbid_retries(dask_scheduler: Any) -> None:
    """Let a lost worker fail its tasks at once: by itself Dask runs them again, three times, and nobody hears of it."""
    dask_scheduler.allowed_failures = 0


def has_dashboard() -> bool:
    """Tell whether a scheduler here has a dashboard: Dask draws it with bokeh, where that is installed."""
    return importlib.util.find_spec("bokeh") is not None


def sees(store: str, name: str) -> bool:
    """Tell whether this process sees `name` in a store."""
    try:
        return open_store(store).objects.exists(name)
    except StoreError:
        return False


def versions() -> dict[str, str]:
    """Return the versions that a driver and its workers must share: what they talk by, and what keys and bytes mean."""
    import distributed

    return {
        "Python": major_minor(platform.python_version()),
        "Dask": distributed.__version__,
        "msgspec": major_minor(msgspec.__version__),
        "key format": str(KEY_FORMAT),
        "artifact format": str(ARTIFACT_FORMAT),
    }
