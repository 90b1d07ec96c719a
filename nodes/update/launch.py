"""An update in several processes, one a GPU, by `accelerate launch`.

Each process calls the update's own function with the same arguments; TRL's trainer there finds the others, takes its
part of every batch and averages gradients with them. The first one puts what the function returned into the store. All
of them are in one process group, which ends with the update; when one dies, the launcher ends the others.

An update in two processes is another computation than in one, since rollouts are drawn and sums rounded otherwise: the
number of processes is a param. Every process has the threads that the node has. One that was killed starts anew.

A process imports the texts that this one imports, so the code that runs is the code in the key; inputs are opened from
the store that they came from.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Struct

from nodes.program import ended, run_program
from nodes.update.update import Update
from store.artifact import Artifact
from store.collection import Collection
from store.errors import Missing
from store.open import open_store

if TYPE_CHECKING:
    from graph.node import Progress
    from nodes.update.model import Settings

Processes: TypeAlias = Annotated[
    int, Meta(ge=1, le=64, description="that share each step's batch, one a GPU", extra={"unit": "processes"})
]
LAUNCHED = "DATAFLOW_LAUNCHED"  # stands in the environment of a process that was launched
LAUNCHED_MODULE = "nodes.update.launched"  # who launches names its `main` in depends=
JOB, PROGRESS, DONE, FAILED, CODE = "job.json", "progress.jsonl", "done", "failed", "code"

# The end of a package's text. A package that was read in part, or never, would hide its other modules elsewhere on the
# path: they are found after those that were read.
REST_OF_PACKAGE = b"\n__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
ROOT_CAUSE = re.compile(r"rank *: (\d+) .*exitcode *: (-?\d+) ")


class Input(Struct, frozen=True):
    """A stored artifact: where it is, and the class to open it as."""

    store: str
    digest: str
    cls: str
    is_collection: bool


class Job(Struct, frozen=True):
    """A call of an update's function: `function` and `params_type` as `module:name`, inputs by name."""

    function: str
    params_type: str
    params: msgspec.Raw
    seed: int
    inputs: dict[str, Input | None]


class Failure(Struct, frozen=True):
    """What a process failed of. `lost` is the digest of a stored input that could not be read; an echo is an error that
    another process's silence has caused."""

    text: str
    lost: str = ""
    is_echo: bool = False


def check_shared(rows: int, processes: int, name: str) -> None:
    """Raise ValueError unless `rows` rows of a step are shared equally."""
    if rows % processes:
        raise ValueError(f"processes = {processes}: need a divisor of {name} = {rows}")


def check_gpus(processes: int, device: str) -> None:
    """Raise ValueError if this machine has GPUs to be used, and fewer than processes."""
    import torch

    n = torch.cuda.device_count() if device != "cpu" else 0
    if 0 < n < processes:
        raise ValueError(f"processes = {processes}: this machine has {n} GPUs, expected one for each")


def is_launcher(processes: int) -> bool:
    """Tell whether this process is to launch others: they come here too, to do the work."""
    return processes > 1 and LAUNCHED not in os.environ


def launch(
    function: Callable[..., Update],
    params: Settings,
    seed: int,
    progress: Progress | None = None,
    *,
    processes: int,
    **inputs: Artifact | None,
) -> Update:
    """Return what an update's function returns when `processes` processes call it together.

    Args:
        inputs: its artifacts, by the names of its arguments.
    Raises:
        ValueError: there are fewer GPUs than processes; or a process failed: what it said, or the last lines of the
            launcher.
    """
    check_gpus(processes, params.rollout.device)
    job = Job(
        _target(function),
        _target(type(params)),
        msgspec.Raw(msgspec.json.encode(params, enc_hook=str)),
        seed,
        {name: _stored(name, artifact) for name, artifact in inputs.items()},
    )
    home = next(given.store for given in job.inputs.values() if given is not None)
    with tempfile.TemporaryDirectory(prefix="dataflow-") as name:
        folder = Path(name)
        (folder / JOB).write_bytes(msgspec.json.encode(job))
        _write_code(folder / CODE)
        watch = _Watch(folder / PROGRESS, progress)
        more = {LAUNCHED: "1", "PYTHONPATH": os.pathsep.join([str(folder / CODE), *filter(None, sys.path)])}
        try:
            run_program(_command(processes, folder), folder, more, watch.look)
        except ValueError as error:
            raise _reason(folder, processes) or _died(str(error), processes) from error
        if not (folder / DONE).is_file():
            raise ValueError(f"{processes} processes: the first one ended without a result")
        return open_store(home).open((folder / DONE).read_text(), Update)


def _command(processes: int, folder: Path) -> list[str]:
    # An empty config file, or the user's own would be taken. `--multi_gpu` is what starts several processes, also on a
    # CPU; port 0 is any free one.
    config = folder / "accelerate.json"
    config.write_text('{"compute_environment": "LOCAL_MACHINE", "distributed_type": "NO", "use_cpu": false}')
    threads = os.environ.get("OMP_NUM_THREADS", "1")
    return [
        *(sys.executable, "-m", "accelerate.commands.launch", f"--config_file={config}"),
        *("--multi_gpu", "--num_machines=1", f"--num_processes={processes}", "--main_process_port=0"),
        *("--mixed_precision=no", "--dynamo_backend=no", f"--num_cpu_threads_per_process={threads}"),
        *("-m", LAUNCHED_MODULE, str(folder)),
    ]


def _target(thing: Any) -> str:
    return f"{thing.__module__}:{thing.__qualname__}"


def _stored(name: str, artifact: Artifact | None) -> Input | None:
    """Return where an artifact is stored. Raises ValueError: it is in memory alone."""
    if artifact is None:
        return None
    if artifact.digest is None:
        raise ValueError(f"input {name} is in memory: several processes need one that was opened from a store")
    is_collection = isinstance(artifact, Collection)
    cls = artifact.item if isinstance(artifact, Collection) else type(artifact)
    return Input(artifact.home, artifact.digest, _target(cls), is_collection)


def _write_code(folder: Path) -> None:
    """Write the texts that the engine's importer has in place of files, where there is one."""
    for finder in sys.meta_path:
        for source in getattr(getattr(finder, "project", None), "sources", {}).values():
            path = folder.joinpath(*source.module.split("."))
            path = path / "__init__.py" if source.is_package else path.with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.text)
    for package in [path for path in folder.rglob("*") if path.is_dir()]:
        with open(package / "__init__.py", "ab") as file:
            file.write(REST_OF_PACKAGE)


def _reason(folder: Path, processes: int) -> Exception | None:
    """Return the error of the process that failed first, if one did by itself."""
    for path in sorted(folder.glob(f"{FAILED}-*"), key=lambda path: path.stat().st_mtime_ns):
        failure = msgspec.json.decode(path.read_bytes(), type=Failure)
        if failure.lost:
            return Missing("bytes", failure.lost)
        if not failure.is_echo:
            place = int(path.name.rpartition("-")[2]) + 1
            return ValueError(f"{failure.text} (process {place} of {processes})")
    return None


def _died(told: str, processes: int) -> Exception:
    """Return the error for a process that said nothing: the launcher's last lines name it."""
    found = ROOT_CAUSE.search(told)
    if found is None:
        return ValueError(f"{processes} processes: {told}")
    return ValueError(f"process {int(found[1]) + 1} of {processes} {ended(int(found[2]))}")


class _Watch:
    """Passes on how far the first process is."""

    def __init__(self, path: Path, progress: Progress | None) -> None:
        self._path, self._progress, self._size = path, progress, 0

    def look(self) -> None:
        """Tell the last line that was written, once."""
        if self._progress is None or not self._path.is_file() or self._path.stat().st_size == self._size:
            return
        data = self._path.read_bytes()
        lines = data[: data.rfind(b"\n") + 1].splitlines()
        if lines:
            self._size = len(data)
            done, total, numbers = msgspec.json.decode(lines[-1], type=tuple[int, int, dict[str, float]])
            self._progress(done, total, **numbers)
