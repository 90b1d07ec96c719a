"""What happens for one action, wherever it runs: check, open, call, commit. The engine's only error boundary.

A body sees its arguments and nothing else; its stdout and stderr go into the outcome. The record is written last, so
whatever is interrupted was never there.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import os
import platform
import socket
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from graph.code import read_code
from graph.kinds import Kind, NoParams, find_kind
from graph.task import Call, Outcome, Report, Task, decode_params
from store.artifact import Artifact
from store.errors import Damaged, Missing
from store.open import Store, open_store, type_name
from store.records import Record

REPORTS_PER_S = 10
PRINTED = 4000  # characters of a body's output that are kept, the last ones
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class SourceChanged(Exception):
    """Project source is not what the key says: it was edited since the driver read it."""


def execute(task: Task, report: Report) -> list[Outcome]:
    """Run the calls of a task one after another; a failed one does not stop the others."""
    store = open_store(task.store)
    if task.rewrite:
        store = Store(store.objects, store.url, rewrite=True)
    opened: dict[tuple[str, str], Artifact] = {}
    return [_execute_one(task, call, store, opened, report) for call in task.calls]


def _execute_one(
    task: Task, call: Call, store: Store, opened: dict[tuple[str, str], Artifact], report: Report
) -> Outcome:
    began, started = time.monotonic(), datetime.datetime.now(datetime.UTC)
    outcome = Outcome(task.label, call.element, call.key)
    printed = io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
            limit_threads(task.threads),
        ):
            kind = find_kind(task.kind, Path(task.folder))
            _check_source(task, kind)
            result = _call(task, call, kind, store, opened, report)
            written, size = store.put_sized(result)
            _check_source(task, kind)
        seconds = time.monotonic() - began
        described = {**task.described, "element": call.element, "seed": call.seed, "inputs": call.inputs}
        record = Record(call.key, written, size, result.type, described, _ran(started, seconds), task.source)
        held = store.commit(record)
        return msgspec.structs.replace(outcome, output=held.output, size=held.size, seconds=seconds)
    except (Exception, SystemExit) as error:  # a body that calls sys.exit ends itself, not the driver
        return msgspec.structs.replace(
            outcome,
            seconds=time.monotonic() - began,
            error=f"{type(error).__name__}: {' '.join(str(error).split())}",
            failure="error",
            traceback=printed.getvalue()[-PRINTED:] + traceback.format_exc(),
            lost=_find_lost(error),
        )


def _find_lost(error: BaseException | None) -> str:
    """Return the digest that could not be read, also where a body or a library raised its own error from that."""
    while error is not None:
        if isinstance(error, (Missing, Damaged)):
            return error.digest
        error = error.__cause__ or error.__context__
    return ""


def _call(
    task: Task,
    call: Call,
    kind: Kind,
    store: Store,
    opened: dict[tuple[str, str], Artifact],
    report: Report,
) -> Artifact:
    inputs: dict[str, Artifact | None] = {}
    for name, wanted in kind.inputs.items():
        inputs[name] = _open(store, call.inputs[name], wanted.type, opened)
    given: dict[str, Any] = {}
    if kind.params is not NoParams:
        given["params"] = decode_params(task.params, kind.params)
    if kind.draws:
        given["seed"] = call.seed
    if kind.reports:
        given["progress"] = _throttled(task.label, report)
    result = kind.function(**inputs, **given)
    expected = type_name(kind.output)
    if not isinstance(result, Artifact) or result.type != expected:
        found = result.type if isinstance(result, Artifact) else type(result).__name__
        raise TypeError(f"{task.kind} returned {found}, expected {expected}")
    return result


def _open(
    store: Store, digest: str | None, cls: type[Artifact], opened: dict[tuple[str, str], Artifact]
) -> Artifact | None:
    """Open an input; one that all calls of a task share is opened once."""
    if digest is None:
        return None
    key = (digest, type_name(cls))
    if key not in opened:
        if len(opened) > 64:
            opened.clear()
        opened[key] = store.open(digest, cls)
    return opened[key]


def _check_source(task: Task, kind: Kind) -> None:
    if kind.code != task.code or read_code(kind.source).digest != task.code:
        raise SourceChanged("project source was edited since it was read: nothing of this action is kept, start again")


def _ran(started: datetime.datetime, seconds: float) -> dict[str, Any]:
    return {
        "started": started.isoformat(timespec="milliseconds"),
        "seconds": round(seconds, 4),
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "machine": platform.platform(),
    }


def _throttled(label: str, report: Report) -> Callable[..., None]:
    last = 0.0

    def progress(done: int, total: int, **numbers: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= 1 / REPORTS_PER_S or done == total:
            last = now
            report(
                label,
                {"done": done, "total": total, **{name: float(value) for name, value in numbers.items()}},
            )

    return progress


@contextlib.contextmanager
def limit_threads(threads: int) -> Iterator[None]:
    """Hold numeric libraries to `threads` threads: those that are loaded already, and by variables those to come."""
    from threadpoolctl import threadpool_limits

    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update({name: str(threads) for name in THREAD_VARIABLES})
    try:
        with threadpool_limits(threads):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
