"""One process, measured from outside: wall and CPU seconds by the kernel's account, peak memory of the largest child.

Whoever imports this must stay small: what a child weighs before it becomes its program is the parent's weight.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

# Without bytecode every run compiles an engine that is not installed, and peers that are do not pay.
UNWANTED = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")


class Usage(NamedTuple):
    """What a process took: seconds, seconds, MB; `status` is its exit status, `text` what it printed."""

    wall: float
    cpu: float
    rss: float
    status: int
    text: str


def measure(command: list[str], folder: Path, **environment: str) -> Usage:
    """Run a command to its end in a folder."""
    kept = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    printed = folder / ".printed"
    with open(printed, "wb") as file:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=kept | environment, stdout=file, stderr=file)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    text = printed.read_text(errors="replace")
    return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, process.returncode, text)


def measure_well(command: list[str], folder: Path, **environment: str) -> Usage:
    """Run a command that must succeed. Raises SystemExit with what it printed otherwise."""
    used = measure(command, folder, **environment)
    if used.status:
        raise SystemExit(f"{' '.join(command)}: exit {used.status}\n{used.text[-2000:]}")
    return used
