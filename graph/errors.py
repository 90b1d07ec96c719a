"""What the engine tells people when something is wrong; every text is one line a mistake.

DataflowError
├── SpecError      mistakes in a spec, all of them: file, table, key, value, what was expected   exit 2
├── KindError      a kind that cannot be found, or whose function breaks the contract            exit 2
├── UnkeyableError a value that no key can hold                                                  exit 2
├── NotFoundError  a run, node, round or ref that a command names and the store does not have    exit 2
├── ExportError    a folder that an artifact cannot be written to                                exit 2
├── ClusterError   a Dask cluster that is not there, or cannot run what it is asked to           exit 2
└── RunError       nodes that failed, after everything else finished                             exit 1
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable


class DataflowError(Exception):
    """Base of the engine's errors."""

    exit_code = 2


class SpecError(DataflowError):
    """All mistakes of one spec, one line each."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = list(mistakes)
        super().__init__("\n".join(self.mistakes))


class KindError(DataflowError):
    """A kind that cannot be found, or whose function breaks the contract of `graph.node`."""


class UnkeyableError(DataflowError):
    """A value that no key can hold: it has no canonical bytes."""


class NotFoundError(DataflowError):
    """A run, node, round or ref that a command names and the store does not have."""


class ExportError(DataflowError):
    """A folder that an artifact cannot be written to: it is taken, or the artifact's plain form fails."""


class ClusterError(DataflowError):
    """A Dask cluster that is not there, or cannot run what it is asked to."""


class RunError(DataflowError):
    """Nodes that failed. `tracebacks` holds the full text of each failure, in the order of `failures`."""

    exit_code = 1

    def __init__(self, failures: list[str], tracebacks: list[str]) -> None:
        self.failures = failures
        self.tracebacks = tracebacks
        super().__init__("\n".join(failures))


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the known name closest to `name`, or "" if none is close."""
    import difflib  # only who errs waits for it

    close = difflib.get_close_matches(name, itertools.islice(known, 10_000), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
