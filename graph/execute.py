"""What happens for one action, wherever it runs: lock, look, open, call, commit. The engine's only error boundary.

A body sees its arguments and nothing else; what it prints becomes a blob. The record is written last, so whatever is
interrupted was never there. Two processes never execute one whole node or one long element, nor share
a scratch folder: the second waits and finds what the first made.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import os
import platform
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from graph.capture import Capture
from graph.distributions import installed, major_minor
from graph.externals import check_externals
from graph.failures import classify_error
from graph.kinds import Kind, NoParams, load_kind
from graph.lock import hold
from graph.shipping import use_source
from graph.task import Call, Outcome, Report, Task, decode_params
from graph.threads import hold_torch
from store.artifact import Artifact
from store.errors import Damaged, Missing, StoreError, one_line
from store.objects import LocalObjects
from store.open import Store, open_store, type_name
from store.records import Record

REPORTS_PER_S = 10
PRINTED = 4000  # bytes of a body's output that a traceback begins with, the last ones
QUICK_S = 0.01
ERROR = 1000  # characters of an error's text
TRACEBACK = 20000


class Unfit(Exception):
    """This process cannot execute the task as its key says; the text stands for itself."""


def execute(
    task: Task, report: Report, capture: Capture, begin: Callable[[], None] = lambda: None, where: str = ""
) -> Iterator[Outcome]:
    """Run the calls of a task one after another; a failed one does not stop the others.

    Args:
        begin: is called as each body begins; one that is found, or waits for another process, has not begun.
        where: who executes, for messages; "" is the driver itself, which needs no check against itself.
    """
    execution = _Execution(task, report, capture, begin, where)
    return map(execution.run, task.calls)


class _Execution:
    """A task under way: its store, its kind, and the inputs that its calls share."""

    def __init__(self, task: Task, report: Report, capture: Capture, begin: Callable[[], None], where: str) -> None:
        self._task = task
        self._capture = capture
        self._begin = begin
        self._where = where
        self._report = _throttle(task.label, report)
        self._store = _open_store(task.store, task.rewrite)
        self._opened: dict[tuple[str, str], Artifact] = {}
        self._printed = b""
        self._log: tuple[str, int] | None = None
        self._was_quick = False

    def run(self, call: Call) -> Outcome:
        """Find or make the output of one call; whatever it raises becomes its outcome."""
        started = time.monotonic()
        self._printed, self._log = b"", None
        self._capture.begin()
        try:
            kind = self._load()
            with self._alone(call, kind):
                return self._find(call) or self._make(call, kind)
        except BaseException as error:  # a body that calls sys.exit ends itself, and nobody else
            if isinstance(error, KeyboardInterrupt) and not self._where:
                raise  # Ctrl-C, which reaches the driver alone; in a child a body has raised it
            return self._failed(call, error, time.monotonic() - started)
        finally:
            self._capture.end()

    def _load(self) -> Kind:
        """Return the kind. Raises Unfit where this process is not as the key says."""
        task = self._task
        if self._where:
            _check_packages(task.packages, self._where)
            try:
                use_source(self._store, task.source)
            except (Missing, Damaged) as error:  # the driver has just put it there: it is this place that is wrong
                raise Unfit(f"worker {self._where} cannot read the source in {task.store}: {error}") from None
        return load_kind(task.kind, task.target)

    def _alone(self, call: Call, kind: Kind) -> contextlib.AbstractContextManager[None]:
        # After a quick element the next goes without: a lock each would cost more than to make some of them twice.
        objects = self._store.objects
        if isinstance(objects, LocalObjects) and (not self._was_quick or kind.resumes):
            return hold(f"{objects.root}/locks/{call.key}")
        return contextlib.nullcontext()

    def _find(self, call: Call) -> Outcome | None:
        """Return the outcome if somebody else was faster."""
        task = self._task
        record = None if task.rewrite or task.is_check else self._store.records.use(call.key)
        if record is None:
            return None
        try:
            self._store.manifests.get(record.output, record.size)
        except StoreError:
            return None
        return Outcome(task.label, call.element, call.key, record.output, record.size, is_found=True)

    def _make(self, call: Call, kind: Kind) -> Outcome:
        task, store = self._task, self._store
        began, started = time.monotonic(), datetime.datetime.now(datetime.UTC)
        self._begin()
        result = self._call(call, kind)
        written, size = store.put_sized(result)
        seconds = time.monotonic() - began
        if task.is_check:
            return Outcome(task.label, call.element, call.key, written, size, seconds)
        self._was_quick = seconds < QUICK_S
        self._keep_log()
        ran = {"started": started.isoformat(timespec="milliseconds"), "seconds": round(seconds, 4), **_machine()}
        if self._log is not None:
            ran["log"] = self._log
        described = {**task.described, "element": call.element, "seed": call.seed, "inputs": call.inputs}
        record = Record(call.key, written, size, result.type, described, ran, task.source)
        try:
            held = store.commit(record)
        except Missing:  # found as it was put, and deleted by gc since
            written, size = store.rewriting().put_sized(result)
            held = store.commit(record)
        if kind.resumes:
            import shutil

            shutil.rmtree(self._scratch(call), ignore_errors=True)
        return Outcome(task.label, call.element, call.key, held.output, held.size, seconds, log=self._log)

    def _call(self, call: Call, kind: Kind) -> Artifact:
        inputs = {name: self._open(call.inputs[name], wanted.type) for name, wanted in kind.inputs.items()}
        given: dict[str, Any] = {}
        if kind.params is not NoParams:
            given["params"] = decode_params(self._task.params, kind.params)
        if kind.draws:
            given["seed"] = call.seed
        if kind.reports:
            given["progress"] = self._report
        if kind.resumes:
            given["scratch"] = self._scratch(call)
            given["scratch"].mkdir(parents=True, exist_ok=True)
        hold_torch(self._task.threads)
        result = _call_once(functools.partial(kind.function, **inputs, **given))
        if kind.params is not NoParams:
            check_externals(given["params"])
        expected = type_name(kind.output)
        if not isinstance(result, Artifact) or result.type != expected:
            found = result.type if isinstance(result, Artifact) else type(result).__name__
            raise TypeError(f"{self._task.kind} returned {found}, expected {expected}")
        return result

    def _scratch(self, call: Call) -> Path:
        objects = self._store.objects
        if not isinstance(objects, LocalObjects):
            raise TypeError(f"store {self._store.url}: there is no scratch folder on it, expected a local store")
        return objects.root / "scratch" / call.key

    def _open(self, digest: str | None, cls: type[Artifact]) -> Artifact | None:
        """Open an input; one that all calls of a task share is opened once."""
        if digest is None:
            return None
        key = (digest, type_name(cls))
        if key not in self._opened:
            if len(self._opened) > 64:
                self._opened.clear()
            self._opened[key] = self._store.open(digest, cls)
        return self._opened[key]

    def _keep_log(self) -> None:
        printed = self._capture.end()
        if printed:
            self._printed = printed
            self._log = self._store.blobs.put(printed), len(printed)

    def _failed(self, call: Call, error: BaseException, seconds: float) -> Outcome:
        with contextlib.suppress(OSError):  # a full disk must not hide what went wrong first
            self._keep_log()
        text = one_line(_clip(_text(error), ERROR))
        printed = self._printed[-PRINTED:].decode("utf-8", "replace")
        return Outcome(
            label=self._task.label,
            element=call.element,
            key=call.key,
            seconds=seconds,
            failure=classify_error(error),
            error=text if isinstance(error, Unfit) else f"{type(error).__name__}: {text}",
            traceback=printed + _clip("".join(traceback.format_exception(error)), TRACEBACK),
            lost="" if isinstance(error, Unfit) else _find_lost(error),
            log=self._log,
        )


def _call_once(body: Callable[[], Any]) -> Any:
    """Call a body and go on in this process alone, in the same folder: a copy that it forked ends with it."""
    process, folder = os.getpid(), _folder()
    try:
        return body()
    finally:
        if os.getpid() != process:
            os._exit(0)
        if folder and _folder() != folder:
            os.chdir(folder)


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was deleted
        return ""


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except (Exception, SystemExit) as other:  # a body's own class, which may fail at this too
        return f"its text cannot be had: {type(other).__name__}"


def _clip(text: str, size: int) -> str:
    """Return text that can travel: valid, and of a long one the first and last characters."""
    text = text.encode("utf-8", "backslashreplace").decode()  # a file's name may hold what is no UTF-8
    if len(text) <= size:
        return text
    return f"{text[: size // 2]}\n... {len(text) - size} characters ...\n{text[-size // 2 :]}"


def _find_lost(error: BaseException | None) -> str:
    """Return the digest that could not be read, also where a body or a library raised its own error from that."""
    seen = set()
    while error is not None and id(error) not in seen:  # `raise error from error`
        if isinstance(error, (Missing, Damaged)):
            return error.digest
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return ""


def _check_packages(packages: dict[str, str], where: str) -> None:
    """Raise Unfit where what is installed here is not what the key says: exact versions, or major.minor."""
    for name, wanted in packages.items():
        found = _version(name)
        if wanted not in (found, major_minor(found)):
            raise Unfit(f"worker {where} has {name} {found}, the key says {wanted}")


@functools.cache
def _version(name: str) -> str:
    if name == "python":
        return platform.python_version()
    return installed().get(name, "unknown")


@functools.cache
def _open_store(url: str, rewrite: bool) -> Store:
    store = open_store(url)
    return store.rewriting() if rewrite else store


@functools.cache
def _machine() -> dict[str, str]:
    system = os.uname()
    machine = f"{system.sysname}-{system.release}-{system.machine}"
    return {"host": system.nodename, "python": platform.python_version(), "machine": machine}


def _throttle(label: str, report: Report) -> Callable[..., None]:
    """Return the `progress` of a body: at most ten reports a second travel."""
    last = 0.0

    def progress(done: int, total: int, **numbers: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= 1 / REPORTS_PER_S:
            last = now
            # Bodies count in numpy and torch too.
            report(label, {name: float(value) for name, value in {"done": done, "total": total, **numbers}.items()})

    return progress
