"""Executors: where tasks run. `inline` is this process; `local` is a Dask LocalCluster on this machine.

Both take tasks and give outcomes back in the order they finish. A cluster starts at the first task it gets, so a run
that finds everything never imports Dask.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import secrets
from collections import deque
from typing import Any, Protocol

from graph.execute import THREAD_VARIABLES, execute
from graph.spec import Compute
from graph.task import Outcome, Report, Task

TOPIC = "dataflow-progress"


class Executor(Protocol):
    """Runs tasks. `slots` is how many run side by side."""

    slots: int

    def submit(self, task: Task) -> None:
        """Take a task; returns at once."""

    def wait(self) -> tuple[Task, list[Outcome]]:
        """Return the next finished task with its outcomes; at least one task must be under way."""

    def close(self) -> None:
        """Stop everything that is under way."""


def make_executor(compute: Compute, report: Report) -> Executor:
    """Return the executor that a spec asks for."""
    return LocalCluster(compute.workers, report) if compute.executor == "local" else Inline(report)


class Inline:
    """Runs a task in this process when its outcome is waited for."""

    slots = 1

    def __init__(self, report: Report) -> None:
        self._report = report
        self._tasks: deque[Task] = deque()

    def submit(self, task: Task) -> None:
        self._tasks.append(task)

    def wait(self) -> tuple[Task, list[Outcome]]:
        task = self._tasks.popleft()
        return task, execute(task, self._report)

    def close(self) -> None:
        self._tasks.clear()


class LocalCluster:
    """Dask worker processes of one thread each on this machine."""

    def __init__(self, workers: int, report: Report) -> None:
        self.slots = workers
        self._report = report
        self._client: Any = None
        self._finished: Any = None
        self._tasks: dict[str, Task] = {}

    def submit(self, task: Task) -> None:
        if self._client is None:
            self._start()
        # A future's key carries a nonce: Dask gives a reused key its old function's result.
        key = f"{task.label}-{secrets.token_hex(8)}"
        self._tasks[key] = task
        self._finished.add(self._client.submit(run_on_worker, task, key=key, pure=False, retries=0))

    def wait(self) -> tuple[Task, list[Outcome]]:
        future = next(self._finished)
        task = self._tasks.pop(future.key)
        if future.status == "finished":
            return task, future.result()
        # Bodies' own errors are outcomes; what arrives here is a worker that died.
        error = f"worker lost: {' '.join(str(future.exception()).split())}"
        return task, [
            Outcome(task.label, call.element, call.key, failure="worker lost", error=error) for call in task.calls
        ]

    def close(self) -> None:
        if self._client is None:
            return
        # What is finished is committed, so workers need no farewell; one in a long body would not hear it anyway.
        cluster = self._client.cluster
        for nanny in cluster.workers.values():
            nanny.close_gracefully()  # or it starts its worker again
        for process in multiprocessing.active_children():
            process.kill()
        self._client.close(timeout=1)
        with contextlib.suppress(TimeoutError):
            cluster.close(timeout=3)
        self._client = None

    def _start(self) -> None:
        import dask
        import distributed

        # Worker loss is counted here, not there: with retries Dask runs an action again in silence.
        dask.config.set({"distributed.scheduler.allowed-failures": 0, "distributed.worker.daemon": True})
        environment = {name: "1" for name in THREAD_VARIABLES} | {"TOKENIZERS_PARALLELISM": "false"}
        dask.config.set({"distributed.nanny.pre-spawn-environ": environment})
        cluster = distributed.LocalCluster(
            n_workers=self.slots,
            threads_per_worker=1,
            processes=True,
            memory_limit=0,
            host="127.0.0.1",
            # Every process has an HTTP server, whatever one says; these stay on this machine, on any free port.
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            silence_logs="CRITICAL",
        )
        self._client = distributed.Client(cluster)
        self._client.subscribe_topic(TOPIC, lambda event: self._report(*event[1]))
        self._finished = distributed.as_completed()


def run_on_worker(task: Task) -> list[Outcome]:
    """Run a task on a Dask worker; progress travels as Dask events."""
    import distributed

    worker = distributed.get_worker()
    return execute(task, lambda label, numbers: worker.log_event(TOPIC, (label, numbers)))
