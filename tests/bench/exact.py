"""Runs the harness with a wait that does not poll: the standard one with a timeout looks every 50 ms.

python tests/bench/exact.py HARNESS ARGUMENT ...
"""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import threading

_wait = subprocess.Popen.wait


def wait_exactly(process: subprocess.Popen, timeout: float | None = None) -> int:
    """Wait for a process; its group is killed when the time is up."""
    if timeout is None:
        return _wait(process)
    timer = threading.Timer(timeout, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    try:
        return _wait(process)
    finally:
        timer.cancel()


subprocess.Popen.wait = wait_exactly  # type: ignore[method-assign,assignment]
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
