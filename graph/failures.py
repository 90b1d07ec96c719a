"""Failures: whose fault it is that a call has no output. A body's own error is final; the others are the machine's.

error          the body raised, or ended itself
transient      the system failed it: a network, a file server; the same call may well pass
out of memory  Python, torch or the kernel had no memory left
timeout        it took longer than its node may
worker lost    its process died of anything else
"""

from __future__ import annotations

import errno
import functools
import signal
from pathlib import Path

from graph.task import Failure

TRANSIENT = {
    errno.EIO,
    errno.EAGAIN,
    errno.ECONNRESET,
    errno.ETIMEDOUT,
    errno.ESTALE,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.EPIPE,
}


def classify_error(error: BaseException) -> Failure:
    """Return what kind of failure an exception is that a body raised."""
    # torch's OutOfMemoryError by name: to import torch for it would cost seconds.
    if isinstance(error, MemoryError) or any(cls.__name__ == "OutOfMemoryError" for cls in type(error).__mro__):
        return "out of memory"
    if isinstance(error, (ConnectionError, TimeoutError)):
        return "transient"
    return "transient" if isinstance(error, OSError) and error.errno in TRANSIENT else "error"


def classify_death(status: int, oom_kills: int) -> tuple[Failure, str]:
    """Return what kind of failure it is that a process died, and a line for people.

    Args:
        status: as `subprocess` gives it: negative is a signal.
        oom_kills: how many processes the kernel has killed for memory in our group since it began.
    """
    if status == -signal.SIGKILL and oom_kills:
        return "out of memory", "killed by the kernel: no memory was left"
    if status >= 0:
        return "worker lost", f"its process ended with status {status}"
    try:
        return "worker lost", f"its process died of {signal.Signals(-status).name}"
    except ValueError:
        return "worker lost", f"its process died of signal {-status}"


def count_oom_kills() -> int:
    """Return how many processes of our control group the kernel has killed for want of memory; 0 where none tells."""
    for file in _oom_files():
        try:
            counts = dict(line.split() for line in file.read_text().splitlines())
            return int(counts["oom_kill"])
        except (OSError, KeyError, ValueError):
            continue
    return 0


@functools.cache
def _oom_files() -> list[Path]:
    """Return where the count may stand: control groups of version 1 and 2, by our path or, in containers, the root."""
    files = []
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            files += [Path(f"/sys/fs/cgroup/memory{place}/memory.oom_control") for place in (path, "")]
        elif not controllers:
            files += [Path(f"/sys/fs/cgroup{place}/memory.events") for place in (path, "")]
    return files
