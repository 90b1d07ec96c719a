"""What others wrote, in commands and runs: a line that says what is wrong with it, and never a traceback."""

from __future__ import annotations

import json
import time

import msgspec
import numpy as np
import pytest

from graph.change import codes_of, differences, near_miss
from graph.edits import Edit, find_edits
from graph.errors import NotFoundError, RunError, nearest
from graph.experiment import Output
from graph.log import find_logs
from graph.runs import Runs
from graph.shipping import Sources
from graph.show import describe
from graph.telling import fact_lines
from nodes.evaluate.scores import Scores
from nodes.feedback.compile import SceneFeedback
from nodes.policy.policy import Policy
from nodes.probe.probe import Probe
from nodes.questions.question import Questions
from nodes.report.curve import Curve
from nodes.scenes.frames import Frames
from nodes.scenes.scene import Room, Scene
from nodes.update.update import Log, Update
from store.digest import digest
from store.encoding import encode_array
from store.errors import StoreError
from store.manifest import MAGIC, Entry

EMPTY = MAGIC + msgspec.msgpack.encode(["thing/1", False, []])


def plant(store, entries, type="thing/1"):
    """Write a manifest of (key, kind, digest, size, data); return its digest and size."""
    data = MAGIC + msgspec.msgpack.encode([type, False, entries])
    name = digest(data)
    store.objects.write(f"manifests/{name[:2]}/{name}", data)
    return name, len(data)


def artifact(store, type, attrs, files=None, parts=None):
    """Write an artifact with whatever attributes, small files and parts."""
    group = {"attributes": attrs, "node_type": "group", "zarr_format": 3}
    held = {"zarr.json": json.dumps(group, sort_keys=True, separators=(",", ":")).encode(), **(files or {})}
    entries = [Entry(key, "inline", digest(data), len(data), data) for key, data in held.items()]
    entries += [Entry(key, "artifact", *part) for key, part in (parts or {}).items()]
    return plant(store, sorted(entries, key=lambda entry: entry.key.encode()), type)


def array(name, values):
    metadata, chunks = encode_array(values, tuple("abcdef"[: getattr(values, "ndim", 1)]), None)
    return {f"{name}/zarr.json": metadata, **{f"{name}/{key}": data for key, data in chunks}}


STORED = """
[experiment]
name = "stored"
[nodes.numbers]
artifact = "DIGEST"
[nodes.notes]
kind = "TOYS:remember"
inputs = { now = "numbers" }
"""
CLIP = STORED.replace("remember", "clip").replace("now", "numbers")


def numbers(store, files, attrs=None):
    return artifact(store, "numbers/1", attrs or {}, files)[0]


FILES = {
    "no array": ({}, "has no entry 'values/zarr.json'"),
    "no chunk": ({"values/zarr.json": encode_array(np.zeros(9), ("n",), None)[0]}, "has no entry 'values/c/0'"),
    "no metadata": ({"values/zarr.json": b"{}"}, "array metadata that is not in this store's form"),
    "text": (array("values", ["a"]), "no numbers/1 inside: ValueError: could not convert string to float: 'a'"),
}


@pytest.mark.parametrize(("files", "text"), FILES.values(), ids=FILES.keys())
def test_node_that_reads_what_is_not_its_type_fails_with_a_line(lab, files, text):
    found = numbers(lab.store, files)
    path = lab.write(CLIP.replace("DIGEST", found))
    ran = lab.command("run", path)
    assert ran.returncode == 1 and "Traceback" not in ran.stderr
    (line,) = [line for line in ran.stderr.splitlines() if "failed" in line and "node notes" in line]
    assert text in line
    shown = lab.command("show", path, "numbers")
    assert shown.returncode in (0, 2) and "Traceback" not in shown.stderr and len(shown.stderr.splitlines()) <= 1


def test_show_tells_of_an_artifact_that_is_not_its_type_in_a_line(lab):
    found = artifact(lab.store, "notes/1", {"txt": 1})[0]
    spec = """
[experiment]
name = "stored"
[nodes.notes]
kind = "TOYS:report"
inputs = { rounds = "data" }
[nodes.data]
kind = "TOYS:make_list"
"""
    lab.run(spec)
    path = lab.folder / "toy.toml"
    run = next(Runs(lab.store).ids())
    events = lab.folder / "store" / "runs" / run
    for segment in events.glob("events-*"):
        output = next(one.output for one in Runs(lab.store).events(run) if one.label == "notes" and one.output)
        segment.write_text(segment.read_text().replace(output, found))
    shown = lab.command("show", path, "notes")
    assert shown.returncode == 2
    assert shown.stderr == f"artifact {found[:12]} is no notes/1 inside: KeyError: 'text'\n"


WRONG = {
    "nothing": {},
    "numbers": 7,
    "texts": "x",
    "lists": [[1], "x", None],
    "tables": {"x": {"y": 1}},
    "none": None,
    "deep": json.loads('{"a":' * 500 + "1" + "}" * 500),
}
NAMES = {
    *(
        "budget",
        "weights",
        "family",
        "trained_places",
        "rates",
        "samples",
        "is_blind",
        "accuracy",
        "metrics",
        "invented",
    ),
    *("id", "source", "place", "split", "terms", "data", "labels", "counts", "style", "area_m2", "area_assumed"),
    *("polygon_assumed", "modules", "origins", "units", "closures"),
}
ROOM = {"id", "source", "place", "split", "terms"}
FIELDS = {Room: ROOM | {"data"}, SceneFeedback: {"budget", "weights"}, Scores: {"is_blind", "accuracy"}}
TYPES = [Room, Scene, Frames, Questions, Probe, Scores, Curve, Policy, Log, Update, SceneFeedback, Sources]
STRANGE = {
    **array("questions/id", np.zeros((2, 2))),
    **array("visibility", np.array(1.0)),
    **array("first_seen_s", ["a"]),
    **array("rgb", np.zeros((0, 1), np.uint8)),
    **array("time_s", ["a", "b"]),
    **array("weights/x", ["a"]),
    **array("metrics/x", ["a"]),
    "files/curve.png": b"",
}


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("cls", TYPES, ids=lambda cls: cls.type)
def test_every_type_tells_of_wrong_content_in_a_line(lab, cls, value):
    attrs = dict.fromkeys(FIELDS.get(cls, NAMES), value) if value != {} else {}
    for files in ({}, STRANGE):
        found = artifact(lab.store, cls.type, attrs, files)[0]
        try:
            text = describe(lab.store, "x", found, cls).text()
        except StoreError as error:
            text = str(error)
            assert "\n" not in text
        assert text.replace("\n", "").isprintable() and len(text) < 5000


def test_facts_write_no_commands_to_the_terminal():
    facts = {"place\x1b]0;x\x07": "a\x1b[2Jb\rc", "list": ["\x9b31m", 1], "table": {"\x08": "\u202e"}}
    assert all(line.isprintable() for line in fact_lines(facts))
    assert fact_lines({"a": "x\x1b[2Jy"}) == ["a  x?[2Jy"]


def plant_record(store, key, **values):
    record = store.records.find(key)
    held = json.loads(msgspec.json.encode(record)) | values
    payload = json.dumps(held).encode()
    store.objects.write(f"actions/{key[:2]}/{key}/local/9", digest(payload).encode() + b"\n" + payload)


CHAIN = """
[experiment]
name = "chain"
[nodes.data]
kind = "TOYS:make_list"
[nodes.sum]
kind = "TOYS:total"
inputs = { items = "data" }
"""


@pytest.mark.parametrize("values", [{"action": {}, "ran": {}}, {"source": "a" * 64}], ids=["empty", "source"])
def test_record_that_says_nothing_of_itself_is_a_hit_all_the_same(lab, values):
    first = lab.run(CHAIN)
    events = Runs(lab.store).outcomes(first.run)
    plant_record(lab.store, events["sum"].key, **values)
    assert lab.run(CHAIN).outputs == first.outputs and lab.executed == {}
    path = lab.folder / "toy.toml"
    for command in ("plan", "run", "why", "log", "show", "ls"):
        operands = [path, "sum"] if command in ("why", "log", "show") else [path]
        done = lab.command(command, *operands)
        assert done.returncode == 0 and "Traceback" not in done.stderr, (command, done.stderr)
    done = lab.command("plan", path, "--set", "nodes.sum.params.tag=x")
    assert done.returncode == 0 and "Traceback" not in done.stderr and "will run" in done.stdout
    assert find_logs(lab.store, "sum", None, "chain", None, None)


def test_record_with_a_lying_size_is_no_hit_and_is_replaced(lab):
    first = lab.run(CHAIN)
    key = Runs(lab.store).outcomes(first.run)["sum"].key
    plant_record(lab.store, key, size=5)
    assert lab.run(CHAIN).outputs == first.outputs and lab.executed == {"sum": 1}
    lab.run(CHAIN)
    assert lab.executed == {}


UNITS = {"units": {"x.py:f": ["1" * 64, "x.py", 1, 2]}, "closures": {"c" * 64: ["x.py:f"]}}
SOURCES = {
    "nothing": {},
    "other types": {"modules": [], "origins": 1, "units": {"f": [1]}, "closures": {"c": 1}},
    "unit of three": {"modules": {}, "origins": {}, **UNITS, "units": {"x.py:f": ["1", "x.py", 1]}},
    "unit unknown": {"modules": {}, "origins": {}, **UNITS, "units": {}},
    "file missing": {"modules": {}, "origins": {}, **UNITS},
}


@pytest.mark.parametrize("attrs", SOURCES.values(), ids=SOURCES.keys())
def test_stored_source_that_is_none_explains_nothing(lab, attrs):
    found = artifact(lab.store, "source/1", attrs)[0]
    action = {"code": "c" * 64, "params": {}}
    assert find_edits(lab.store, found, action, found, action) is None


def test_action_without_parts_has_no_code():
    assert codes_of({}) == [""]


def test_changes_write_no_commands_to_the_terminal():
    before = {"params": {"a\x1b[2J": 1, "b": "\x9b31m"}, "packages": {"torch": "2\x1b[2J"}, "inputs": {"\u202e": None}}
    changes = differences(before, {"params": {"b": "x"}, "packages": {"torch": "2"}, "inputs": {}})
    assert all(change.text().isprintable() for change in changes) and len(changes) == 3
    assert near_miss([changes[-1]]) == "would hit but for torch 2 (record has 2?[2J)"


@pytest.mark.parametrize("at", [1e300, -1e300, 1e15])
def test_log_of_no_year_is_told(lab, at):
    first = lab.run(CHAIN)
    event = msgspec.structs.replace(Runs(lab.store).outcomes(first.run)["sum"], at=at, key="", state="failed")
    lab.store.objects.write(f"runs/{first.run}/events-000099.jsonl", msgspec.json.encode(event))
    (log,) = find_logs(lab.store, "sum", None, "chain", None, None)
    assert log.when == ""


def test_entry_of_another_kind_is_no_input(lab):
    found = artifact(lab.store, "pair/1", {}, {"numbers": b"x"})[0]
    spec = lab.write(CLIP.replace("DIGEST", found).replace('numbers = "numbers"', 'numbers = "numbers.numbers"'))
    done = lab.command("run", spec)
    assert done.returncode in (1, 2) and "entry 'numbers' is inline, expected an artifact" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("key", ["zarr.json", "zarr.json/x", "a/b"])
def test_map_over_what_is_no_collection_fails_alone(lab, key):
    part = artifact(lab.store, "numbers/1", {}, array("values", np.zeros(1)))
    found = plant(lab.store, [Entry(key, "artifact", *part)], "collection of numbers/1")[0]
    spec = STORED.replace("DIGEST", found).replace("remember", "scale").replace("now", "item")
    with pytest.raises(RunError) as caught:
        lab.run(spec + '[nodes.data]\nkind = "TOYS:make_list"\n')
    assert str(caught.value) == f"node notes cannot read its inputs: input item: entry {key!r} is in no collection"
    assert lab.executed == {"list": 1}


def test_source_without_end_is_not_compared():
    began = time.process_time()
    text = Edit("x.py:f", "a\nb\n" * 300_000, "b\nc\na\n" * 300_000).diff()
    assert text == "x.py:f: 600000 and 900000 lines" and time.process_time() - began < 2


def test_name_among_a_million_is_looked_for_in_the_first_only():
    began = time.process_time()
    assert nearest("e000007", (f"e{n:06d}x" for n in range(1_000_000))) and time.process_time() - began < 5


def test_table_of_a_collection_asks_its_entries_for_their_type(lab):
    inner = plant(lab.store, [], "notes/1")
    for _ in range(60):
        inner = plant(lab.store, [Entry(f"e{n}", "artifact", *inner) for n in range(2)], "collection of notes/1")
    output = Output(lab.store, "pool", inner[0], [])
    with pytest.raises(NotFoundError, match=r"pool\.e0 is collection of notes/1, in a collection of notes/1"):
        output.pandas("x")


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 10**5, b'{"experiment":1}', b"\xff"])
def test_run_whose_files_are_none_is_told_in_a_line(lab, data):
    lab.run(CHAIN)
    lab.store.objects.write("runs/99990101T000000000-abcd/root.json", data)
    lab.store.objects.write("runs/99990101T000000000-abcd/events-000001.jsonl", data)
    assert lab.command("ls", lab.folder / "toy.toml").returncode == 0
    done = lab.command("show", lab.folder / "toy.toml", "sum", "--run", "99990101T000000000-abcd")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
