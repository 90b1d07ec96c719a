"""A lock on a name, held by an open file: whoever dies lets go of it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator

# What file systems say that know no locks (Lustre and NFS by their mount options): there none is held.
UNABLE = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


@contextlib.contextmanager
def hold(path: str) -> Iterator[None]:
    """Hold the lock of that path, alone on all machines that see the file; nothing of it is left behind."""
    file = _acquire(path)
    try:
        yield
    finally:
        # While it is held: who waits for it finds another file under the name, or none, and begins anew.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        with contextlib.suppress(OSError):  # by hand: a process that a body forked has the file open too
            fcntl.flock(file, fcntl.LOCK_UN)
        os.close(file)


def _acquire(path: str) -> int:
    while True:
        file = _open(path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file).st_ino == os.stat(path).st_ino:
                return file
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno in UNABLE:
                return file
            os.close(file)
            raise
        except BaseException:  # Ctrl-C while it waits
            os.close(file)
            raise
        os.close(file)


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
