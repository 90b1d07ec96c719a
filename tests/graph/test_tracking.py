"""Curves to trackers: which points, what a run of found things tells, and that no run fails of a tracker."""

from __future__ import annotations

import json
import textwrap

import pytest

from graph.errors import RunError, SpecError

RECORDER = """
import json
import time
from pathlib import Path


class Recorder:
    needs = "json"

    def __init__(self, tracked):
        if "refuse" in tracked.experiment:
            raise OSError("no such\\nserver")
        tracked.folder.mkdir(exist_ok=True)
        self.path = tracked.folder / f"{tracked.variant or 'all'}.jsonl"

    def log(self, axis, place, numbers, seconds):
        assert seconds > 1.7e9 and numbers
        with self.path.open("a") as file:
            file.write(json.dumps([axis, place, numbers]) + "\\n")

    def close(self):
        self.path.with_suffix(".closed").touch()


class Hanging(Recorder):
    def log(self, axis, place, numbers, seconds):
        time.sleep(60)


class Lacking(Recorder):
    needs = "no_such_package_at_all"
"""
KINDS = """
import time

from msgspec import Struct
from graph.node import Progress, node
from store.artifact import Artifact


class Score(Artifact):
    type = "score/1"

    def __init__(self, value):
        self.value = value

    def write(self, w):
        w.attrs = {"value": self.value}

    @classmethod
    def open(cls, r):
        return cls(r.attrs["value"])

    def summary(self):
        return {"accuracy": {"all": [self.value, 0.0, 1.0]}, "name": "x", "n": 3, "sure": True}


class Params(Struct, frozen=True):
    gain: float = 0.125


@node("mine.train", version=1)
def train(before: Score | None, *, params: Params, progress: Progress) -> Score:
    for n in range(3):
        progress(n + 1, 3, loss=1 / (n + 1))
        time.sleep(0.12)
    return Score((before.value if before else 0.25) + params.gain)
"""
SPEC = """
[experiment]
name = "tracked"
rounds = 2
[report]
to = ["recorder.py:Recorder"]
[nodes.update]
kind = "mine.py:train"
inputs = { before = "update[-1]" }
"""


@pytest.fixture
def tracked(lab):
    (lab.folder / "recorder.py").write_text(RECORDER)
    (lab.folder / "mine.py").write_text(textwrap.dedent(KINDS))
    return lab


def points(lab, name="all"):
    path = lab.folder / "curves" / f"{name}.jsonl"
    assert path.with_suffix(".closed").exists()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.unlink()
    return [(axis, place, numbers) for axis, place, numbers in lines]


def test_steps_are_counted_on_over_the_rounds_and_facts_stand_at_their_round(tracked) -> None:
    tracked.run(SPEC)
    told = points(tracked)
    steps = {place: numbers for axis, place, numbers in told if axis == "step"}
    assert steps == {n: {"update/steps/loss": 1 / ((n - 1) % 3 + 1)} for n in range(1, 7)}
    rounds = [(place, numbers) for axis, place, numbers in told if axis == "round"]
    assert rounds == [
        (1, {"update/accuracy.all": 0.375, "update/n": 3}),
        (2, {"update/accuracy.all": 0.5, "update/n": 3}),
    ]


def test_what_was_found_is_told_too_and_nothing_of_it_is_in_a_key(tracked) -> None:
    without = tracked.run(SPEC.replace('to = ["recorder.py:Recorder"]', "to = []"))
    found = tracked.run(SPEC)
    assert (found.computed, found.found, found.digest) == (0, 2, without.digest)
    assert [(axis, place) for axis, place, _ in points(tracked)] == [("round", 1), ("round", 2)]


def test_each_variant_has_curves_of_its_own(tracked) -> None:
    tracked.run(SPEC + '[variants]\n"nodes.update.params.gain" = [0.125, 0.25]\n')
    assert {path.name for path in (tracked.folder / "curves").glob("*.jsonl")} == {
        "gain=0.125.jsonl",
        "gain=0.25.jsonl",
    }
    assert points(tracked, "gain=0.25")[-1] == ("round", 2, {"update/accuracy.all": 0.75, "update/n": 3})


def test_a_tracker_that_fails_is_told_of_and_costs_no_run(tracked) -> None:
    result = tracked.run(SPEC.replace('name = "tracked"', 'name = "refused"'))
    assert result.computed == 2
    assert result.untold == ["[report] went on without recorder.py:Recorder: OSError: no such server"]


def test_what_cannot_be_read_is_told_of_and_the_rest_is_tracked(tracked) -> None:
    first = tracked.run(SPEC)
    points(tracked)
    (tracked.folder / "mine.py").write_text(
        KINDS.replace('return {"acc', 'return 1 / 0 if self.value < 0.4 else {"acc')
    )
    again = tracked.run(SPEC)
    assert again.digest == first.digest
    assert again.untold == ["[report] nothing of update[1]: ZeroDivisionError: division by zero"]
    assert [place for axis, place, _ in points(tracked) if axis == "round"] == [2]


def test_a_variant_has_the_curves_of_all_that_belongs_to_it(tracked) -> None:
    arms = """
[nodes.after]
kind = "mine.py:train"
inputs = { before = "update[last]" }
[variants.arms.plain]
[variants.arms.more]
"nodes.after.params.gain" = 0.5
"""
    tracked.run(SPEC + arms)
    shared = [("round", 1, {"update/accuracy.all": 0.375, "update/n": 3})]
    shared += [("round", 2, {"update/accuracy.all": 0.5, "update/n": 3})]
    for name, value in (("plain", 0.625), ("more", 1.0)):
        told = [point for point in points(tracked, name) if point[0] == "round"]
        assert told == [*shared, ("round", 0, {"after/accuracy.all": value, "after/n": 3})]


def test_steps_count_on_from_rounds_of_other_lengths(tracked) -> None:
    kinds = KINDS.replace("gain: float = 0.125", "gain: float = 0.125\n    steps: int = 3")
    kinds = kinds.replace("range(3)", "range(params.steps)").replace("(n + 1, 3,", "(n + 1, params.steps,")
    (tracked.folder / "mine.py").write_text(kinds)
    tracked.run(SPEC + "[rounds.2.nodes.update.params]\nsteps = 1\n")
    assert [place for axis, place, _ in points(tracked) if axis == "step"] == [1, 2, 3, 4]


def test_one_that_hangs_holds_up_no_other(tracked, monkeypatch) -> None:
    monkeypatch.setattr("graph.tracking.PATIENCE_S", 0.5)
    both = SPEC.replace('["recorder.py:Recorder"]', '["recorder.py:Hanging", "recorder.py:Recorder"]')
    result = tracked.run(both)
    assert [place for axis, place, _ in points(tracked) if axis == "round"] == [1, 2]
    assert result.untold == ["[report] recorder.py:Hanging has not taken all curves yet: they are left"]


def test_a_run_that_fails_tells_of_trackers_too(tracked) -> None:
    spec = SPEC.replace('name = "tracked"', 'name = "refused"')
    with pytest.raises(RunError, match=r"\[report\] went on without recorder.py:Recorder: OSError: no such server"):
        tracked.run(spec + '[nodes.bad]\nkind = "TOYS:quit_early"\n')


def test_ctrl_c_while_trackers_are_waited_for_costs_no_finished_run(tracked, monkeypatch) -> None:
    def interrupt(thread, timeout=None):
        raise KeyboardInterrupt

    monkeypatch.setattr("graph.tracking.threading.Thread.join", interrupt)
    result = tracked.run(SPEC)
    monkeypatch.undo()
    assert tracked.store.refs.find("tracked") == result.digest


def test_a_tracker_that_hangs_holds_no_run_for_long(tracked, monkeypatch) -> None:
    monkeypatch.setattr("graph.tracking.PATIENCE_S", 0.2)
    result = tracked.run(SPEC.replace("Recorder", "Hanging"))
    assert result.computed == 2 and result.untold == [
        "[report] recorder.py:Hanging has not taken all curves yet: they are left"
    ]


def test_curves_are_closed_where_a_run_fails(tracked) -> None:
    with pytest.raises(RunError):
        tracked.run(SPEC + '[nodes.bad]\nkind = "TOYS:quit_early"\n')
    assert points(tracked)


def test_mistakes_are_told_before_anything_runs(tracked) -> None:
    for said, expected in {
        '["tensorbord"]': "no tracker is named 'tensorbord'; did you mean 'tensorboard'?",
        '["recorder.py:Recoder"]': "has no 'Recoder'; did you mean 'Recorder'?",
        '"wandb"': "[report] to = 'wandb': expected list, got str",
    }.items():
        with pytest.raises(SpecError, match=r"\[report\]") as told:
            tracked.load(SPEC.replace('["recorder.py:Recorder"]', said))
        assert expected in str(told.value)
    with pytest.raises(SpecError, match="needs the package no_such_package_at_all: pip install no_such_package_at_all"):
        tracked.run(SPEC.replace("Recorder", "Lacking"))
    assert not list((tracked.folder / "store" / "runs").glob("*"))
