"""Scratch folders and locks: a killed body goes on where it was, and one action runs once at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from graph.errors import RunError
from graph.lock import hold
from tests.waiting import wait_for

SLOW = Path(__file__).with_name("slow.py")
EXECUTORS = pytest.mark.parametrize("executor", ["inline", "local"])

CLIMB = """
[experiment]
name = "climb"
[nodes.list]
kind = "SLOW:make_list"
[nodes.sum]
kind = "SLOW:add"
inputs = { items = "list" }
[nodes.climb]
kind = "SLOW:climb"
inputs = { before = "sum" }
params = { count = 20, seconds = 0.02 }
""".replace("SLOW", str(SLOW))


@pytest.fixture
def notes(lab, monkeypatch):
    path = lab.folder / "notes"
    monkeypatch.setenv("SLOW_NOTES", str(path))
    return lambda: [line.split(" ", 1)[1] for line in path.read_text().splitlines()] if path.exists() else []


@contextlib.contextmanager
def started(lab, *arguments):
    process = lab.start(*arguments)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@EXECUTORS
def test_killed_body_goes_on_where_it_was_and_gives_the_same(lab, notes, executor):
    spec = lab.write(CLIMB)
    with started(lab, "run", spec, "--set", f"compute.executor={executor}") as run:
        wait_for(lambda: any(note.startswith("step 8 ") for note in notes()))
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
    (key,) = os.listdir(lab.folder / "store" / "scratch")
    assert (lab.folder / "store" / "scratch" / key / "reached").exists()
    again = lab.run(CLIMB, f"compute.executor={executor}")
    steps = [int(note.split()[1]) for note in notes() if note.startswith("step")]
    assert sorted(set(steps)) == list(range(20)) and len(steps) in (20, 21)  # at most the one that was killed twice
    assert os.listdir(lab.folder / "store" / "scratch") == []
    lab.store.objects.root.rename(lab.folder / "before")
    assert lab.run(CLIMB).digest == again.digest


def test_scratch_is_kept_when_a_body_fails_and_gone_when_it_ends_well(lab):
    kinds = lab.folder / "kinds.py"
    kinds.write_text(
        "from pathlib import Path\nfrom graph.node import node\nfrom store.artifact import Artifact\n"
        "class Box(Artifact):\n    type = 'box/1'\n    def write(self, w): pass\n"
        "@node('toy.box', version=1)\ndef box(*, scratch: Path) -> Box:\n"
        "    if not list(scratch.iterdir()):\n"
        "        (scratch / 'a').mkdir()\n        (scratch / 'a' / 'b').write_text('half')\n        raise ValueError\n"
        "    return Box()\n"
    )
    text = '[experiment]\nname = "x"\n[nodes.a]\nkind = "kinds.py:box"\n'
    with pytest.raises(RunError):
        lab.run(text)
    assert [path.read_text() for path in lab.store.objects.root.glob("scratch/*/a/b")] == ["half"]
    assert lab.run(text).computed == 1
    assert list(lab.store.objects.root.glob("scratch/*")) == []


def test_second_run_of_an_action_waits_and_finds_what_the_first_made(lab, notes):
    spec = lab.write(CLIMB)
    with started(lab, "run", spec) as first:
        wait_for(lambda: any(note.startswith("step 3 ") for note in notes()))
        second = lab.run(CLIMB, "compute.executor=local")
        out, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    assert out.split("result ")[1].strip() == second.digest and second.computed == 0
    assert len([note for note in notes() if note.startswith("step")]) == 20
    assert lab.store.objects.list("locks") == []


def test_long_elements_are_made_once_by_two_runs(lab, notes):
    text = CLIMB.split("[nodes.sum]")[0] + f'[nodes.square]\nkind = "{SLOW}:square"\ninputs = {{ item = "list" }}\n'
    settings = ["nodes.list.params.count=4", "nodes.square.params.seconds=0.3"]
    with started(lab, "run", lab.write(text), *(word for one in settings for word in ("--set", one))) as first:
        second = lab.run(text, *settings)
        out, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    assert out.split("result ")[1].strip() == second.digest
    made = [note for note in notes() if note.startswith("square")]
    assert len(set(made)) == len(made) == 4
    assert lab.store.objects.list("locks") == []


def test_lock_is_held_by_one_and_leaves_no_file(tmp_path):
    path = str(tmp_path / "locks" / "one")
    with hold(path):
        other = os.open(path, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)
    assert os.listdir(tmp_path / "locks") == []


def test_lock_that_was_let_go_is_free_although_a_fork_has_its_file_open(tmp_path):
    path, is_held = str(tmp_path / "locks" / "one"), threading.Event()

    def wait():
        with hold(path):
            is_held.set()

    waiter = threading.Thread(target=wait, daemon=True)
    with hold(path):
        forked = os.fork()
        if not forked:
            time.sleep(1000)
        waiter.start()
        time.sleep(0.1)  # it waits for the file that the fork has open too
    try:
        assert is_held.wait(10)
    finally:
        os.kill(forked, signal.SIGKILL)
        os.waitpid(forked, 0)


HOLDER = """
import sys
from graph.lock import hold
for _ in range(200):
    with hold(sys.argv[1]):
        n = int(open(sys.argv[2]).read())
        open(sys.argv[2], "w").write(str(n + 1))
"""


def test_lock_keeps_processes_apart_that_take_it_again_and_again(tmp_path):
    number, path = tmp_path / "number", tmp_path / "locks" / "one"
    number.write_text("0")
    root = Path(__file__).parents[2]
    line = [sys.executable, "-c", HOLDER, str(path), str(number)]
    processes = [subprocess.Popen(line, cwd=root) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert number.read_text() == "800" and os.listdir(tmp_path / "locks") == []
