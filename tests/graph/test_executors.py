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

from graph.dask_cluster import DaskCluster
from graph.errors import ClusterError, RunError
from graph.executor import Inline
from graph.progress import PlainLines
from graph.report import draw_report
from graph.run import run
from graph.runs import Runs
from graph.spec import Compute, load_spec
from store.open import open_store
from tests.waiting import is_gone, wait_for

ROUGH = Path(__file__).with_name("rough.py")
EXECUTORS = pytest.mark.parametrize("executor", ["inline", "local"])


def result_of(done):
    assert done.returncode == 0, done.stderr
    return done.stdout.split("result ")[1].strip()


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
        wait_for(lambda: lab.executed.get("step") == 1)
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
def test_ctrl_c_ends_with_130_and_keeps_what_was_committed(lab, loop, executor):
    gate = lab.folder / "gate"
    spec = lab.write(loop)
    wait = ["--set", f"nodes.update.params.wait_for={gate}", "--set", f"compute.executor={executor}"]
    with ending(lab.start("run", spec, *wait)) as stopped:
        wait_for(lambda: lab.executed.get("step") == 1)
        os.killpg(stopped.pid, signal.SIGINT)  # as a terminal does: to the whole group
        _, err = stopped.communicate(timeout=60)
    assert stopped.returncode == 130
    assert "interrupted: what was committed stays" in err and "Traceback" not in err
    listed = [line.split()[:2] for line in lab.command("ls", spec).stdout.splitlines()]
    assert ["sum", "done"] in listed and ["update[1..2]", "interrupted"] in listed
    gate.touch()
    lab.forget()
    result_of(lab.command("run", spec, *wait[:2]))
    assert lab.executed == {"step": 2, "report": 1}


ACT = """
[experiment]
name = "act"
[compute]
executor = "local"
[nodes.act]
kind = "ROUGH:act"
params = { do = "DO", file = "FILE" }
"""


def write_act(lab, do, more=""):
    text = (ACT + more).replace("ROUGH", str(ROUGH)).replace("DO", do).replace("FILE", str(lab.folder / "told"))
    return lab.write(text, "act.toml")


def told(lab, run):
    """The processes that the act told of, once it does."""
    path = lab.folder / "told"
    wait_for(lambda: path.exists() or run.poll() is not None)
    assert path.exists(), run.communicate()[1]
    return [int(pid) for pid in path.read_text().split()]


def test_body_that_kills_its_process_fails_its_action_and_no_other(lab, loop):
    text = loop + f'[nodes.act]\nkind = "{ROUGH}:act"\nparams = {{ do = "die" }}\nretries = 0\n'
    done = lab.command("run", lab.write(text), "--set", "compute.executor=local")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.endswith("failed: worker lost: its process died of SIGKILL\n")
    lab.forget()
    assert lab.command("run", lab.write(loop)).returncode == 0
    assert lab.executed == {}


def test_body_whose_process_dies_once_is_tried_again(lab):
    done = lab.command("run", write_act(lab, "die at first"))
    assert done.returncode == 0, done.stderr


def test_node_that_takes_too_long_fails_with_what_it_printed(lab):
    done = lab.command("run", write_act(lab, "hang with a program", "timeout = 0.5\n"), "--traceback")
    assert done.returncode == 1
    assert "failed: timeout: took longer than its timeout of 0.5 s\nabout to hang with a program" in done.stderr


def test_ctrl_c_ends_a_body_that_ignores_term_and_twice_ends_at_once(lab):
    for n_signals in (1, 2):
        (lab.folder / "told").unlink(missing_ok=True)
        with ending(lab.start("run", write_act(lab, "hang against TERM"))) as run:
            pids = told(lab, run)
            for _ in range(n_signals):
                os.killpg(run.pid, signal.SIGINT)
                time.sleep(0.2)
            _, err = run.communicate(timeout=60)
        assert run.returncode == 130 and "Traceback" not in err, err
        wait_for(lambda pids=pids: all(map(is_gone, pids)))


def test_nothing_outlives_a_driver_that_is_killed(lab):
    with ending(lab.start("run", write_act(lab, "hang with a program"))) as run:
        pids = told(lab, run)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        wait_for(lambda: all(map(is_gone, pids)))


@EXECUTORS
def test_what_a_body_prints_is_a_blob_that_its_record_names(lab, executor):
    lab.run(write_act(lab, "say").read_text(), f"compute.executor={executor}")
    (record,) = all_records(lab.store)
    printed = lab.store.blobs.get(*record.ran["log"]).decode()
    assert "said by Python" in printed and "and to stderr" in printed
    assert ("said by C" in printed) == (executor == "local")


@pytest.mark.parametrize("do", ["close stdout", "have no stdout"])
def test_stdout_that_an_inline_body_took_away_is_there_for_the_next(lab, do, capsys):
    lab.run(write_act(lab, do).read_text(), "compute.executor=inline")
    lab.run(write_act(lab, "say").read_text(), "compute.executor=inline")
    assert any(record.ran.get("log") for record in all_records(lab.store))
    print("still here")
    assert capsys.readouterr().out.endswith("still here\n")


def test_error_that_is_no_text_is_an_event_like_any_other(lab):
    with pytest.raises(RunError, match="ValueError: caf"):
        lab.run(write_act(lab, "say what is no text").read_text(), "compute.executor=inline")
    last = Runs(lab.store).outcomes(next(Runs(lab.store).ids()))["act"]
    assert last.state == "failed" and last.error == "ValueError: caf\\udce9"


def all_records(store):
    return [
        store.records.find(key)
        for part in store.objects.list("actions")
        for key in store.objects.list(f"actions/{part}")
    ]


def test_reports_of_bodies_arrive_while_they_run(lab):
    reports = []
    spec = load_spec(write_act(lab, "tell"), [])
    run(spec, lab.store, [], listeners=(lambda event: reports.append(event.numbers),))
    told = [numbers for numbers in reports if numbers]
    assert told[0] == {"done": 0, "total": 10000, "loss": 1.0}


def test_resource_that_no_local_worker_has_is_an_error_before_anything_runs():
    cluster = DaskCluster(Compute("local", workers=2, resources={"GPU": 1}), lambda label, numbers: None)
    cluster.check_resources({"small": {"GPU": 1}, "none": {}})
    with pytest.raises(ClusterError) as caught:
        cluster.check_resources({"large": {"GPU": 2}, "other": {"TPU": 1, "GPU": 1}})
    assert str(caught.value).splitlines() == [
        "node large: resources GPU = 2: no worker has that, expected one of GPU = 1",
        "node other: resources GPU = 1, TPU = 1: no worker has that, expected one of GPU = 1",
    ]
    with pytest.raises(ClusterError, match=r"node large: resources GPU = 2: no worker has that, none has any$"):
        DaskCluster(Compute("local"), lambda label, numbers: None).check_resources({"large": {"GPU": 2}})


PACKAGE = {
    "__init__.py": "",
    "word.py": (
        "import os\nfrom store.artifact import Artifact\n"
        "class Word(Artifact):\n    type = 'word/1'\n    def __init__(self, text): self.text = text\n"
        "    def write(self, w): w.attrs = {'text': self.text}\n"
        "    @classmethod\n    def open(cls, r): return cls(r.attrs['text'])\n"
    ),
    "one.py": (
        "from graph.node import node\nfrom shipped.word import Word\n"
        "@node('one', version=1)\ndef one(before: Word | None) -> Word:\n"
        "    if before is None: return Word('one')\n"
        "    from shipped.late import say\n    return Word(before.text + say())\n"
    ),
    "two.py": (
        "from graph.node import node\nfrom shipped.word import Word\n"
        "@node('two', version=1)\ndef two(before: Word) -> Word: return Word(before.text + ' two')\n"
    ),
    "late.py": "def say(): return ' late'\n",
}
CHAIN = """
[experiment]
name = "chain"
[compute]
workers = 1
[nodes.a]
kind = "shipped.one:one"
[nodes.b]
kind = "shipped.two:two"
inputs = { before = "a" }
[nodes.c]
kind = "shipped.one:one"
inputs = { before = "b" }
"""


def test_each_kind_imports_late_from_its_own_source_in_a_child_that_all_share(lab, monkeypatch):
    package = lab.folder / "path" / "shipped"
    package.mkdir(parents=True)
    for name, text in PACKAGE.items():
        (package / name).write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    result = result_of(lab.command("run", lab.write(CHAIN), "--set", "compute.executor=local"))
    assert lab.text(lab.store.reader(result).entry("c").digest) == "one two late"


LOST = """
[experiment]
name = "heal"
[nodes.data]
kind = "TOYS:make_list"
params = { size = 1000, count = 6 }
[nodes.spread]
kind = "TOYS:spread"
inputs = { item = "data", others = "data" }
"""


def test_lost_blob_is_healed_on_workers_too(lab):
    lab.run(LOST, until="data")
    shutil.rmtree(lab.folder / "store" / "cas")
    done = lab.command("run", lab.write(LOST), "--set", "compute.executor=local")
    assert done.returncode == 0, done.stderr
    lab.forget()
    try:
        lab.run(LOST)
    except RunError as error:
        pytest.fail(str(error))
    assert lab.executed == {}


class LastFirst(Inline):
    """Takes several tasks at once; of those that have ended, the one sent last is back first."""

    slots = 2

    def __init__(self, report):
        super().__init__(report)
        self._ended = []

    def wait(self, patience=None):
        while self._tasks:
            self._ended.append(super().wait())
        return self._ended.pop()


def test_who_read_before_a_repair_and_tells_after_it_goes_on_too(lab, monkeypatch):
    data = lab.run(LOST, until="data").outputs["data"]
    name = lab.entry(data, "e003").entry("values/c/0").digest
    (blob,) = (lab.folder / "store" / "cas").rglob(f"{name}*")
    blob.unlink()
    monkeypatch.setattr("graph.executor.make_executor", lambda compute, report, show: LastFirst(report))
    lab.run(LOST)
    assert lab.executed["list"] == 1


def test_cluster_listens_on_this_machine_only():
    cluster = DaskCluster(Compute("local", workers=1), lambda label, numbers: None)
    try:
        cluster._connect()
        us = psutil.Process()
        assert us.children() == []
        listening = [place.laddr.ip for place in us.net_connections("inet") if place.status == psutil.CONN_LISTEN]
        assert listening == ["127.0.0.1"] * 2  # an HTTP server of the scheduler, one of the worker
    finally:
        cluster.close()


def test_dask_s_dashboard_is_shown_where_there_is_one(lab, loop, capsys):
    import urllib.request

    pytest.importorskip("bokeh")
    opened = {}

    def look(event):
        if event.link:
            runs = Runs(lab.store)
            opened[event.link] = runs.dashboard(runs.find(None, None))
            with urllib.request.urlopen(event.link, timeout=30) as answer:
                assert b"Dask" in answer.read()

    with PlainLines() as lines:
        run = lab.run(f'{loop}[compute]\nexecutor = "local"\n', listeners=(lines, look)).run
    ((link, kept),) = opened.items()
    assert link.startswith("http://127.0.0.1:") and kept == link and f"dashboard  {link}" in capsys.readouterr().err
    assert Runs(lab.store).dashboard(run) == ""  # it is over
    assert "dashboard" not in Runs(lab.store).outcomes(run)


def test_no_other_link_than_to_a_page_is_shown(lab, loop):
    run = lab.run(loop).run
    lab.store.objects.write(f"runs/{run}/dashboard.txt", b"http://127.0.0.1:8787/status")
    (lab.folder / "store" / "runs" / run / "end.json").unlink()
    assert Runs(lab.store).dashboard(run) == "http://127.0.0.1:8787/status"
    assert 'href="http://127.0.0.1:8787/status"' in draw_report(lab.store, [run], is_live=True)
    lab.store.objects.write(f"runs/{run}/dashboard.txt", b"javascript:alert(1)")
    assert Runs(lab.store).dashboard(run) == ""
