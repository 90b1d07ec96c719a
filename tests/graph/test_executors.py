"""Executors: the same results wherever tasks run; a driver that dies or is stopped loses nothing that was committed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest

from graph.cluster import LocalCluster
from graph.errors import RunError
from store.open import open_store

EXECUTORS = pytest.mark.parametrize("executor", ["inline", "local"])


def result_of(done):
    assert done.returncode == 0, done.stderr
    return done.stdout.split("result ")[1].strip()


def wait_until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


@contextlib.contextmanager
def ending(process):
    """Kill what is left of a process group, whatever happened."""
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_digests_are_equal_inline_and_local_in_two_stores_and_from_a_moved_copy(lab, loop):
    toys = Path(__file__).with_name("toys.py")
    moved = lab.folder / "moved" / "toys.py"
    moved.parent.mkdir()
    shutil.copy(toys, moved)
    here, there = lab.write(loop, "here.toml"), lab.write(loop, "moved/there.toml", moved)
    other = f"--store={lab.folder}/other"
    first = result_of(lab.command("run", here))
    second = result_of(lab.command("run", there, other, "--set", "compute.executor=local"))
    assert first == second
    lab.forget()
    assert result_of(lab.command("run", there)) == first  # the copy's keys are the same ones
    assert lab.executed == {}
    kept, made = lab.store, open_store(str(lab.folder / "other"))
    for digest, size in ((entry.digest, entry.size) for entry in kept.manifests.get(first).entries):
        if kept.manifests.has(digest):  # all but the group's own metadata
            assert kept.manifests.size(digest) == made.manifests.size(digest) == size


@EXECUTORS
def test_kill_9_of_the_driver_loses_only_what_was_not_committed(lab, loop, executor):
    gate = lab.folder / "gate"
    spec = lab.write(loop)
    wait = ["--set", f"nodes.update.params.wait_for={gate}", "--set", f"compute.executor={executor}"]
    with ending(lab.start("run", spec, *wait)) as killed:
        wait_until(lambda: lab.executed.get("step") == 1)
        os.kill(killed.pid, signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL
        with contextlib.suppress(ProcessLookupError):
            os.killpg(killed.pid, signal.SIGKILL)
    assert lab.executed == {"list": 1, "scale": 3, "sum": 1, "step": 1}
    gate.touch()
    lab.forget()
    result_of(lab.command("run", spec, *wait[:2]))
    assert lab.executed == {"step": 2, "report": 1}


@EXECUTORS
def test_ctrl_c_ends_with_130_in_time_and_keeps_what_was_committed(lab, loop, executor):
    gate = lab.folder / "gate"
    spec = lab.write(loop)
    wait = ["--set", f"nodes.update.params.wait_for={gate}", "--set", f"compute.executor={executor}"]
    with ending(lab.start("run", spec, *wait)) as stopped:
        wait_until(lambda: lab.executed.get("step") == 1)
        began = time.monotonic()
        os.killpg(stopped.pid, signal.SIGINT)  # as a terminal does: to the whole group
        _, err = stopped.communicate(timeout=20)
        seconds = time.monotonic() - began
    assert stopped.returncode == 130 and seconds < 7
    assert "interrupted: what was committed stays" in err and "Traceback" not in err
    listed = lab.command("ls", spec).stdout
    assert "sum        done" in listed
    gate.touch()
    lab.forget()
    result_of(lab.command("run", spec, *wait[:2]))
    assert lab.executed == {"step": 2, "report": 1}


def test_worker_that_dies_fails_its_action_and_no_other(lab, loop):
    kinds = lab.folder / "kinds.py"
    kinds.write_text(
        "import os, signal\nfrom graph.node import node\nfrom store.artifact import Artifact\n"
        "class Box(Artifact):\n    type = 'box/1'\n    def write(self, w): pass\n"
        "@node('toy.box', version=1)\ndef box() -> Box:\n"
        f"    open({str(lab.count_file)!r}, 'a').write('box\\n')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    text = loop + '\n[nodes.box]\nkind = "kinds.py:box"\n'
    done = lab.command("run", lab.write(text), "--set", "compute.executor=local")
    assert done.returncode == 1
    assert "node box (action " in done.stderr and "worker lost" in done.stderr and "Traceback" not in done.stderr
    assert lab.executed["box"] == 1  # never tried again in silence
    lab.forget()
    assert lab.command("run", lab.write(loop)).returncode == 0
    assert lab.executed.get("list") is None


def test_lost_blob_is_healed_on_workers_too(lab):
    text = """
    [experiment]
    name = "heal"
    [compute]
    executor = "local"
    [nodes.data]
    kind = "TOYS:make_list"
    params = { size = 1000, count = 6 }
    [nodes.spread]
    kind = "TOYS:spread"
    inputs = { item = "data", others = "data" }
    """
    lab.run(text, "compute.executor=inline", until="data")
    shutil.rmtree(lab.folder / "store" / "cas")
    done = lab.command("run", lab.write(text))
    assert done.returncode == 0, done.stderr
    lab.forget()
    try:
        lab.run(text, "compute.executor=inline")
    except RunError as error:
        pytest.fail(str(error))
    assert lab.executed == {}


def test_cluster_listens_on_this_machine_only():
    cluster = LocalCluster(1, lambda label, numbers: None)
    try:
        cluster._start()
        us = psutil.Process()
        listening = [
            place.laddr.ip
            for process in (us, *us.children(recursive=True))
            for place in process.net_connections(kind="inet")
            if place.status == psutil.CONN_LISTEN
        ]
        assert len(listening) >= 4  # scheduler, nanny, worker, and an HTTP server of each
        assert set(listening) == {"127.0.0.1"}
    finally:
        cluster.close()
