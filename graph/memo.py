"""Memos: what is only remembered to save time, below `~/.cache/dataflow` (XDG_CACHE_HOME is honoured).

Each is a file named by the digest of what it was made from. Whoever finds one absent, torn or strange makes it anew.
"""

from __future__ import annotations

import contextlib
import os
import sys

MEMO_FORMAT = 1  # raise it when the same source comes out as something else


def memo_path(family: str, name: str) -> str:
    """Return where a memo lies; one Python's are not another's."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return f"{home}/dataflow/{family}-{MEMO_FORMAT}-{sys.implementation.cache_tag}/{name}"


def write_memo(path: str, data: bytes) -> None:
    """Write a memo, whole or not at all. A home that cannot be written costs time, nothing else."""
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        temporary = f"{path}.{os.getpid()}"
        with open(temporary, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
