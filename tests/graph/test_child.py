"""Children: what a body does to its process is told as it is, and harms nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import msgspec
import psutil
import pytest

from graph.distributions import major_minor
from graph.frames import Frames, write_frame
from graph.kinds import find_kind
from graph.shipping import put_source
from graph.slot import Slots
from graph.task import Call, Task, encode_params
from store.digest import digest
from tests.waiting import is_gone, wait_for

ROUGH = Path(__file__).with_name("rough.py")


@pytest.fixture
def slots():
    slots = Slots(1, "here")
    yield slots
    slots.stop()


def make_task(lab, do, threads=1, packages=None, **terms):
    """A task of one call that does something rough."""
    kind = find_kind("rough.py:act", ROUGH.parent)
    return Task(
        label="act",
        kind=kind.name,
        target=kind.target,
        source=put_source(lab.store, [kind.closure]),
        packages=packages or kind.packages,
        params=encode_params(kind.params(do, str(lab.folder / "told"))),
        threads=threads,
        store=lab.store.url,
        described={},
        calls=[Call(None, digest(f"{do} {threads}".encode()), None, {})],
        **terms,
    )


def run(slots, task, report=lambda label, numbers: None):
    (outcome,) = slots.run(task, report)
    return outcome


def log_of(lab, outcome):
    return lab.store.blobs.get(*outcome.log).decode()


def told(lab):
    """The processes that the act told of."""
    path = lab.folder / "told"
    wait_for(path.exists)
    return [int(pid) for pid in path.read_text().split()]


def test_all_that_a_body_writes_is_one_blob_that_its_record_names(lab, slots):
    outcome = run(slots, make_task(lab, "say"))
    assert sorted(log_of(lab, outcome).splitlines()) == [
        "and to stderr",
        "said by C",
        "said by Python",
        "said by a program",
    ]
    record = lab.store.records.find(outcome.key)
    assert record.ran["log"] == list(outcome.log) and record.output == outcome.output


def test_body_that_writes_nothing_has_no_log(lab, slots):
    outcome = run(slots, make_task(lab, "count"))
    assert outcome.log is None and "log" not in lab.store.records.find(outcome.key).ran


def test_of_much_output_the_last_mebibyte_is_kept(lab, slots):
    outcome = run(slots, make_task(lab, "say much"))
    assert outcome.log[1] == 1 << 20 and log_of(lab, outcome).endswith("xxxthe end\n")


def test_each_call_has_its_own_log(lab, slots):
    first, second = (run(slots, make_task(lab, do)) for do in ("say", "raise"))
    assert "said by C" in log_of(lab, first)
    assert log_of(lab, second) == "about to raise\n"


@pytest.mark.parametrize(
    ("do", "failure", "error"),
    [
        ("raise", "error", "ValueError: it is wrong"),
        ("exit", "error", "SystemExit: enough"),
        ("interrupt itself", "error", "KeyboardInterrupt: "),
        ("raise from itself", "error", "ValueError: round and round"),
        ("say what is no text", "error", "ValueError: caf\\udce9"),
        ("miss a file", "error", "FileNotFoundError: [Errno 2] no such file"),
        ("leave", "worker lost", "worker lost: its process ended with status 3"),
        ("die", "worker lost", "worker lost: its process died of SIGKILL"),
        ("segfault", "worker lost", "worker lost: its process died of SIGSEGV"),
        ("eat", "out of memory", "MemoryError: "),
        ("eat on a GPU", "out of memory", "OutOfMemoryError: CUDA out of memory"),
        ("lose the disk", "transient", "OSError: [Errno 116] stale file handle"),
    ],
)
def test_failure_is_told_as_what_it_is_with_what_was_printed(lab, slots, do, failure, error):
    outcome = run(slots, make_task(lab, do))
    assert (outcome.failure, outcome.error) == (failure, error)
    assert log_of(lab, outcome).startswith(f"about to {do}\n") and f"about to {do}\n" in outcome.traceback
    assert lab.store.records.find(outcome.key) is None
    assert not run(slots, make_task(lab, "say")).failure


def test_of_a_long_error_both_ends_are_kept(lab, slots):
    outcome = run(slots, make_task(lab, "say too much"))
    assert outcome.error.startswith("ValueError: xxx") and "xxx ... 4193304 characters ... xxx" in outcome.error
    assert len(outcome.error) < 1100 and len(outcome.traceback) < 21000 and "rough.py" in outcome.traceback


@pytest.mark.parametrize("do", ["close stdout", "have no stdout", "close descriptors"])
def test_stdout_that_a_body_took_away_is_there_for_the_next(lab, slots, do):
    first = run(slots, make_task(lab, "look around"))
    assert not run(slots, make_task(lab, do)).failure
    outcome = run(slots, make_task(lab, "say"))
    assert len(log_of(lab, outcome).splitlines()) == 4
    again = run(slots, msgspec.structs.replace(make_task(lab, "look around"), rewrite=True))
    assert again.output == first.output  # it names the process: that went on


def test_folder_that_a_body_went_to_is_not_the_next_ones(lab, slots):
    first = run(slots, make_task(lab, "look around"))
    assert not run(slots, make_task(lab, "go where nothing is")).failure
    again = run(slots, msgspec.structs.replace(make_task(lab, "look around"), rewrite=True))
    assert not again.failure and again.output == first.output


def test_file_that_a_body_put_in_place_of_stdout_is_left_alone(lab, slots):
    (lab.folder / "told").write_text("precious")
    assert not run(slots, make_task(lab, "put a file in place of stdout")).failure
    assert len(log_of(lab, run(slots, make_task(lab, "say"))).splitlines()) == 4
    assert (lab.folder / "told").read_text() == "precious"


def test_copy_of_a_child_that_a_body_forked_does_not_go_on(lab, slots):
    task = make_task(lab, "fork")
    calls = [Call(f"e{n}", digest(f"{n}".encode()), None, {}) for n in range(3)]
    outcomes = slots.run(msgspec.structs.replace(task, calls=calls), lambda label, numbers: None)
    assert [(outcome.failure, outcome.key) for outcome in outcomes] == [("", call.key) for call in calls]
    assert not run(slots, make_task(lab, "say")).failure


def test_numbers_of_numpy_are_told(lab, slots):
    reports = []
    assert not run(slots, make_task(lab, "tell in numpy"), lambda label, numbers: reports.append(numbers)).failure
    assert reports == [{"done": 1, "total": 2, "loss": 0.5}]


def test_child_ends_although_a_body_left_a_thread(lab):
    tasks, ours = os.pipe()
    theirs, messages = os.pipe()
    line = [sys.executable, "-m", "graph.child", str(tasks), str(messages), "here"]
    with open(lab.folder / "log", "a+") as log:
        child = subprocess.Popen(line, stdout=log, stderr=log, pass_fds=(tasks, messages), cwd=ROUGH.parents[2])
    write_frame(ours, make_task(lab, "leave a thread"))
    frames = Frames(theirs)
    wait_for(lambda: any(b"Ended" in frame for frame in frames.read()))
    os.close(ours)
    try:
        assert child.wait(10) == 0
    finally:
        child.kill()
        for pipe in (tasks, theirs, messages):
            os.close(pipe)


def test_child_is_reused_and_survives_what_a_body_raises(lab, slots):
    before = run(slots, make_task(lab, "look around"))
    run(slots, make_task(lab, "exit"))
    after = run(slots, msgspec.structs.replace(make_task(lab, "look around"), rewrite=True))
    assert lab.store.reader(before.output).attrs == lab.store.reader(after.output).attrs


def test_threads_are_set_before_the_child_starts(lab, slots):
    one, two = (run(slots, make_task(lab, "look around", threads=n)) for n in (1, 2))
    (*first, _, here), (*second, _, there) = (lab.store.reader(one.output).attrs["text"].split() for one in (one, two))
    assert first == ["1", "1", "1", "false", "0"] and second == ["2", "2", "2", "false", "0"]
    assert is_gone(int(here)) and not is_gone(int(there))  # no more children than slots


def test_timeout_ends_the_body_and_the_programs_that_it_started(lab, slots):
    outcome = run(slots, make_task(lab, "hang with a program", timeout=0.5))
    assert (outcome.failure, outcome.error) == ("timeout", "timeout: took longer than its timeout of 0.5 s")
    assert outcome.seconds >= 0.5
    assert log_of(lab, outcome) == "about to hang with a program\n"
    wait_for(lambda: all(map(is_gone, told(lab))))


def test_timeout_kills_what_ignores_term(lab, slots):
    assert run(slots, make_task(lab, "hang against TERM", timeout=0.5)).failure == "timeout"
    wait_for(lambda: all(map(is_gone, told(lab))))


def test_death_is_seen_although_a_fork_of_the_body_lives_and_that_is_ended_too(lab, slots):
    assert run(slots, make_task(lab, "die with a fork alive")).failure == "worker lost"
    wait_for(lambda: all(map(is_gone, told(lab))))


def test_stop_ends_a_body_that_is_in_the_middle_and_refuses_others(lab, slots):
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(run(slots, make_task(lab, "hang with a program"))))
    thread.start()
    told(lab)
    slots.stop()
    thread.join()
    outcomes.append(run(slots, make_task(lab, "say")))
    assert [(one.failure, one.error) for one in outcomes] == [("worker lost", "worker lost: stopped")] * 2
    assert all(map(is_gone, told(lab)))


def test_child_that_died_while_it_was_idle_is_replaced(lab, slots):
    first = run(slots, make_task(lab, "look around"))
    pid = int(lab.store.reader(first.output).attrs["text"].split()[-1])
    os.kill(pid, signal.SIGKILL)
    assert not run(slots, make_task(lab, "say")).failure


def test_idle_child_that_died_is_let_go_with_its_guard(lab, slots):
    first = run(slots, make_task(lab, "look around"))
    guards = [one for one in psutil.Process().children() if "sh" in one.name()]
    os.kill(int(lab.store.reader(first.output).attrs["text"].split()[-1]), signal.SIGKILL)
    wait_for(lambda: slots.close_dead() or not any(one.is_running() for one in guards))
    assert len(guards) == 1


def test_task_that_nobody_wants_any_more_is_stopped(lab, slots):
    task = make_task(lab, "hang with a program")
    calls = [Call(f"e{n}", digest(f"{n}".encode()), None, {}) for n in range(2)]
    task = msgspec.structs.replace(task, calls=calls)
    outcomes = slots.run(task, lambda label, numbers: None, lambda: not (lab.folder / "told").exists())
    assert [outcome.error for outcome in outcomes] == ["worker lost: stopped"] * 2
    assert all(map(is_gone, told(lab)))
    assert not run(slots, make_task(lab, "say")).failure


@pytest.mark.parametrize(
    ("do", "error"),
    [
        ("die at first", "worker lost: its process died of SIGKILL"),
        ("break the GPU at first", "RuntimeError: CUDA error: device-side assert triggered"),
    ],
)
def test_call_that_spoils_its_child_fails_alone(lab, slots, do, error):
    task = make_task(lab, do)
    calls = [Call(f"e{n}", digest(f"{n}".encode()), None, {}) for n in range(3)]
    outcomes = slots.run(msgspec.structs.replace(task, calls=calls), lambda label, numbers: None)
    assert [outcome.error for outcome in outcomes] == [error, "", ""]
    assert [outcome.key for outcome in outcomes] == [call.key for call in calls]


def test_few_of_many_reports_travel(lab, slots):
    reports = []
    run(slots, make_task(lab, "tell"), lambda label, numbers: reports.append((label, numbers)))
    assert reports[0] == ("act", {"done": 0, "total": 10000, "loss": 1.0})
    assert len(reports) < 100


def test_packages_that_are_not_those_of_the_key_are_refused(lab, slots):
    found = msgspec.__version__
    wrong = run(slots, make_task(lab, "say", packages={"msgspec": "0.0.1"}))
    assert wrong.failure == "error" and wrong.error == f"worker here has msgspec {found}, the key says 0.0.1"
    for version in (found, major_minor(found)):
        assert not run(slots, make_task(lab, "say", packages={"msgspec": version, "python": "3.11"})).failure


def test_worker_that_cannot_read_the_source_says_so_and_nothing_is_repaired(lab, slots):
    gone = digest(b"nowhere")
    outcome = run(slots, msgspec.structs.replace(make_task(lab, "say"), source=gone))
    assert outcome.failure == "error" and outcome.lost == ""
    assert outcome.error.startswith(f"worker here cannot read the source in {lab.store.url}: manifest {gone}")


def test_record_that_is_there_already_is_found_and_not_made_again(lab, slots):
    first = run(slots, make_task(lab, "count"))
    second = run(slots, make_task(lab, "count"))
    assert second.is_found and not first.is_found and second.output == first.output
    run(slots, msgspec.structs.replace(make_task(lab, "count"), rewrite=True))
    assert Counter((lab.folder / "told").read_text().split()) == {"once": 2}


PARENT = """
import sys, msgspec
from graph.slot import Slots
from graph.task import Task
task = msgspec.msgpack.decode(open(sys.argv[1], "rb").read(), type=Task)
print(Slots(1, "here").run(task, print)[0].failure)
"""


def write_task(lab, do):
    file = lab.folder / "task"
    file.write_bytes(msgspec.msgpack.encode(make_task(lab, do)))
    return str(file)


@pytest.mark.parametrize("do", ["hang with a program", "hang with the interpreter held", "hang against TERM"])
def test_nothing_outlives_a_parent_that_is_killed(lab, do):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, write_task(lab, do)], cwd=ROUGH.parents[2])
    pids = told(lab)
    guards = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    wait_for(lambda: all(is_gone(pid) for pid in [*pids, *(guard.pid for guard in guards)]))
    assert len(guards) == 2  # the child and its guard


def make_memory_group():
    """Make a control group of 200 MB inside our own; None where we may not."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        is_first = "memory" in controllers.split(",")
        group = Path(f"/sys/fs/cgroup{'/memory' if is_first else ''}{path}") / f"dataflow-{os.getpid()}"
        if is_first or not controllers:
            try:
                group.mkdir()
                (group / ("memory.limit_in_bytes" if is_first else "memory.max")).write_text(str(200 << 20))
                return group
            except OSError:
                continue
    return None


@pytest.fixture
def memory_group():
    """The file that takes the members of a control group with little memory."""
    group = make_memory_group()
    if group is None:
        pytest.skip("no control group can be made here")
    yield group / "cgroup.procs"
    wait_for(lambda: not (group / "cgroup.procs").read_text())
    group.rmdir()


def test_body_that_the_kernel_kills_for_its_memory_is_out_of_memory(lab, memory_group):
    line = f'echo $$ > {memory_group} && exec "$0" "$@"'
    command = ["sh", "-c", line, sys.executable, "-c", PARENT, write_task(lab, "eat all")]
    done = subprocess.run(command, cwd=ROUGH.parents[2], capture_output=True, text=True)
    assert done.stdout == "out of memory\n", done.stderr
