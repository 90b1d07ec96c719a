"""The child of a worker: executes task after task, so that nothing a body does can harm the worker.

It is `python -m graph.child` with two pipes: tasks come in by one, what happens goes out by the other. Descriptors 1
and 2 are a file of the parent's. It ends when nobody is left to send it a task, or when none came for a while.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import select
import sys
import threading
import traceback
from typing import Any

import msgspec

from graph.capture import Written
from graph.execute import execute
from graph.frames import Began, Ended, Frames, Told, write_frame
from graph.task import Task

IDLE_S = 60  # then it goes: it holds memory, of a GPU too, that others on this machine may want


def main(tasks: int, messages: int, where: str) -> None:
    """Execute what comes by the pipe `tasks`."""
    for pipe in (tasks, messages):
        os.set_inheritable(pipe, False)  # programs that a body starts must not keep them open
    faulthandler.enable()
    capture, frames, lock = Written(), Frames(tasks), threading.Lock()

    def tell(message: Any) -> None:
        with lock:  # a body may report from threads of its own
            write_frame(messages, message)

    # A parent that is gone (EOF, a broken pipe) wants no word.
    with contextlib.suppress(EOFError, BrokenPipeError):
        while select.select([tasks], [], [], IDLE_S)[0]:
            for data in frames.read():
                task = msgspec.msgpack.decode(data, type=Task)
                for outcome in execute(task, lambda *told: tell(Told(*told)), capture, lambda: tell(Began()), where):
                    tell(Ended(outcome))
                    if outcome.error and _has_lost_gpu():
                        return  # what is left of the task goes to another child
                _free_memory()


def _has_lost_gpu() -> bool:
    """Tell whether an error on a GPU has ended all use of it by this process, as a failed assertion there does."""
    cuda = _cuda()
    try:
        if cuda is not None:
            cuda.synchronize()
    except RuntimeError:
        return True
    return False


def _free_memory() -> None:
    """Give back what torch keeps of a GPU for later: the next task there may be another child's."""
    cuda = _cuda()
    if cuda is not None:
        cuda.empty_cache()


def _cuda() -> Any:
    """Return `torch.cuda` where a body has used it, else None."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    return cuda if cuda is not None and cuda.is_initialized() else None


if __name__ == "__main__":
    # Ended by hand: the interpreter would wait for threads that bodies left, and the parent for the interpreter.
    try:
        main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
