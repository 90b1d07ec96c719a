"""Exchange: what a node gave as a folder that others open, and such a folder back into a store, its digest the same."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from graph.classes import known_kinds
from graph.errors import DataflowError
from graph.exchange import import_artifact
from graph.experiment import Experiment
from graph.spec import load_spec
from store.errors import Unacceptable
from store.open import open_store

KINDS = """
from msgspec import Struct
from graph.node import node
from store.artifact import Artifact
from store.collection import Collection

class Row(Struct, frozen=True):
    name: str
    weight: float

class Rows(Artifact):
    type = "rows/1"
    plain = ":write_lines"
    def __init__(self, rows): self.rows = rows
    def write(self, w): w.table("rows", self.rows, Row)
    @classmethod
    def open(cls, r): return cls(r.table("rows", Row))

class Crate(Artifact):
    type = "crate/1"
    parts = {"rows": Rows}
    def __init__(self, rows): self.rows = rows
    def write(self, w): w.artifact("rows", self.rows)
    @classmethod
    def open(cls, r): return cls(r.artifact("rows", Rows))

class P(Struct, frozen=True):
    bad: bool = False

def write_lines(artifacts, folder):
    for place, rows in artifacts.items():
        (folder / place).mkdir(parents=True, exist_ok=True)
        (folder / place / "rows.txt").write_text("".join(f"{row.name} {1 / row.weight}\\n" for row in rows.rows))

@node("toy.rows", version=1)
def rows(*, params: P) -> Rows:
    return Rows([Row("a", 2.0), Row("b", 0.0 if params.bad else 4.0)])

@node("toy.pool", version=1)
def pool(rows: Rows) -> Collection[Rows]:
    return Collection(Rows, {row.name: Rows([row]) for row in rows.rows})

@node("toy.crate", version=1)
def crate(rows: Rows) -> Crate:
    return Crate(rows)
"""
SPEC = """
[experiment]
name = "exchange"
[nodes.rows]
kind = "kinds.py:rows"
[nodes.pool]
kind = "kinds.py:pool"
inputs = { rows = "rows" }
[nodes.crate]
kind = "kinds.py:crate"
inputs = { rows = "rows" }
"""


@pytest.fixture
def spec(lab):
    (lab.folder / "kinds.py").write_text(KINDS)
    return lab.write(SPEC)


@pytest.fixture
def ran(spec):
    """The experiment, and what it gave."""
    experiment = Experiment(spec)
    return experiment, experiment.run()


@pytest.fixture
def kinds(spec):
    return known_kinds(load_spec(spec, []))


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_export_writes_arrays_listing_and_the_plain_form(ran, tmp_path):
    folder = ran[1]["pool"].export(tmp_path / "new" / "out")
    assert folder == tmp_path / "new" / "out"
    assert (folder / "plain/a/rows.txt").read_text() == "a 0.5\n"  # 1 / 2
    assert (folder / "plain/b/rows.txt").read_text() == "b 0.25\n"  # 1 / 4
    assert {"artifact.json", "zarr/zarr.json", "zarr/a/rows/name/c/0"} <= set(files(folder))
    assert os.listdir(folder.parent) == ["out"]


def test_plain_form_of_what_stands_inside_lies_at_its_place(ran, tmp_path):
    folder = ran[1]["crate"].export(tmp_path / "out")
    assert (folder / "plain/rows/rows.txt").read_text() == "a 0.5\nb 0.25\n"


def test_import_gives_the_digest_of_what_was_exported(ran, kinds, tmp_path):
    _, outputs = ran
    for label in ("rows", "pool", "crate"):
        folder = outputs[label].export(tmp_path / label)
        store = open_store(str(tmp_path / f"store-{label}"))
        assert import_artifact(store, folder, kinds) == outputs[label].digest


def test_writer_of_the_plain_form_enters_no_key(ran, lab, spec):
    (lab.folder / "kinds.py").write_text(KINDS.replace("rows.txt", "lines.txt"))
    assert Experiment(spec).plan().is_hit


def test_failed_export_leaves_nothing(lab, spec, tmp_path):
    outputs = Experiment(spec, set={"nodes.rows.params.bad": True}).run()
    with pytest.raises(DataflowError, match=r"plain form of rows/1 by :write_lines: ZeroDivisionError: "):
        outputs["rows"].export(tmp_path / "there" / "out")
    assert os.listdir(tmp_path / "there") == []


@pytest.mark.parametrize("there", ["file", "folder with a file", "link to nowhere", "link to a folder with a file"])
def test_what_is_there_is_never_written_over(ran, tmp_path, there):
    target = tmp_path / "out"
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine").write_text("mine")
    if there == "file":
        target.write_text("mine")
    elif there == "folder with a file":
        full.rename(target)
    else:
        target.symlink_to(full if "file" in there else "nowhere/at/all")
    before = files(tmp_path / "out") if target.is_dir() else []
    with pytest.raises(DataflowError, match="out: expected an empty folder, or nothing there yet"):
        ran[1]["rows"].export(target)
    assert (files(target) if target.is_dir() else []) == before


def test_empty_folder_is_filled(ran, tmp_path):
    (tmp_path / "out").mkdir()
    ran[1]["rows"].export(tmp_path / "out")
    assert "artifact.json" in files(tmp_path / "out")


def test_working_folder_is_not_taken_from_under_the_shell(ran, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(DataflowError, match="expected another folder than the working one"):
        ran[1]["rows"].export(".")


def test_plain_form_alone_is_told_from_a_whole_export(ran, kinds, tmp_path):
    experiment, outputs = ran
    folder = outputs["rows"].export(tmp_path / "out", plain=True)
    assert files(folder) == ["artifact.json", "plain/rows.txt"]
    with pytest.raises(Unacceptable, match=r"out: no zarr/ in it: a plain form alone cannot be read back"):
        import_artifact(experiment.store, folder, kinds)


def test_plain_form_alone_of_a_type_without_one_is_refused(lab, loop, tmp_path):
    outputs = Experiment(lab.write(loop)).run()
    with pytest.raises(DataflowError, match=r"sum is numbers/1, which has no plain form here"):
        outputs["sum"].export(tmp_path / "out", plain=True)
    assert not (tmp_path / "out").exists()


def test_type_that_no_kind_knows_is_refused(ran, tmp_path):
    folder = ran[1]["rows"].export(tmp_path / "out")
    with pytest.raises(Unacceptable, match=r"artifact.json: type 'rows/1': no kind takes or gives it"):
        import_artifact(open_store(str(tmp_path / "other")), folder, [])


def test_what_does_not_open_as_its_type_is_refused(ran, kinds, tmp_path):
    folder = ran[1]["rows"].export(tmp_path / "out")
    for name in ("zarr.json", "c/0"):
        (folder / "zarr/rows/name" / name).unlink()
    store = open_store(str(tmp_path / "other"))
    with pytest.raises(Unacceptable, match=r"out: does not open as rows/1: "):
        import_artifact(store, folder, kinds, is_edited=True)


def test_entry_of_another_type_than_its_collection_is_refused(ran, kinds, tmp_path):
    experiment, outputs = ran
    folder = outputs["pool"].export(tmp_path / "out")
    text = (folder / "artifact.json").read_text().replace('"type": "rows/1"', '"type": "crate/1"', 1)
    (folder / "artifact.json").write_text(text)
    with pytest.raises(Unacceptable, match=r"out: a is crate/1 in a collection of rows/1"):
        import_artifact(experiment.store, folder, kinds, is_edited=True)


def test_exported_by_command_and_imported_by_command_a_spec_reads_it(lab, spec, tmp_path):
    assert lab.command("run", spec).returncode == 0
    done = lab.command("export", spec, "pool", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    head, *rest = done.stdout.splitlines()
    digest = head.split()[-1]
    assert head.startswith("pool  collection of rows/1  ") and any("plain" in line for line in rest)
    other = tmp_path / "other"
    done = lab.command("import", spec, tmp_path / "out", "--store", other, "--as", "pools/mine")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{digest}\n", "")
    read = '[experiment]\nname = "reads"\n[nodes.pool]\nartifact = "pools/mine"\n'
    done = lab.command("run", lab.write(read, "reads.toml"), "--store", other)
    assert done.returncode == 0, done.stderr


def test_entry_is_exported_by_command(lab, spec, tmp_path):
    lab.command("run", spec)
    done = lab.command("export", "pool.b", tmp_path / "out", "--plain")
    assert done.returncode == 0 and done.stdout.startswith("pool.b  rows/1  ")
    assert json.loads((tmp_path / "out/artifact.json").read_bytes())["type"] == "rows/1"


@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "SPEC"],
        ["export", "SPEC", "pool"],
        ["export", "SPEC", "pol", "OUT"],
        ["export", "SPEC", "pool.c", "OUT"],
        ["export", "SPEC", "pool", "FULL"],
        ["export", "SPEC", "pool", "OUT", "--round", "3"],
        ["export", "SPEC", "pool", "SPEC/out"],
        ["import"],
        ["import", "SPEC"],
        ["import", "OUT"],
        ["import", "FULL"],
        ["import", "SPEC", "FULL", "OUT"],
        ["import", "EXPORTED"],
        ["import", "SPEC", "EXPORTED", "--as", "../x"],
    ],
    ids=" ".join,
)
def test_bad_commands_end_with_2_and_one_line(lab, spec, tmp_path, arguments):
    Experiment(spec).run()["rows"].export(tmp_path / "exported")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    places = {"SPEC": str(spec), "OUT": str(tmp_path / "out"), "FULL": str(tmp_path / "full")}
    places["EXPORTED"] = str(tmp_path / "exported")
    done = lab.command(*(places.get(word, word.replace("SPEC", str(spec))) for word in arguments))
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert not (tmp_path / "out").exists() and not (tmp_path / "store" / "refs" / "x").exists()


SLOW = """    import pathlib, time
    pathlib.Path(os_environ["TOYS_COUNT"]).write_text(str(folder))
    time.sleep(60)
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_killed_export_leaves_no_folder_of_that_name(lab, spec, tmp_path, sent):
    slow = KINDS.replace("def write_lines(artifacts, folder):\n", f"def write_lines(artifacts, folder):\n{SLOW}")
    (lab.folder / "kinds.py").write_text(f"from os import environ as os_environ\n{slow}")
    assert lab.command("run", spec).returncode == 0
    lab.forget()
    process = lab.start("export", spec, "rows", tmp_path / "here" / "out")
    while not lab.count_file.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(sent)
    process.communicate(timeout=60)
    left = os.listdir(tmp_path / "here")
    assert "out" not in left and (not left or sent == signal.SIGKILL)
