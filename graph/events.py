"""Events: one stream, written by the driver; the run's files, the progress table and `plan`'s reasons all read it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

import msgspec

State = Literal["waiting", "running", "hit", "done", "failed", "skipped"]


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that happened to an instance.

    Attributes:
        label: the instance, `qa[2]`.
        state: what it is now.
        total, done: elements of a map; 0 for a whole node.
        ran: elements that were executed and not found.
        seconds: since it began, summed over its elements where it has ended.
        key, output: once it has ended well.
        error: one line, once it has failed.
        element: set where this is about one element of a map alone, which failed or wrote something.
        traceback: of what failed.
        log: (digest, bytes) of the blob with what the body wrote to stdout and stderr.
        waits_for: who executes it, elsewhere.
        numbers: its own progress: `done`, `total` and whatever it reports.
        link: the address of Dask's dashboard, where there is one; `label` is then no instance.
        at: seconds since the epoch, for people; never part of a result.
    """

    label: str
    state: State
    total: int = 0
    done: int = 0
    ran: int = 0
    seconds: float = 0.0
    key: str = ""
    output: str = ""
    error: str = ""
    element: str | None = None
    traceback: str = ""
    log: tuple[str, int] | None = None
    waits_for: str = ""
    numbers: dict[str, float] = {}
    link: str = ""
    at: float = 0.0


Listener = Callable[[Event], None]


class Events:
    """Passes every event to all listeners, in order."""

    def __init__(self, *listeners: Listener) -> None:
        self.listeners = listeners

    def emit(self, label: str, state: State, **facts: Any) -> None:
        """Tell the listeners."""
        event = Event(label, state, at=time.time(), **facts)
        for listener in self.listeners:
            listener(event)
