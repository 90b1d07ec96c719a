"""vLLM, started and ended by the action that asks it: one replica a GPU, each a server of its own on this machine.

The policy is written once as a model folder, an adapter merged into it. vLLM pins a torch of its own, so its command
may come from another environment: what counts is that `vllm` is found on PATH.

A replica is a child in the action's own process group: whoever ends the action ends it as well. Here it is ended with
all that it started, whatever happens: TERM, then KILL. Whom it starts is noted while it does, since the children of a
replica that has crashed are nobody's.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from nodes.policy.folder import write_folder
from nodes.policy.policy import Policy
from nodes.policy.rollout import Rollout
from nodes.policy.server import Server

COMMAND = "vllm"
MODEL = "policy"  # as the replicas call it
READY_S = 900.0  # to load a large model and compile it
LOOK_S = 0.2
GRACE_S = 10.0  # between TERM and KILL
LAST_LINES = 8
ANSWER_S = 600.0  # a long queue is before an answer


class VllmError(Exception):
    """vLLM did not start, or ended before its time."""


@contextlib.contextmanager
def vllm_servers(
    policy: Policy, rollout: Rollout, seed: int = 0, scratch: Path | None = None
) -> Iterator[list[Server]]:
    """Give the replicas that serve a policy, ready to be asked; end them all afterwards.

    Args:
        scratch: where the model folder is kept, so that a killed action finds it again and leaves none behind.
    Raises:
        VllmError: there is no `vllm` command, or a replica ended or was not ready in time; its last lines are told.
    """
    command = shutil.which(COMMAND)
    if command is None:
        raise VllmError(
            "backend = 'vllm': no `vllm` command on PATH; pip install 'dataflow-spatial[vllm]', or install vllm in an"
            " environment of its own, since it pins torch, and put its command on PATH"
        )
    with tempfile.TemporaryDirectory(prefix="dataflow-vllm-") as name, contextlib.ExitStack() as ending:
        arguments = _arguments(_exported(policy, scratch or Path(name)), rollout, seed)
        replicas = []
        for number, gpu in enumerate(gpus()):  # all are started before the first is awaited
            replica = Replica([command, "serve", *arguments], gpu, Path(name) / f"replica-{number}.log")
            ending.callback(replica.end)
            replicas.append(replica)
        for replica in replicas:
            replica.await_ready(time.monotonic() + READY_S)
        yield [Server(f"http://127.0.0.1:{replica.port}/v1", MODEL, timeout=ANSWER_S) for replica in replicas]


def _exported(policy: Policy, where: Path) -> Path:
    """Return the policy's model folder, which is there whole or not at all."""
    folder, part = where / "policy", where / "policy.part"
    if not folder.is_dir():
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        write_folder(policy, part)
        part.rename(folder)
    return folder


def _arguments(folder: Path, rollout: Rollout, seed: int) -> list[str]:
    """Return what `vllm serve` is told, but for the port."""
    told = {
        "served-model-name": MODEL,
        "host": "127.0.0.1",
        "dtype": rollout.dtype,
        "seed": str(seed % 2**31),
        "limit-mm-per-prompt": json.dumps({"image": rollout.frames}),
        # A folder's own top_p or repetition penalty would make this another policy than the one that is trained.
        "generation-config": "vllm",
        "logprobs-mode": "processed_logprobs",  # at the sampling temperature, as rollouts are stored
    }
    return [str(folder), *(word for name, value in told.items() for word in (f"--{name}", value))]


def gpus() -> list[str]:
    """Return the names of the GPUs that may be used, as CUDA_VISIBLE_DEVICES has them; one "" where there is none."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip()] or [""]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())] or [""]


class Replica:
    """One `vllm serve` with all that it starts."""

    def __init__(self, command: list[str], gpu: str, log: Path) -> None:
        self.port = _free_port()
        self._log = log
        # Its key would be asked for of whoever asks the replica; nobody else reaches it here.
        inherited = {name: value for name, value in os.environ.items() if name != "VLLM_API_KEY"}
        environment = {**inherited, **({"CUDA_VISIBLE_DEVICES": gpu} if gpu else {}), "HF_HUB_OFFLINE": "1"}
        with open(log, "wb") as file:
            self._process = _start([*command, "--port", str(self.port)], environment, file)
        self._family: set[Any] = set()  # of psutil.Process, which knows a process from a later one of the same number

    def await_ready(self, deadline: float) -> None:
        """Wait until it answers. Raises VllmError: it ended, or the time is over."""
        while not self._is_ready():
            self._note_family()
            status = self._process.poll()
            if status is not None:
                raise VllmError(f"vllm ended with status {status} before it was ready: {self._last_lines()}")
            if time.monotonic() > deadline:
                raise VllmError(f"vllm was not ready in {READY_S:g} s: {self._last_lines()}")
            time.sleep(LOOK_S)
        self._note_family()

    def end(self) -> None:
        """End it and all that it started; may be called again."""
        import psutil

        self._note_family()
        for process in self._family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, alive = psutil.wait_procs(list(self._family), timeout=GRACE_S)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()

    def _note_family(self) -> None:
        import psutil

        with contextlib.suppress(psutil.NoSuchProcess):
            own = psutil.Process(self._process.pid)
            self._family |= {own, *own.children(recursive=True)}

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _last_lines(self) -> str:
        with open(self._log, "rb") as file:
            file.seek(max(0, self._log.stat().st_size - (1 << 14)))
            lines = file.read().decode("utf-8", "replace").splitlines()
        return " | ".join(line.strip() for line in lines[-LAST_LINES:] if line.strip()) or "it said nothing"


def _start(command: list[str], environment: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    except OSError as error:
        raise VllmError(f"vllm cannot be started: {error}") from error


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
