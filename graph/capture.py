"""What a body writes to stdout and stderr while it is called: the last MiB is kept."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Protocol, TextIO

LOG_BYTES = 1 << 20


class Capture(Protocol):
    """Takes what is written between `begin` and `end`."""

    def begin(self) -> None:
        """Start with nothing."""

    def end(self) -> bytes:
        """Return the last of what was written since; asked again, the same or nothing."""


class Printed:
    """What is written by Python code in this process: what has its own handle on the terminal goes there as ever."""

    def begin(self) -> None:
        self._outer = sys.stdout, sys.stderr
        self._kept = _Kept()
        sys.stdout = sys.stderr = io.TextIOWrapper(self._kept, "utf-8", "backslashreplace", write_through=True)

    def end(self) -> bytes:
        sys.stdout, sys.stderr = self._outer  # whatever the body has put there
        return self._kept.getvalue()[-LOG_BYTES:]


class _Kept(io.BytesIO):
    """Bytes that are still there when a body has closed its stdout."""

    def close(self) -> None:
        pass


class Written:
    """What is written to the descriptors 1 and 2 by anyone: Python, C, programs that a body starts.

    Both are one file of the parent's, opened to append; it holds what the running call wrote, so that the parent has
    it also when this process dies. A body may close them, or put files of its own there: they are put back.
    """

    def __init__(self) -> None:
        import ctypes

        self._flush_c = ctypes.CDLL(None).fflush
        self._file = os.dup(1)
        self._streams: list[TextIO] = []
        self._put_back()

    def begin(self) -> None:
        self._put_back()
        os.ftruncate(self._file, 0)

    def end(self) -> bytes:
        self._put_back()
        return read_tail(self._file)

    def _put_back(self) -> None:
        """Make streams and descriptors ours again, with what was held back until now."""
        for descriptor in (1, 2):
            os.dup2(self._file, descriptor)
        for stream in (sys.stdout, sys.stderr, *self._streams):
            with contextlib.suppress(Exception):  # closed, or a body's own
                stream.flush()
        self._flush_c(None)
        if not self._streams or any(stream.closed for stream in self._streams):
            self._streams = [_open_text(descriptor) for descriptor in (1, 2)]
        sys.stdout, sys.stderr = self._streams


def _open_text(descriptor: int) -> TextIO:
    return open(descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def read_tail(file: int, size: int = LOG_BYTES) -> bytes:
    """Return the last bytes of an open file."""
    length = os.fstat(file).st_size
    return os.pread(file, size, max(0, length - size))
