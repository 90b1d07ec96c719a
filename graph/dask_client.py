"""Dask clients: of a cluster within this process, and of one that somebody started, after a look whether it will do."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from graph.dask_worker import forbid_retries, has_dashboard, sees, versions
from graph.errors import ClusterError
from graph.spec import Compute
from store.objects import LocalObjects
from store.open import open_store

SEND_S = 0.001  # how long a client holds messages back to send several at once; by default 10 ms, most of a small task
LOOPBACK = "127.0.0.1:0"


def start_local(compute: Compute) -> Any:
    """Return the client of a new scheduler and workers that are threads of this process.

    Bodies are in children anyway. Workers that are processes need half a second to start, ports, and a nanny each to
    close, and a task takes longer by a half.
    """
    import dask
    import distributed

    _silence()
    dask.config.set({"distributed.scheduler.allowed-failures": 0})
    cluster = distributed.LocalCluster(
        n_workers=compute.workers,
        threads_per_worker=1,
        processes=False,
        protocol="inproc://",
        memory_limit=0,
        resources=compute.resources or None,
        # Each has an HTTP server, whatever one says; these stay on this machine, on any free port.
        dashboard_address=LOOPBACK,
        worker_dashboard_address=LOOPBACK,
        silence_logs=None,
    )
    return _hasten(distributed.Client(cluster))


def join(address: str, timeout: float) -> Any:
    """Return the client of the cluster at an address.

    Raises:
        ClusterError: no scheduler answers in time, or no worker comes, or one has other versions.
    """
    import distributed

    _silence()
    end = time.monotonic() + timeout
    try:
        # Certificates and keys are named in Dask's own configuration.
        security = distributed.Security(require_encryption=True) if address.startswith("tls://") else None
        client = distributed.Client(address, timeout=timeout, security=security, set_as_default=False)
    except (OSError, TypeError, ValueError, RuntimeError, ImportError) as error:
        raise ClusterError(f"cluster {address}: cannot be reached: {' '.join(str(error).split())}") from None
    try:
        while not client.scheduler_info()["workers"]:
            if time.monotonic() > end:
                raise ClusterError(f"cluster {address}: has no workers")
            time.sleep(0.1)
        _prepare(client, address)
    except BaseException:
        client.close(timeout=1)
        raise
    return _hasten(client)


def find_dashboard(client: Any) -> str:
    """Return the address of Dask's dashboard, "" where there is none."""
    from distributed.utils import format_dashboard_link

    try:
        if not client.run_on_scheduler(has_dashboard):
            return ""
        port = client.scheduler_info()["services"]["dashboard"]
        host = "127.0.0.1" if client.cluster is not None else urlsplit(client.scheduler.address).hostname
        host = f"[{host}]" if ":" in (host or "") else host
        link: str = format_dashboard_link(host, port)  # as Dask's configuration says, behind a proxy too
        return link
    except Exception:  # a cluster of another make: nothing that runs needs it
        return ""


def _silence() -> None:
    """Let Dask say nothing by itself, also when all is over: what is wrong is an outcome or an error of ours."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("distributed", "tornado", "asyncio"):
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _hasten(client: Any) -> Any:
    client.scheduler_comm.interval = SEND_S
    return client


def _prepare(client: Any, address: str) -> None:
    try:
        client.run_on_scheduler(forbid_retries)
    except Exception as error:
        raise _unable(address, "scheduler", error) from None
    lines = differences(versions(), _ask(client, address, versions))
    if lines:
        raise ClusterError("\n".join(f"cluster {address}: {line}" for line in lines))


def _ask(client: Any, address: str, question: Callable, *arguments: Any) -> dict[str, Any]:
    """Return what each worker answers; one that is gone meanwhile answers nothing. Raises ClusterError."""
    answers = client.run(question, *arguments, on_error="return")
    for worker, answer in answers.items():
        if isinstance(answer, Exception) and not isinstance(answer, OSError):
            raise _unable(address, f"worker {worker}", answer)
    return {worker: answer for worker, answer in answers.items() if not isinstance(answer, Exception)}


def _unable(address: str, who: str, error: Exception) -> ClusterError:
    return ClusterError(f"cluster {address}: its {who} cannot load this engine: {' '.join(str(error).split())}")


def differences(ours: dict[str, str], found: dict[str, dict[str, str]]) -> list[str]:
    """Return a line for each version in which a worker differs from this process; `found` is by worker."""
    return [
        f"worker {worker} has {f'{name} {theirs[name]}' if name in theirs else f'no {name}'}, this driver has {version}"
        for worker, theirs in found.items()
        for name, version in ours.items()
        if theirs.get(name) != version
    ]


def check_store(client: Any, address: str, store: str) -> None:
    """Raise ClusterError, a line each, where a worker does not see the store that the driver sees."""
    objects = open_store(store).objects
    name = f"tmp/seen-{secrets.token_hex(8)}"
    objects.write(name, b"")
    try:
        found = _ask(client, address, sees, store, name)
    finally:
        if isinstance(objects, LocalObjects):
            (objects.root / name).unlink()
    blind = [worker for worker, is_seen in found.items() if not is_seen]
    if blind:
        raise ClusterError("\n".join(f"cluster {address}: worker {worker} does not see {store}" for worker in blind))
