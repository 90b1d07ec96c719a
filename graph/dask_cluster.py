"""The executors on Dask: tasks go out as futures, outcomes come back; what is lost on the way is said to be lost.

Dask's own second tries are off, and every future has a key of its own: how often an action runs is the driver's to
say. A scheduler that goes away takes with it what is under way; the next task looks for it, for a minute.
"""

from __future__ import annotations

import contextlib
import queue
import secrets
import threading
import time
from collections import deque
from typing import Any

import msgspec

from graph.dask_client import check_store, find_dashboard, join, start_local
from graph.dask_worker import decode_outcomes, run_task, stop_run, stop_run_here
from graph.errors import ClusterError
from graph.failures import classify_error
from graph.spec import Compute
from graph.task import Failure, Outcome, Report, Show, Task, show_nobody

JOIN_S = 5.0  # for a cluster that should be there
REJOIN_S = 60.0  # for one that was: a scheduler that is started again, workers that come back
LOOK_S = 2.0
STOP_S = 6.0  # a second more than children have to end


class DaskCluster:
    """Dask workers, in this process or at an address; started or joined when first asked for."""

    def __init__(self, compute: Compute, report: Report, show: Show = show_nobody) -> None:
        self._compute = compute
        self._report = report
        self._show = show
        self._run = f"dataflow-{secrets.token_hex(8)}"
        self._client: Any = None
        self._is_new = False  # nobody was told of its dashboard
        self._join_s = JOIN_S
        self._seen = ""  # the store that all workers see
        self._workers: dict[str, dict[str, Any]] = {}
        self._looked = 0.0
        self._served = 0.0  # when there was last somebody for every task
        self._under_way: dict[str, tuple[Task, Any]] = {}  # future key -> its task; the future, or Dask drops it
        self._arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()  # futures that are over, and reports
        self._outcomes: deque[tuple[Task, list[Outcome]]] = deque()

    @property
    def slots(self) -> int:
        """How many tasks run side by side."""
        if not self._compute.address:
            return self._compute.workers
        self._connect()
        if time.monotonic() - self._looked > LOOK_S:  # workers come and go
            self._ask_workers()
        return max(1, sum(worker["nthreads"] for worker in self._workers.values()))

    def check_resources(self, wanted: dict[str, dict[str, float]]) -> None:
        if self._compute.address and wanted:
            self._connect()
        end = time.monotonic() + JOIN_S
        while lines := self._lacking(wanted):
            if not self._compute.address or time.monotonic() > end:
                raise ClusterError("\n".join(lines))
            time.sleep(0.2)  # workers may be on their way

    def submit(self, task: Task) -> None:
        if self._client is not None and self._client.status != "running":
            self._lose()
        self._connect()
        self._check_store(task.store)
        key = f"{task.label}-{secrets.token_hex(8)}"  # a reused key would give its old function's result
        data = msgspec.msgpack.encode(task)
        future = self._client.submit(
            run_task, self._run, data, key=key, pure=False, retries=0, resources=task.resources or None
        )
        self._under_way[key] = task, future
        future.add_done_callback(self._arrived.put)
        if self._is_new:
            self._is_new = False
            if dashboard := find_dashboard(self._client):
                self._show(dashboard)

    def wait(self, patience: float | None = None) -> tuple[Task, list[Outcome]] | None:
        end = None if patience is None else time.monotonic() + patience
        while not self._outcomes:
            try:
                arrived = self._arrived.get(timeout=LOOK_S if end is None else max(0, end - time.monotonic()))
            except queue.Empty:
                self._look()
                if end is not None:
                    return None
                continue
            self._served = time.monotonic()
            if isinstance(arrived, tuple):
                self._report(*arrived)
            elif arrived.key in self._under_way:  # else it is given up already
                self._take(arrived)
        return self._outcomes.popleft()

    def close(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        if self._compute.address:
            # In a thread of its own, since a cluster that is gone does not answer.
            asking = threading.Thread(target=_stop_remote, args=(client, self._run), daemon=True)
            asking.start()
            asking.join(STOP_S)
            client.close(timeout=1)
            return
        stop_run(self._run)
        cluster = client.cluster
        client.close(timeout=1)
        with contextlib.suppress(TimeoutError):
            cluster.close(timeout=1)

    def _connect(self) -> None:
        if self._client is None and not self._compute.address:
            self._client = start_local(self._compute)
        elif self._client is None:
            self._client = join(self._compute.address, self._join_s)
            self._join_s, self._seen, self._looked = REJOIN_S, "", 0.0
            self._served = time.monotonic()
        else:
            return
        self._client.subscribe_topic(self._run, lambda event: self._arrived.put(tuple(event[1])))
        self._is_new = True

    def _lacking(self, wanted: dict[str, dict[str, float]]) -> list[str]:
        """Return a line for each node that wants more than any worker has."""
        held = [self._compute.resources]
        if self._compute.address and wanted:
            self._ask_workers()
            held = self._resources()
        known = "; ".join(sorted({_describe(one) for one in held if one}))
        expected = f"expected one of {known}" if known else "none has any"
        return [
            f"node {label}: resources {_describe(resources)}: no worker has that, {expected}"
            for label, resources in wanted.items()
            if not any(_has(one, resources) for one in held)
        ]

    def _check_store(self, store: str) -> None:
        if self._compute.address and self._seen != store:
            check_store(self._client, self._compute.address, store)
            self._seen = store

    def _take(self, future: Any) -> None:
        """Turn a future that is over into outcomes; where the scheduler is gone, so are all others."""
        if future.status == "cancelled":
            return self._lose()
        import distributed

        task, _ = self._under_way.pop(future.key)
        try:
            self._outcomes.append((task, decode_outcomes(future.result())))
        except distributed.client.CancelledError:
            self._outcomes.append((task, _fail(task, "worker lost", "the scheduler is gone")))
        except distributed.KilledWorker:
            self._outcomes.append((task, _fail(task, "worker lost", "the Dask worker died")))
        except Exception as error:  # bodies' own are outcomes: this is a worker that cannot start a child, say
            self._outcomes.append((task, _fail(task, classify_error(error), f"{type(error).__name__}: {error}")))

    def _lose(self) -> None:
        """Give up all that is under way, and the client: the next task needs a new one."""
        self._outcomes += [
            (task, _fail(task, "worker lost", "the scheduler is gone")) for task, _ in self._under_way.values()
        ]
        self._under_way.clear()
        client, self._client = self._client, None
        client.close(timeout=1)

    def _look(self) -> None:
        """See whether there is anybody to run what is under way: a task without a worker would wait for ever."""
        if not self._compute.address:
            return
        if self._client.status != "running":
            return self._lose()
        self._ask_workers()
        held = self._resources()
        lacking = [task for task, _ in self._under_way.values() if not any(_has(one, task.resources) for one in held)]
        if not lacking:
            self._served = time.monotonic()
        elif time.monotonic() - self._served > REJOIN_S:
            needs = f" with {_describe(lacking[0].resources)}" if lacking[0].resources else ""
            raise ClusterError(
                f"cluster {self._compute.address}: no worker{needs} is left, none came in {REJOIN_S:g} s"
            )

    def _ask_workers(self) -> None:
        with contextlib.suppress(OSError):  # a scheduler that is gone ends all futures: that is seen to there
            self._workers = self._client.scheduler_info()["workers"]
        self._looked = time.monotonic()

    def _resources(self) -> list[dict[str, float]]:
        return [worker["resources"] for worker in self._workers.values()]


def _fail(task: Task, failure: Failure, error: str) -> list[Outcome]:
    """Return the outcomes of a task that failed as a whole."""
    text = f"{failure}: {' '.join(error.split())}"
    return [Outcome(task.label, call.element, call.key, failure=failure, error=text) for call in task.calls]


def _stop_remote(client: Any, run: str) -> None:
    with contextlib.suppress(Exception):  # a worker that is gone has no child to end
        client.run(stop_run_here, run, on_error="ignore")


def _has(held: dict[str, float], wanted: dict[str, float]) -> bool:
    return all(held.get(name, 0) >= amount for name, amount in wanted.items())


def _describe(resources: dict[str, float]) -> str:
    return ", ".join(f"{name} = {amount:g}" for name, amount in sorted(resources.items())) or "none"
