"""The command line: exit codes, what it prints, and no traceback for bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

TOYS = Path(__file__).with_name("toys.py")


@pytest.fixture
def dataflow(lab):
    """Run a command in a process of its own; return exit status, stdout, stderr."""

    def call(*arguments):
        done = lab.command(*arguments)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    return call


def test_run_ends_with_0_and_says_what_it_computed(lab, loop, dataflow):
    spec = lab.write(loop)
    status, out, err = dataflow("run", spec)
    assert status == 0 and ": 8 computed, 0 found, " in out and "\nresult " in out
    assert [line.split()[:2] for line in err.splitlines()] == [
        [label, "done"] for label in ("data", "scaled", "sum", "update[1]", "update[2]", "report")
    ]
    status, again, _ = dataflow("run", spec)
    assert status == 0 and ": 0 computed, 6 found, " in again
    assert again.splitlines()[1] == out.splitlines()[1]


def test_failed_run_ends_with_1_and_one_line_a_failure(lab, loop, dataflow):
    spec = lab.write(loop)
    arguments = ("run", spec, "--set", "nodes.scaled.params.fail_on=[1.0, 2.0]")
    status, _, err = dataflow(*arguments)
    failed = [line for line in err.splitlines() if "ValueError" in line]
    assert status == 1 and len(failed) == 2
    assert failed[0].startswith("node scaled (action ") and failed[0].endswith(
        "'e001': ValueError: value 1.0 is not wanted"
    )


def test_error_without_a_text_is_told(lab, dataflow):
    status, _, err = dataflow("run", lab.write('[experiment]\nname = "x"\n[nodes.a]\nkind = "TOYS:fail_mutely"\n'))
    assert status == 1 and "failed: Mute: its text cannot be had: RuntimeError" in err


def test_traceback_is_there_for_who_asks(lab, loop):
    spec = lab.write(loop)
    done = lab.command("run", spec, "--traceback", "--set", "nodes.scaled.params.fail_on=[1.0]")
    assert done.returncode == 1 and "Traceback" in done.stderr and "toys.py" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["run"],
        ["run", "no.toml"],
        ["plan", "SPEC", "--until", "sun"],
        ["run", "SPEC", "--until", "sun"],
        ["run", "SPEC", "--until", "sum", "--only", "data"],
        ["run", "SPEC", "--set", "nodes.data.params.count=-1"],
        ["run", "SPEC", "--store", "s3://bucket"],
        ["show", "SPEC"],
        ["show", "SPEC", "data"],
        ["show", "data", "--run", "yesterday"],
        ["ls", "SPEC"],
        ["ls", "data"],
        ["ls", "--store", "/dev/null"],
        ["plan", "SPEC", "--store", __file__],
        ["graph", "SPEC", "--svg", "picture.gif"],
        ["graph", "SPEC", "--svg", "picture"],
        ["kinds", "scene.extrct"],
        ["kinds", "no/such.py:kind"],
    ],
)
def test_bad_command_ends_with_2_and_says_why(lab, loop, dataflow, arguments):
    spec = str(lab.write(loop))
    status, out, err = dataflow(*[spec if argument == "SPEC" else argument for argument in arguments])
    assert status == 2 and err.strip() and out == ""


def test_kinds_that_cannot_be_imported_are_one_line(lab, dataflow):
    (lab.folder / "kinds.py").write_text("import no_such_module\ndef f(): ...\n")
    status, _, err = dataflow("run", lab.write('[experiment]\nname="x"\n[nodes.a]\nkind = "kinds.py:f"'))
    assert status == 2 and len(err.splitlines()) == 1
    assert "kinds.py cannot be imported: ModuleNotFoundError: No module named 'no_such_module'" in err


def test_system_errors_name_the_file_first(lab, loop, dataflow):
    spec = lab.write(loop)
    status, _, err = dataflow("graph", spec, "--svg", lab.folder / "no" / "picture.svg")
    assert (status, err) == (2, f"{lab.folder}/no/picture.svg: No such file or directory\n")


def test_plan_tells_states_and_reasons(lab, loop, dataflow):
    spec = lab.write(loop)
    dataflow("run", spec)
    status, out, _ = dataflow("plan", spec, "--set", "nodes.scaled.params.factor=3.0")
    rows = [line.split(maxsplit=3) for line in out.splitlines()]
    assert status == 0 and rows[1] == ["data", "hit"]
    assert "scaled" in out and "params.factor 2.0 -> 3.0" in out and "3 of 3" in out
    assert rows[-1][:3] == ["1", "hit,", "1"] and rows[-1][3].startswith("will run (about ")
    lab.forget()
    dataflow("plan", spec)
    assert lab.executed == {}


def test_until_runs_what_a_node_needs(lab, loop, dataflow):
    dataflow("run", lab.write(loop), "--until", "scaled")
    assert lab.executed == {"list": 1, "scale": 3}


def test_ls_and_show_tell_of_the_latest_run(lab, loop, dataflow):
    spec = lab.write(loop)
    dataflow("run", spec)
    dataflow("run", spec, "--set", "nodes.scaled.params.factor=3.0")
    status, out, _ = dataflow("ls", spec, "--json")
    listed = json.loads(out)
    rows = {row["node"]: row for row in listed["nodes"]}
    assert status == 0 and set(rows) == {"data", "scaled", "sum", "update[1]", "update[2]", "report"}
    assert rows["data"]["state"] == "hit" and rows["scaled"]["state"] == "done"
    assert rows["scaled"]["type"] == "collection of numbers/1"
    assert [rows[name]["entries"] for name in ("data", "scaled", "sum")] == [3, 3, None]
    assert rows["data"]["seconds"] is None and rows["scaled"]["seconds"] >= 0
    status, out, _ = dataflow("show", spec, "sum", "--json")
    shown = json.loads(out)
    assert shown["digest"] == rows["sum"]["digest"] and shown["arrays"] == {"values": "float64 (1,)"}
    assert dataflow("ls")[1].startswith(f"run {listed['run']}\n")
    assert rows["sum"]["digest"] in dataflow("show", "sum", "--store", lab.store.url)[1]


def test_ls_counts_what_a_map_has_after_failures(lab, loop, dataflow):
    spec = lab.write(loop)
    dataflow("run", spec, "--set", "nodes.scaled.params.fail_on=[1.0]")
    rows = {row["node"]: row for row in json.loads(dataflow("ls", spec, "--json")[1])["nodes"]}
    assert (rows["scaled"]["state"], rows["scaled"]["entries"], rows["sum"]["entries"]) == ("failed", 2, None)


def test_show_finds_rounds_entries_and_older_runs(lab, loop, dataflow):
    spec = lab.write(loop)
    first = dataflow("run", spec)[1].split()[1].rstrip(":")
    dataflow("run", spec, "--set", "experiment.rounds=1")
    digests = [json.loads(dataflow("show", spec, "update", "--json", *more)[1]) for more in (
        ["--run", first], ["--run", first, "--round", "2"], ["--run", first, "--round", "1"], []
    )]  # fmt: skip
    assert [found["node"] for found in digests] == ["update[2]", "update[2]", "update[1]", "update[1]"]
    assert digests[2]["digest"] == digests[3]["digest"]
    assert json.loads(dataflow("show", spec, "scaled.e001", "--json")[1])["type"] == "numbers/1"
    status, _, err = dataflow("show", spec, "scaled.e01")
    assert status == 2 and "did you mean 'e001'" in err
    status, _, err = dataflow("show", spec, "update", "--round", "7")
    assert status == 2 and "update[7]" in err


def test_kinds_tell_params_with_types_defaults_and_units(dataflow):
    status, out, _ = dataflow("kinds", f"{TOYS}:make_list")
    assert status == 0 and "collection of numbers/1" in out
    line = next(line for line in out.splitlines() if line.strip().startswith("count"))
    assert "int >= 0" in line and "= 3" in line and "elements" in line


NOTED = """
from typing import Annotated
from msgspec import Meta, Struct
from graph.node import External, Located, node
from store.artifact import Artifact

class Box(Artifact):
    type = "box/1"
    def __init__(self, text): self.text = text
    def write(self, w): w.attrs = {"text": self.text}

class Inner(Struct, frozen=True):
    depth: Annotated[int, Meta(description="how deep", extra={"unit": "m"})] = 1

class P(Struct, frozen=True, forbid_unknown_fields=True):
    count: Annotated[int, Meta(ge=1, description="boxes", extra={"unit": "pieces"})] | None = None
    inner: Inner | None = None
    path: Annotated[External, Meta(description="a file of text")] | None = None
    folder: Annotated[Located, Meta(description="enters no key")] | None = None

@node("toy.noted", version=1)
def noted(*, params: P) -> Box:
    return Box(params.path.path.read_text() if params.path else "")
"""


def test_notes_of_params_that_may_be_absent_are_told_and_change_nothing(lab, dataflow):
    (lab.folder / "kinds.py").write_text(NOTED)
    status, out, _ = dataflow("kinds", f"{lab.folder / 'kinds.py'}:noted")
    assert status == 0
    assert out.split("params\n")[1].splitlines() == [
        "  count  int >= 1 | absent  = absent  pieces  boxes",
        "  inner  a table  may be absent",
        "    depth  int  = 1  m  how deep",
        "  path  path  = absent  a file of text",
        "  folder  path  = absent  enters no key",
    ]
    text = '[experiment]\nname = "x"\n[nodes.a]\nkind = "kinds.py:noted"\n'
    text += 'params = { path = "a.txt", folder = "FOLDER" }\n'
    spec = lab.write(text.replace("FOLDER", "."))
    assert dataflow("run", spec)[0] == 2  # there is no a.txt
    (lab.folder / "a.txt").write_text("one")
    assert "1 computed" in dataflow("run", spec)[1]
    lab.write(text.replace("FOLDER", ".."))
    assert "0 computed" in dataflow("run", spec)[1]
    (lab.folder / "a.txt").write_text("two")
    assert "1 computed" in dataflow("run", spec)[1]


def test_ls_survives_runs_that_were_killed_as_they_began(lab, loop, dataflow):
    spec = lab.write(loop)
    dataflow("run", spec)
    (lab.folder / "store" / "runs" / "99990101T000000000-0000").mkdir()
    newest = max(path for path in (lab.folder / "store" / "runs").iterdir() if path.name < "9999")
    with open(next(newest.glob("events-*")), "ab") as file:
        file.write(b'{"label": "torn')
    assert dataflow("ls", spec)[0] == 0
    assert dataflow("plan", spec, "--set", "nodes.sum.params.tag='x'")[0] == 0
