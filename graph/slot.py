"""Slots: the children of one process that runs tasks, reused from task to task."""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec

from graph.parent import Child
from graph.task import Outcome, Report, Task


class Slots:
    """At most `size` children; as many threads run tasks in them.

    A child serves one number of threads: libraries read it as they load.
    """

    def __init__(self, size: int, where: str) -> None:
        self._size = size
        self._where = where
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._busy: set[Child] = set()
        self._is_stopped = False

    def run(self, task: Task, report: Report, is_wanted: Callable[[], bool] = lambda: True) -> list[Outcome]:
        """Run all calls of a task: one whose child dies has failed, those after it go on in another child.

        Once nobody wants them any more what is left of them is stopped.
        """
        outcomes: list[Outcome] = []
        while len(outcomes) < len(task.calls) and is_wanted():
            rest = msgspec.structs.replace(task, calls=task.calls[len(outcomes) :])
            child = self._take(task.threads)
            if child is None:
                break
            try:
                outcomes += child.run(rest, report, is_wanted)
            except BaseException:  # nobody knows what state it is in
                child.end()
                raise
            finally:
                self._give(child)
        return outcomes + [
            Outcome(task.label, call.element, call.key, failure="worker lost", error="worker lost: stopped")
            for call in task.calls[len(outcomes) :]
        ]

    def close_dead(self) -> None:
        """Let go of idle children that have ended by themselves, and of their guards."""
        with self._lock:
            dead = [child for child in self._idle if not child.is_alive]
            self._idle = [child for child in self._idle if child not in dead]
        for child in dead:
            child.close()

    def stop(self) -> None:
        """End all children at once, busy ones too; tasks that still come are not run."""
        with self._lock:
            self._is_stopped = True
            idle, self._idle = self._idle, []
            endings = [threading.Thread(target=child.end, daemon=True) for child in (*idle, *self._busy)]
        for ending in endings:
            ending.start()
        for ending in endings:
            ending.join()
        for child in idle:
            child.close()

    def _take(self, threads: int) -> Child | None:
        """Return a child that serves this, the one used last: what it has loaded may be of use. None once stopped."""
        with self._lock:
            if self._is_stopped:
                return None
            alive = [child for child in self._idle if child.is_alive]
            fit = [child for child in alive if child.threads == threads]
            n_kept = self._size - len(self._busy) - 1
            child = fit[-1] if fit else Child(threads, self._where)
            others = [other for other in alive if other is not child]
            kept = others[max(0, len(others) - n_kept) :]
            dropped = [other for other in self._idle if other is not child and other not in kept]
            self._idle = kept
            self._busy.add(child)
        for other in dropped:
            other.close()
        return child

    def _give(self, child: Child) -> None:
        with self._lock:
            self._busy.discard(child)
            is_kept = child.is_alive and not self._is_stopped
            if is_kept:
                self._idle.append(child)
        if not is_kept:
            child.close()
