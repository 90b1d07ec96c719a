"""A Dask cluster that somebody started: what it must be, and what happens when parts of it die in the middle."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from graph.dask_client import differences
from graph.spec import load_spec
from tests.waiting import is_gone, wait_for

ROUGH = Path(__file__).with_name("rough.py")
ROOT = Path(__file__).parents[2]


class Cluster:
    """A scheduler and workers by Dask's own commands, on loopback, below a folder."""

    def __init__(self, folder: Path, protocol: str = "tcp") -> None:
        self.folder = folder
        self.protocol = protocol
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.scheduler: subprocess.Popen | None = None
        self.workers: list[subprocess.Popen] = []
        self.options: list[str] = []  # of Python

    def start_scheduler(self, port: int = 0) -> None:
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        where = ["--host", f"{self.protocol}://127.0.0.1", "--port", str(port), "--scheduler-file", str(file)]
        self.scheduler = self._start("scheduler", *where)
        wait_for(lambda: file.exists() and file.read_text())
        self.address = json.loads(file.read_text())["address"]

    def start_worker(self, *options: str, cwd: Path | None = None) -> subprocess.Popen:
        """Start a worker of one thread in a process of its own, under a nanny that starts it again."""
        where = ["--host", f"{self.protocol}://127.0.0.1", "--local-directory", str(self.folder), "--nthreads", "1"]
        worker = self._start("worker", self.address, *where, *options)
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            if process is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _start(self, what: str, *options: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, *self.options, "-P", "-m", "dask", what, "--dashboard-address", "127.0.0.1:0", *options],
            stdout=subprocess.DEVNULL,
            stderr=open(self.folder / f"{what}.log", "a"),
            env=self.environment,
            start_new_session=True,
        )


@pytest.fixture
def cluster(tmp_path):
    cluster = Cluster(tmp_path)
    try:
        cluster.start_scheduler()
        yield cluster
    finally:
        cluster.close()


def result_of(done):
    assert done.returncode == 0, done.stderr
    return done.stdout.split("result ")[1].strip()


def at(cluster):
    return ["--set", f"compute.address={cluster.address}"]


ACT = """
[experiment]
name = "act"
[nodes.act]
kind = "ROUGH:act"
params = { do = "DO", file = "FILE" }
"""


def write(lab, do):
    text = ACT.replace("ROUGH", str(ROUGH)).replace("DO", do).replace("FILE", str(lab.folder / "told"))
    return lab.write(text, "act.toml")


def told(lab, run):
    """The processes that the act told of, once it does."""
    path = lab.folder / "told"
    wait_for(lambda: path.exists() or run.poll() is not None)
    assert path.exists(), run.communicate()[1]
    return [int(pid) for pid in path.read_text().split()]


@contextlib.contextmanager
def ending(process):
    """Kill what is left of a process group, whatever happened."""
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_digests_are_those_of_an_inline_run_and_nothing_stays_on_the_workers(lab, loop, cluster):
    workers = [cluster.start_worker(), cluster.start_worker()]
    there = result_of(lab.command("run", lab.write(loop), *at(cluster)))
    assert lab.executed == {"list": 1, "scale": 3, "sum": 1, "step": 2, "report": 1}
    programs = [child.cmdline() for worker in workers for child in psutil.Process(worker.pid).children(recursive=True)]
    assert not [line for line in programs if "graph.child" in line]
    assert result_of(lab.command("run", lab.write(loop), f"--store={lab.folder}/other")) == there


def test_project_source_comes_by_the_store_and_needs_not_be_installed_there(lab, cluster, monkeypatch):
    cluster.start_worker()
    (lab.folder / "path").mkdir()
    (lab.folder / "path" / "only_here.py").write_text(
        "from graph.node import node\nfrom store.artifact import Artifact\n"
        "class Word(Artifact):\n    type = 'word/1'\n    def write(self, w): w.attrs = {'text': 'travelled'}\n"
        "@node('word', version=1)\ndef word() -> Word: return Word()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(lab.folder / "path"))
    spec = lab.write('[experiment]\nname = "word"\n[nodes.word]\nkind = "only_here:word"\n')
    result = result_of(lab.command("run", spec, *at(cluster)))
    assert lab.text(lab.store.reader(result).entry("word").digest) == "travelled"


def test_cluster_that_is_not_there_is_said_in_a_line(lab, loop):
    done = lab.command("run", lab.write(loop), "--set", "compute.address=tcp://127.0.0.1:9")
    assert done.returncode == 2 and lab.executed == {}
    assert done.stderr.startswith("cluster tcp://127.0.0.1:9: cannot be reached: ") and done.stderr.count("\n") == 1


def test_cluster_without_workers_is_said_in_a_line(lab, loop, cluster):
    done = lab.command("run", lab.write(loop), *at(cluster))
    assert done.returncode == 2 and done.stderr == f"cluster {cluster.address}: has no workers\n"


def test_worker_that_does_not_see_the_store_is_said_in_a_line(lab, loop, cluster):
    cluster.start_worker()  # its working folder is another one, so for it this path leads elsewhere
    line = lab.line("run", lab.write(loop), *at(cluster), "--store=/proc/self/cwd/store")
    done = subprocess.run(line, cwd=lab.folder, env=cluster.environment, capture_output=True, text=True)
    assert done.returncode == 2 and lab.executed == {}
    assert done.stderr.startswith(f"cluster {cluster.address}: worker tcp://127.0.0.1:")
    assert done.stderr.endswith(" does not see /proc/self/cwd/store\n") and done.stderr.count("\n") == 1


def test_version_that_differs_is_said_by_worker_and_name():
    ours = {"Python": "3.11", "key format": "1"}
    found = {"tcp://a": {"Python": "3.12", "key format": "1"}, "tcp://b": {"Python": "3.11"}}
    assert differences(ours, found) == [
        "worker tcp://a has Python 3.12, this driver has 3.11",
        "worker tcp://b has no key format, this driver has 1",
    ]


def test_cluster_whose_processes_lack_the_engine_is_said_in_a_line(lab, loop, tmp_path):
    cluster = Cluster(tmp_path)
    try:
        # What is installed here by a link is not found where the folder of links is not looked into.
        cluster.environment |= {"PYTHONPATH": os.pathsep.join(path for path in sys.path if "site-packages" in path)}
        cluster.options = ["-S"]
        cluster.start_scheduler()
        cluster.start_worker()
        done = lab.command("run", lab.write(loop), *at(cluster))
    finally:
        cluster.close()
    assert done.returncode == 2 and lab.executed == {}
    assert done.stderr.startswith(f"cluster {cluster.address}: its scheduler cannot load this engine: ")
    assert "No module named 'graph'" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["slurm", "kubernetes"])
def test_shipped_spec_for_a_cluster_loads_and_plans_without_it(lab, name):
    spec = load_spec(ROOT / "specs" / f"{name}.toml", [])
    assert spec.compute.executor == "remote" and spec.nodes["update"].resources == {"GPU": 1}
    done = lab.command("plan", ROOT / "specs" / f"{name}.toml", f"--store={lab.store.url}")
    assert done.returncode == 0, done.stderr


def test_resource_that_no_worker_has_is_an_error_before_anything_runs(lab, loop, cluster):
    for _ in range(2):
        cluster.start_worker("--resources", "GPU=1,disk=100")
    spec = lab.write(loop + "[nodes.sum.resources]\nGPU = 2\n")
    done = lab.command("run", spec, *at(cluster))
    assert done.returncode == 2 and lab.executed == {}
    expected = "node sum: resources GPU = 2: no worker has that, expected one of GPU = 1, disk = 100\n"
    assert done.stderr == expected
    spec = lab.write(loop + "[nodes.sum.resources]\nGPU = 1\n")
    result_of(lab.command("run", spec, *at(cluster)))


def test_worker_that_is_killed_fails_its_action_which_is_tried_again(lab, cluster):
    cluster.start_worker()
    with ending(lab.start("run", write(lab, "hang at first"), *at(cluster))) as run:
        (pid,) = told(lab, run)
        worker = psutil.Process(pid).parent()
        worker.kill()
        out, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    assert "worker lost: the Dask worker died" in out + err or "result " in out
    wait_for(lambda: is_gone(pid))


def test_run_goes_on_when_the_scheduler_was_started_again(lab, cluster):
    cluster.start_worker()
    port = int(cluster.address.rsplit(":", 1)[1])
    with ending(lab.start("run", write(lab, "hang at first"), *at(cluster))) as run:
        (pid,) = told(lab, run)
        cluster.close()
        cluster.start_scheduler(port)
        cluster.start_worker()
        out, err = run.communicate(timeout=60)
    assert run.returncode == 0 and "result " in out, err
    assert is_gone(pid)


def test_ctrl_c_ends_the_bodies_on_the_workers(lab, cluster):
    cluster.start_worker()
    with ending(lab.start("run", write(lab, "hang with a program"), *at(cluster))) as run:
        pids = told(lab, run)
        os.killpg(run.pid, signal.SIGINT)
        _, err = run.communicate(timeout=60)
    assert run.returncode == 130 and "Traceback" not in err
    assert all(map(is_gone, pids))


def test_body_of_a_driver_that_is_killed_ends_and_its_worker_is_free(lab, loop, cluster):
    cluster.start_worker()
    with ending(lab.start("run", write(lab, "hang with a program"), *at(cluster))) as run:
        pids = told(lab, run)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
    wait_for(lambda: all(map(is_gone, pids)))
    assert lab.command("run", lab.write(loop), *at(cluster)).returncode == 0


def make_certificate(folder: Path) -> dict[str, str]:
    """Make a certificate that signs itself; return the settings by which Dask's processes use it."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subject = ["-subj", "/CN=dataflow", "-days", "2", "-nodes", "-newkey", "rsa:2048"]
    made = subprocess.run(
        ["openssl", "req", "-x509", *subject, "-keyout", key, "-out", certificate], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    settings = {"DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(certificate)}
    for who in ("SCHEDULER", "WORKER", "CLIENT"):
        settings[f"DASK_DISTRIBUTED__COMM__TLS__{who}__KEY"] = str(key)
        settings[f"DASK_DISTRIBUTED__COMM__TLS__{who}__CERT"] = str(certificate)
    return settings


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_tls_cluster_is_joined_with_dasks_own_configuration_and_not_without(lab, loop, tmp_path, monkeypatch):
    cluster = Cluster(tmp_path, "tls")
    settings = make_certificate(tmp_path)
    cluster.environment |= settings
    try:
        cluster.start_scheduler()
        cluster.start_worker()
        assert cluster.address.startswith("tls://")
        done = lab.command("run", lab.write(loop), *at(cluster))
        assert done.returncode == 2 and done.stderr.startswith(f"cluster {cluster.address}: cannot be reached: ")
        assert done.stderr.count("\n") == 1 and lab.executed == {}
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        result_of(lab.command("run", lab.write(loop), *at(cluster)))
    finally:
        cluster.close()
