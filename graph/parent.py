"""The parent's side of one child process: it is given tasks, watched while it works, and ended.

A child that dies, or takes longer than it may, fails the call that it was at. Each leads a process group. A shell in
that group, blocked on a pipe that only the parent holds open, kills the group when the parent is gone: it needs no
interpreter that a body could be holding, and it reaches what a body started.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable

import msgspec

from graph.capture import read_tail
from graph.failures import classify_death, count_oom_kills
from graph.frames import Began, Ended, Frames, Message, Told, write_frame
from graph.task import Failure, Outcome, Report, Task
from graph.threads import environment
from store.errors import StoreError
from store.open import open_store

GRACE_S = 5.0  # from TERM to KILL
LOOK_S = 1.0  # what a body forked may hold the pipe open when the child has died
PRINTED = 4000  # bytes of its output that stand for a traceback
GUARD = "trap '' HUP INT TERM; read _; kill -KILL 0"

_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


class Child:
    """One child process. It serves one thread at a time; `end` may come from any."""

    def __init__(self, threads: int, where: str) -> None:
        self.threads = threads
        self.is_ended = False
        self._has_served = False
        self._ending = threading.Lock()
        self._log = tempfile.TemporaryFile()
        fcntl.fcntl(self._log, fcntl.F_SETFL, os.O_APPEND)
        tasks, self._tasks = os.pipe()
        self._messages, messages = os.pipe()
        life, self._life = os.pipe()
        self._frames = Frames(self._messages)
        self._poll = select.poll()
        self._poll.register(self._messages, select.POLLIN)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "graph.child", str(tasks), str(messages), where],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=(tasks, messages),
                env=_environment(threads),
                process_group=0,
            )
            guard = ["/bin/sh", "-c", GUARD]
            self._guard = subprocess.Popen(guard, stdin=life, stderr=self._log, process_group=self._process.pid)
        except BaseException:
            for pipe in (self._tasks, self._messages, self._life):  # a child without a guard ends by itself then
                os.close(pipe)
            raise
        finally:
            for pipe in (tasks, messages, life):
                os.close(pipe)

    @property
    def is_alive(self) -> bool:
        """Tell whether it can take a task."""
        return not self.is_ended and self._process.poll() is None

    def run(self, task: Task, report: Report, is_wanted: Callable[[], bool] = lambda: True) -> list[Outcome]:
        """Run calls of a task in order, all of them or up to one at which the child died or was stopped.

        It is stopped as soon as the task is not wanted any more. An idle child may die before it begins: then there may
        be no outcome at all, and the task is as it was.
        """
        outcomes: list[Outcome] = []
        oom_kills, begun = count_oom_kills(), None
        try:
            write_frame(self._tasks, task)
            while len(outcomes) < len(task.calls):
                if not self._wait(is_wanted, None if begun is None or task.timeout is None else begun + task.timeout):
                    self.end()
                    late = f"took longer than its timeout of {task.timeout:g} s"
                    return [*outcomes, self._lost(task, len(outcomes), begun, "timeout", late)]
                for data in self._frames.read():
                    match _decoder.decode(data):
                        case Began():
                            begun = time.monotonic()
                        case Told(label, numbers):
                            report(label, numbers)
                        case Ended(outcome):
                            outcomes.append(outcome)
                            begun, self._has_served = None, True
        except (EOFError, BrokenPipeError):
            is_stopped = self.is_ended
            status = self.end()
            if begun is None and self._has_served and not is_stopped:
                return outcomes
            failure, error = classify_death(status, count_oom_kills() - oom_kills)
            return [*outcomes, self._lost(task, len(outcomes), begun, failure, "stopped" if is_stopped else error)]
        return outcomes

    def end(self) -> int:
        """End it and all that it started: TERM, five seconds, KILL. Return its exit status; may be called again."""
        self.is_ended = True
        with self._ending:
            if self._guard.returncode is None:  # while it is there, no other group can have the number
                self._signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(GRACE_S)
                self._signal(signal.SIGKILL)
                self._guard.wait()
            return self._process.wait()

    def close(self) -> None:
        """End it and let go of its pipes; only for who uses it."""
        self.end()
        for pipe in (self._tasks, self._messages, self._life):
            os.close(pipe)
        self._log.close()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _wait(self, is_wanted: Callable[[], bool], deadline: float | None) -> bool:
        """Wait for a message; False is that none came in time. Raises EOFError: it is dead, or ended here."""
        while True:
            if not is_wanted():
                self.end()
                raise EOFError
            left = LOOK_S if deadline is None else min(LOOK_S, deadline - time.monotonic())
            if left < 0:
                return False
            if self._poll.poll(left * 1000):
                return True
            if self._process.poll() is not None:
                raise EOFError

    def _lost(self, task: Task, n: int, begun: float | None, failure: Failure, error: str) -> Outcome:
        """Return the outcome of the call that it was at, with what this wrote until then."""
        seconds = 0.0 if begun is None else time.monotonic() - begun
        call, printed, log = task.calls[n], read_tail(self._log.fileno()), None
        if printed:
            with contextlib.suppress(OSError, StoreError):
                log = open_store(task.store).blobs.put(printed), len(printed)
        text = printed[-PRINTED:].decode("utf-8", "replace")
        error = f"{failure}: {error}"
        place = task.label, call.element, call.key
        return Outcome(*place, seconds=seconds, failure=failure, error=error, traceback=text, log=log)


def _environment(threads: int) -> dict[str, str]:
    # What this process can import, its child can; and the order of sets is no accident there.
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    return {**os.environ, **environment(threads), "PYTHONHASHSEED": "0", "PYTHONPATH": paths}
