"""Programs that a node starts: each leads a process group of its own, which ends with the node, whatever ends it.

A shell in that group, blocked on a pipe that only this process holds open, sends TERM to the group and five seconds
later KILL when this process is gone: a body's process is ended by signals that leave it no time to tidy up. What a
program writes goes to the body's own log as it comes.

Its environment is scrubbed: where programs and libraries lie, who the user is, which GPUs and which Slurm job it has,
how many threads to use, and nothing else. Keys of services don't go along.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from store.errors import one_line

GRACE_S = 5.0  # from TERM to KILL
LOOK_S = 0.2
GUARD = f"trap '' HUP INT TERM; read _; kill -TERM 0; sleep {GRACE_S:g}; kill -KILL 0"
NAMES = ("HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "HF_HOME", "HF_HUB_OFFLINE")
FAMILIES = ("LC_", "CUDA_", "NVIDIA_", "NCCL_", "SLURM_", "OMP_", "MKL_", "OPENBLAS_")
TAIL_BYTES = 4096
TAIL_LINES = 5
TOLD = 500  # characters of the last lines
PLACE = re.compile(r"\{([A-Za-z_]+)\}")


def run_program(
    command: Sequence[str],
    folder: Path,
    more: Mapping[str, str] | None = None,
    look: Callable[[], None] = lambda: None,
) -> None:
    """Run a program to its end, in `folder`.

    Args:
        command: the program and its arguments, as they are: there is no shell.
        more: variables beside those that every program gets.
        look: is called a few times a second meanwhile.
    Raises:
        ValueError: there is no such program, or it did not end with status 0; the text holds its last lines.
    """
    life, hold = os.pipe()
    try:
        program, guard = _start(command, folder, {**environment(), **(more or {})}, life)
    finally:
        os.close(life)
    tails = [_Tail(program.stdout, sys.stdout), _Tail(program.stderr, sys.stderr)]
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(LOOK_S)
                break
            look()
    finally:
        _end(program, guard)
        os.close(hold)
        for tail in tails:
            tail.thread.join(LOOK_S)  # what left the group may hold the pipe open
    look()
    if program.returncode:
        told = tails[1].lines() or tails[0].lines()
        raise ValueError(f"{command[0]!r} {ended(program.returncode)}{f': {told}' if told else ', and said nothing'}")


def check_command(command: Sequence[str], places: Sequence[str], output: str, has_files: bool) -> None:
    """Raise ValueError where a command's arguments name a place that there is not, or lack one that it needs.

    Args:
        output: what it writes at {output}, for people.
        has_files: the param `files` is given.
    """
    named = {name for argument in command for name in PLACE.findall(argument)}
    if unknown := sorted(named - {*places}):
        known = " ".join(f"{{{name}}}" for name in places)
        raise ValueError(f"command: {{{unknown[0]}}} stands for nothing: known are {known}")
    if "output" not in named:
        raise ValueError(f"command: need {{output}}, where it writes {output}")
    if ("files" in named) != has_files:
        raise ValueError("files, command: need both of the param and {files}, or neither")


def fill(argument: str, places: Mapping[str, str]) -> str:
    """Return an argument with paths in place of their names."""
    return PLACE.sub(lambda match: places[match[1]], argument)


def environment() -> dict[str, str]:
    """Return the variables that every program gets."""
    kept = {name: value for name, value in os.environ.items() if name in NAMES or name.startswith(FAMILIES)}
    return {"PATH": os.defpath, "HOME": "/", **kept, "TOKENIZERS_PARALLELISM": "false", "PYTHONHASHSEED": "0"}


def _start(
    command: Sequence[str], folder: Path, variables: Mapping[str, str], life: int
) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]:
    """Start a program, and the guard of its group. Raises ValueError where it cannot be started."""
    try:
        program = subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )
    except (OSError, ValueError) as error:  # a NUL in an argument is a ValueError
        raise ValueError(f"{command[0]!r} cannot be started: {getattr(error, 'strerror', None) or error}") from None
    try:
        guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD],
            stdin=life,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=program.pid,
        )
    except BaseException:
        program.kill()
        program.wait()
        raise
    return program, guard


def _end(program: subprocess.Popen[bytes], guard: subprocess.Popen[bytes]) -> None:
    """End what is left of the group. While the guard is there, no other group can have its number."""
    if program.poll() is None:
        _signal(program, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(GRACE_S)
    _signal(program, signal.SIGKILL)
    guard.wait()
    program.wait()


def _signal(program: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(program.pid, number)


def ended(status: int) -> str:
    """Return how a program ended, by its status as subprocess tells it."""
    if status > 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


class _Tail:
    """Passes on what comes by a pipe, and keeps the end of it."""

    def __init__(self, pipe: IO[bytes] | None, to: IO[str]) -> None:
        assert pipe is not None
        self._pipe, self._to, self._kept = pipe, to, b""
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def lines(self) -> str:
        """Return the last lines, in one."""
        text = self._kept.decode("utf-8", "replace")
        found = [line.strip() for line in text.splitlines() if line.strip()][-TAIL_LINES:]
        return one_line(" | ".join(found))[-TOLD:]

    def _read(self) -> None:
        with self._pipe:
            while data := os.read(self._pipe.fileno(), 1 << 16):
                self._kept = (self._kept + data)[-TAIL_BYTES:]
                with contextlib.suppress(ValueError, OSError):  # the log was closed meanwhile
                    self._to.write(data.decode("utf-8", "replace"))
                    self._to.flush()
