"""Executors: where tasks run. They take tasks and give outcomes back in the order in which these come.

    inline   this process; no timeouts, no resources, and what a C library prints is not caught
    local    Dask within this process, bodies in child processes
    remote   a Dask cluster that somebody started, bodies in child processes of its workers

Dask is imported and a cluster started or joined by the first task, so a run that finds everything needs neither.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from graph.capture import Printed
from graph.execute import execute
from graph.spec import Compute
from graph.task import Outcome, Report, Show, Task, show_nobody
from graph.threads import Threads


class Executor(Protocol):
    """Runs tasks. `slots` is how many run side by side."""

    @property
    def slots(self) -> int: ...

    def check_resources(self, wanted: dict[str, dict[str, float]]) -> None:
        """Raise ClusterError, a line each, where a node (by label) wants what no worker has."""

    def submit(self, task: Task) -> None:
        """Take a task; returns at once. Raises ClusterError: there is nobody left to run it."""

    def wait(self, patience: float | None = None) -> tuple[Task, list[Outcome]] | None:
        """Return the next finished task with its outcomes; at least one task must be under way.

        None: nothing has come in `patience` seconds.
        """

    def close(self) -> None:
        """Stop everything that is under way; nothing of it is left afterwards."""


def make_executor(compute: Compute, report: Report, show: Show = show_nobody) -> Executor:
    """Return the executor that a spec asks for; it shows the address of its dashboard, if it has one."""
    if compute.executor == "inline":
        return Inline(report)
    from graph.dask_cluster import DaskCluster

    return DaskCluster(compute, report, show)


class Inline:
    """Runs a task in this process when its outcome is waited for."""

    slots = 1

    def __init__(self, report: Report) -> None:
        self._report = report
        self._tasks: deque[Task] = deque()
        self._capture = Printed()
        self._threads = Threads()

    def check_resources(self, wanted: dict[str, dict[str, float]]) -> None:
        pass

    def submit(self, task: Task) -> None:
        self._tasks.append(task)

    def wait(self, patience: float | None = None) -> tuple[Task, list[Outcome]] | None:
        task = self._tasks.popleft()
        self._threads.hold(task.threads)
        return task, list(execute(task, self._report, self._capture))

    def close(self) -> None:
        self._tasks.clear()
        self._threads.release()
