"""Hostile programs: each ends in a question that is dropped with a reason; the process and honest questions live on."""

from __future__ import annotations

import os
import resource
import signal
from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest
from pydantic_monty import MontyError

from nodes.questions.programs.facts import facts_of
from nodes.questions.programs.program import run_programs
from nodes.questions.programs.sandbox import Limits, open_session
from nodes.questions.question import Question, Questions
from nodes.questions.verify import Verify, verify
from nodes.scenes.scene import Scene
from tests.nodes.questions.programs.hostile import ENDLESS, HOSTILE, LARGE, POISONING
from tests.nodes.questions.programs.rooms import view_of
from tests.nodes.questions.programs.test_program import question

QUICK = Verify(limits=Limits(time_s=0.1))  # endless ones are many; what they meet is the same


@pytest.fixture(scope="module")
def scene(scene_of: Any) -> Scene:
    # unit cubes on a line: bed 0, chair 2, door 4
    return scene_of(["bed", "chair", "door"], [(x, 0, 0.5) for x in (0, 2, 4)], np.ones((3, 3)))


def numbers(programs: list[str], answer: str, name: str) -> list[Question]:
    facts = {"scene": "hand", "kind": "number", "answer": answer, "frames": (0, 1)}
    return [question(id=f"{name}-{k}", program=text, **facts) for k, text in enumerate(programs)]


def test_there_are_enough_of_them() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 300


def test_every_hostile_program_is_dropped_and_honest_ones_stay(scene: Scene) -> None:
    hostile = numbers(HOSTILE, "99", "hostile")  # what those say that poison others
    honest = numbers(['count("bed")', 'len(labels()) - count("door") - 1'] * len(hostile), "1", "honest")
    mixed = [row for pair in zip(hostile, honest, strict=False) for row in pair]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    checked = verify(Questions(mixed), scene, params=QUICK)
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    kept = {row.id for row in checked.rows}
    programs = {row.id: row.program[:80] for row in hostile}
    assert [programs[name] for name in programs if name in kept] == []
    assert [row.id for row in mixed if row.id not in programs and row.id not in kept] == []
    assert checked.dropped.keys() == programs.keys()
    for name, reason in checked.dropped.items():
        word, _, detail = reason.partition(": ")
        assert word.isalpha() and detail and len(detail) <= 320 and "\n" not in detail, (programs[name], reason)
        msgspec.json.encode(reason)
    assert grown_mb < 200
    counts = Counter(reason.partition(":")[0] for reason in checked.dropped.values())
    assert {"time", "memory", "forbidden", "syntax", "nested", "long", "error", "value"} <= set(counts)


@pytest.mark.parametrize("program", POISONING)
def test_no_program_changes_what_the_next_one_sees(scene: Scene, program: str) -> None:
    honest = ['count("bed")', 'round(distance("bed", "chair"), 1)', "len(labels())", 'max([1, count("door")])']
    programs = [*honest, program, *honest]
    values = [outcome.value for outcome in run_programs(facts_of(view_of(scene)), programs)]
    assert values[:4] == values[5:] == [1, 1.0, 3, 1]


def test_one_endless_program_costs_its_own_time_alone(scene: Scene) -> None:
    facts = facts_of(view_of(scene))
    endless = next(text for text in ENDLESS if text.startswith("sum("))
    outcomes = run_programs(facts, [*['count("bed")'] * 50, endless], Limits(time_s=0.2))
    assert [outcome.value for outcome in outcomes] == [1] * 50 + [None]
    assert outcomes[-1].reason == "time"


def test_a_killed_worker_is_replaced(scene: Scene) -> None:
    with pytest.raises(Exception), open_session(Limits()) as session:  # noqa: B017
        assert session.worker_pid is not None
        os.kill(session.worker_pid, signal.SIGKILL)
        session.feed_run("1")
    assert run_programs(facts_of(view_of(scene)), ['count("bed")'])[0].value == 1


@pytest.mark.parametrize(
    "source",
    [
        *('open("/etc/passwd").read()', 'open("x", "w").write("x")', 'import os\nos.listdir("/")', "import subprocess"),
        *("import socket", "import ctypes", "().__class__", '"{0.__class__}".format(1)', "(lambda: 0).__globals__"),
        *(
            'import pathlib\npathlib.Path("/").iterdir()',
            'import os\nos.environ["HOME"]',
            '__import__("os")',
            "input()",
        ),
    ],
)
def test_the_sandbox_alone_lets_nothing_out(source: str) -> None:
    with open_session(Limits()) as session, pytest.raises(MontyError):
        session.feed_run(source)


def test_memory_has_a_limit(scene: Scene) -> None:
    outcomes = run_programs(facts_of(view_of(scene)), LARGE[:6], Limits(memory_mb=16))
    assert {outcome.reason for outcome in outcomes} <= {"memory", "value"}
