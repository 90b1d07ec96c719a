"""One of the processes of an update: `python -m nodes.update.launched FOLDER`, as `nodes.update.launch` starts them."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec

from graph.node import Named
from nodes.update.launch import DONE, FAILED, JOB, PROGRESS, Failure, Input, Job
from store.artifact import Artifact
from store.collection import Collection
from store.errors import Damaged, Missing, one_line
from store.open import open_store


def main(folder: Path) -> None:
    """Do this process's part of the job in a folder; what fails is written there."""
    rank = int(os.environ["RANK"])
    job = msgspec.json.decode((folder / JOB).read_bytes(), type=Job)
    try:
        digest = _run(job, folder / PROGRESS, rank)
    except Exception as error:
        _write(folder / f"{FAILED}-{rank}", msgspec.json.encode(_failure(error)))
        raise
    finally:
        _leave()
    if digest:
        _write(folder / DONE, digest.encode())


def _run(job: Job, progress: Path, rank: int) -> str:
    """Call the update; return the digest of its output, which the first process has put, else nothing."""
    function = _load(job.function)
    params = msgspec.json.decode(job.params, type=_load(job.params_type), dec_hook=lambda kind, value: kind(value))
    given: dict[str, Any] = {name: _open(stored) for name, stored in job.inputs.items()}
    update = function(**given, params=params, seed=job.seed, progress=None if rank else _reporter(progress))
    if rank:
        return ""
    home = next(stored.store for stored in job.inputs.values() if stored is not None)
    return open_store(home).rewriting().put(update)  # where bytes of that name are damaged, these are whole


def _failure(error: Exception) -> Failure:
    lost = error.digest if isinstance(error, (Missing, Damaged)) else ""
    kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
    innermost = traceback.extract_tb(error.__traceback__)[-1].filename
    return Failure(one_line(f"{kind}{error}"), lost, is_echo="torch/distributed/" in innermost)


def _load(target: str) -> Any:
    named: Named[Any] = Named("", target)
    return named.load()


def _open(stored: Input | None) -> Artifact | None:
    if stored is None:
        return None
    cls, collection = _load(stored.cls), cast("Any", Collection)
    return open_store(stored.store).open(stored.digest, collection[cls] if stored.is_collection else cls)


def _reporter(path: Path) -> Callable[..., None]:
    def report(done: int, total: int, **numbers: float) -> None:
        plain = {name: float(value) for name, value in numbers.items()}
        with open(path, "ab") as file:
            file.write(msgspec.json.encode((int(done), int(total), plain)) + b"\n")

    return report


def _write(path: Path, data: bytes) -> None:
    """Write a file whole: another process may look for it at any time."""
    part = path.with_name(f".{path.name}")
    part.write_bytes(data)
    part.replace(path)


def _leave() -> None:
    """Leave the processes' common group, if this one came as far as to join it."""
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
