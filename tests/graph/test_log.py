"""Logs: what bodies wrote, found again by node, round, run and element."""

from __future__ import annotations

import pytest

from graph.errors import NotFoundError, RunError
from graph.log import find_logs

KINDS = """
import sys
from msgspec import Struct
from graph.node import node
from store.artifact import Artifact
from store.collection import Collection

class Box(Artifact):
    type = "box/1"
    def __init__(self, n): self.n = n
    def write(self, w): w.attrs = {"n": self.n}
    @classmethod
    def open(cls, r): return cls(r.attrs["n"])

class P(Struct, frozen=True):
    bad: tuple[int, ...] = ()
    count: int = 4
    say: str = "one"

@node("toy.boxes", version=1)
def boxes(*, params: P) -> Collection[Box]:
    print("packing", params.say)
    print("careful", file=sys.stderr)
    return Collection(Box, {f"b{n}": Box(n) for n in range(params.count)})

@node("toy.weigh", version=1, each="box")
def weigh(box: Box, *, params: P) -> Box:
    if box.n % 2:
        print("odd", box.n)
    if box.n in params.bad:
        raise ValueError(f"{box.n} is too heavy")
    return box

@node("toy.quiet", version=1)
def quiet(*, params: P) -> Box: return Box(0)
"""
SPEC = """
[experiment]
name = "logs"
[nodes.boxes]
kind = "kinds.py:boxes"
[nodes.weighed]
kind = "kinds.py:weigh"
inputs = { box = "boxes" }
[nodes.quiet]
kind = "kinds.py:quiet"
[nodes.late]
kind = "kinds.py:weigh"
inputs = { box = "weighed" }
"""
BAD = "nodes.weighed.params.bad=[2, 3]"


@pytest.fixture
def logs(lab):
    (lab.folder / "kinds.py").write_text(KINDS)

    def find(node, run=None, round=None, element=None):
        return find_logs(lab.store, node, run, "logs", round, element)

    return find


def test_log_of_a_node_is_what_it_wrote(lab, logs):
    lab.run(SPEC)
    (log,) = logs("boxes")
    assert log.written == "packing one\ncareful\n" and log.error == ""
    head, *rest = log.text().splitlines()
    assert head.startswith("boxes  20") and f"on {log.host}" in head and rest == ["packing one", "careful"]
    (quiet,) = logs("quiet")
    assert quiet.written == "" and quiet.text().splitlines()[1:] == ["wrote nothing"]


def test_log_of_what_was_found_is_that_of_the_run_that_made_it(lab, logs):
    first = lab.run(SPEC).run
    second = lab.run(SPEC, "nodes.late.params.say='x'").run
    assert logs("boxes", second) == logs("boxes", first)
    assert [log.element for log in logs("weighed", second)] == ["b1", "b3"]


def test_log_of_a_map_begins_with_what_failed(lab, logs):
    with pytest.raises(RunError):
        lab.run(SPEC, BAD)
    found = logs("weighed")
    assert [(log.element, log.written) for log in found] == [("b2", ""), ("b3", "odd 3\n"), ("b1", "odd 1\n")]
    assert found[0].error == "ValueError: 2 is too heavy" and "Traceback" in found[0].traceback
    assert found[0].text().splitlines()[0].startswith("weighed b2  20")
    assert found[0].text().splitlines()[-1] == "ValueError: 2 is too heavy"


def test_one_element_is_looked_for_in_earlier_runs(lab, logs):
    with pytest.raises(RunError):
        lab.run(SPEC, BAD)
    with pytest.raises(RunError):
        lab.run(SPEC, BAD)  # b0 and b1 are there
    assert [log.element for log in logs("weighed")] == ["b2", "b3"]
    (log,) = logs("weighed", element="b1")
    assert log.written == "odd 1\n" and logs("weighed.b1") == [log]
    lab.run(SPEC)
    assert logs("weighed", element="b0") == []
    with pytest.raises(NotFoundError, match="weighed has no element 'b7'"):
        logs("weighed", element="b7")


def test_map_without_elements_wrote_nothing(lab, logs):
    lab.run(SPEC, "nodes.boxes.params.count=0")
    assert logs("weighed") == []


def test_what_did_not_run_is_said(lab, logs):
    with pytest.raises(RunError):
        lab.run(SPEC, BAD)
    with pytest.raises(NotFoundError, match=r"late did not run in run .*: skipped"):
        logs("late")
    with pytest.raises(NotFoundError, match="has no node 'boxs'; did you mean 'boxes'"):
        logs("boxs")


def test_failed_node_tells_last_words_and_traceback(lab, loop):
    with pytest.raises(RunError):
        lab.run(loop + '[nodes.quit]\nkind = "TOYS:quit_early"\nparams = { tag = "enough" }\n')
    (log,) = find_logs(lab.store, "quit", None, "toy", None, None)
    assert log.written == "last words\n" and log.traceback.endswith("SystemExit: enough\n")
    done = lab.command("log", "quit")
    assert done.returncode == 0 and done.stdout.splitlines()[1] == "last words"
    assert done.stdout.count("last words") == 1


def test_every_attempt_tells_what_it_wrote(lab, logs):
    body = """
import os
@node("toy.die", version=1)
def die(*, params: P) -> Box:
    print("last words")
    os._exit(3)
"""
    (lab.folder / "kinds.py").write_text(KINDS + body)
    text = '[experiment]\nname = "logs"\n[compute]\nexecutor = "local"\n'
    with pytest.raises(RunError):
        lab.run(text + '[nodes.die]\nkind = "kinds.py:die"\nretries = 1\n')
    first, second = logs("die")
    assert (first.written, second.written) == ("last words\n", "last words\n") and first.error.endswith("once more")
    assert second.text().splitlines()[1:] == ["last words", "worker lost: its process ended with status 3"]


def test_round_that_failed_is_meant_else_the_last(lab, loop):
    lab.run(loop)
    (log,) = find_logs(lab.store, "update", None, "toy", None, None)
    assert log.label == "update[2]"
    (log,) = find_logs(lab.store, "update", None, "toy", 1, None)
    assert log.label == "update[1]"


def test_command_says_if_nothing_was_written(lab, loop):
    spec = lab.write(loop)
    lab.command("run", spec)
    assert lab.command("log", spec, "scaled").stdout == "scaled wrote nothing\n"
    assert lab.command("log", spec).returncode == 2
