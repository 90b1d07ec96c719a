"""`dataflow gc` and `dataflow verify` on what runs really leave."""

from __future__ import annotations

import json
import os
import time

import pytest

from graph.cli import main
from store.gc import Collector
from store.places import open_objects
from tests import services
from tests.graph.gc_beside_runs import GRACE_S3_S, read, trial
from tests.graph.people import Person
from tests.graph.test_repair import CHAIN, all_records, blob_of

HOUR = 3600


@pytest.fixture
def older(lab):
    """Makes all that lies in the lab's store older by so many hours."""

    def age(hours: float) -> None:
        for path in lab.store.objects.root.rglob("*"):
            at = path.stat().st_mtime - hours * HOUR
            os.utime(path, (at, at))

    return age


def test_results_that_names_stand_for_survive_and_earlier_ones_go(lab, older, capsys):
    first = lab.run(CHAIN, "nodes.scaled.params.factor=3.0")
    second = lab.run(CHAIN)
    older(25)
    assert main(["gc", "--keep", "0"]) == 0
    # 5 records of 3.0 (of a map, 2 elements, join, clip), of which the manifests go with 3 blobs (3s, 6s, joined),
    # the result's manifest, and what the collections of rounds were.
    assert "; condemned 15 objects" in capsys.readouterr().out
    lab.run(CHAIN)
    assert lab.executed == {}
    older(25)
    assert main(["gc", "--keep", "0"]) == 0
    assert capsys.readouterr().out.startswith("deleted ")
    assert lab.run(CHAIN).outputs == second.outputs and lab.executed == {}
    assert lab.run(CHAIN, "nodes.scaled.params.factor=3.0").outputs == first.outputs
    # The list stayed, as both read it, and so did the first element: zeros, whatever the factor.
    assert lab.executed == {"scale": 2, "join": 1, "clip": 1}


def test_nothing_goes_that_is_younger_than_keep(lab, older, capsys):
    lab.run(CHAIN, "nodes.scaled.params.factor=3.0")
    lab.run(CHAIN)
    older(20 * 24)
    assert main(["gc"]) == 0
    assert capsys.readouterr().out == "deleted 0 objects, 0 bytes freed\n"
    assert main(["gc", "--dry-run"]) == 0
    assert capsys.readouterr().out == "no garbage\n"


def test_dry_run_tells_by_node_owner_and_age_and_writes_nothing(lab, older, capsys):
    lab.run(CHAIN, "nodes.scaled.params.factor=3.0")
    lab.run(CHAIN)
    older(50 * 24)
    before = {path: path.stat().st_mtime for path in lab.store.objects.root.rglob("*")}
    assert main(["gc", "--dry-run"]) == 0
    text = capsys.readouterr().out
    rows = [line.split() for line in text.splitlines()]
    host = os.uname().nodename
    assert ["joined", host, "3"] in [row[:3] for row in rows] and "50 d" in text  # a record, a manifest, a blob
    assert ["toy.scale", host] in [row[:2] for row in rows]  # an element: no run tells its instance
    assert text.splitlines()[-1].endswith(" would be condemned")
    assert {path: path.stat().st_mtime for path in lab.store.objects.root.rglob("*")} == before
    main(["gc"])
    capsys.readouterr()
    assert main(["gc", "--dry-run", "--json"]) == 0
    assert {row["fate"] for row in json.loads(capsys.readouterr().out)} == {"condemned"}
    older(25)
    main(["gc", "--dry-run"])
    assert capsys.readouterr().out.splitlines()[-1].endswith(" would be deleted")


def test_a_folder_that_is_no_store_is_refused_in_one_line(lab, capsys):
    lab.store.objects.write("cas/x", b"")
    for command in (["gc"], ["gc", "--dry-run"], ["verify"]):
        assert main(command) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and "marks it as a store" in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_store_is_refused_in_one_line(lab, capsys):
    lab.run(CHAIN)
    (lab.store.objects.root / "tmp").chmod(0o500)
    try:
        assert main(["gc"]) == 2
    finally:
        (lab.store.objects.root / "tmp").chmod(0o700)
    assert "read-only" in capsys.readouterr().err


def test_permission_that_is_denied_in_the_middle_is_told(lab, older, capsys, monkeypatch):
    lab.run(CHAIN, "nodes.scaled.params.factor=3.0")
    lab.run(CHAIN)
    older(25)
    main(["gc", "--keep=0"])
    older(25)
    delete = type(lab.store.objects).delete

    def forbid(objects, name, before=None):
        if name.startswith("manifests"):
            raise PermissionError(13, "Permission denied", name)
        return delete(objects, name, before)

    monkeypatch.setattr(type(lab.store.objects), "delete", forbid)
    capsys.readouterr()
    assert main(["gc", "--keep=0"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("deleted 5 objects") and err.startswith("manifests/") and "permission denied" in err
    monkeypatch.undo()


def test_a_flipped_bit_is_found_and_only_its_producer_runs_again(lab, capsys):
    first = lab.run(CHAIN)
    path = blob_of(lab, first.outputs["joined"])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert main(["verify"]) == 1
    out = capsys.readouterr().out
    assert path.name in out and "of toy.join" in out and "values/c/0" in out
    second = lab.run(CHAIN)
    assert lab.executed == {"join": 1} and second.outputs == first.outputs and second.digest == first.digest
    assert main(["verify"]) == 0
    assert " nothing wrong" in capsys.readouterr().out
    assert (lab.folder / "store" / "aside" / path.relative_to(lab.folder / "store")).read_bytes() == data


def test_a_sample_is_a_number_or_a_share(lab, capsys):
    lab.run(CHAIN)
    assert main(["verify", "--sample", "3"]) == 0
    assert capsys.readouterr().out.startswith("3 of ")
    assert main(["verify", "--sample", "50%", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["checked"] == round(report["objects"] / 2)
    with pytest.raises(SystemExit):
        main(["verify", "--sample", "1.5"])


def test_a_run_writes_its_events_while_a_body_takes_long(lab, loop):
    import threading

    gate = lab.folder / "gate"
    lab.run(loop, until="sum")
    text = loop.replace("[nodes.report]", f'params = {{ wait_for = "{gate}" }}\n[nodes.report]')
    thread = threading.Thread(target=lab.run, args=(text,))
    thread.start()
    try:
        time.sleep(2.5)
        newest = max(lab.store.objects.list("runs"))
        named = [name for name in lab.store.objects.list(f"runs/{newest}") if name.startswith("events")]
        found = b"".join(lab.store.objects.read(f"runs/{newest}/{name}") for name in named)
    finally:
        gate.touch()
        thread.join()
    outputs = {record.output for record in all_records(lab) if record.action["kind"] == "toy.sum"}
    assert outputs and all(output.encode() in found for output in outputs)


def test_what_a_colleague_finds_or_pushes_again_survives_in_the_shared_store(lab, s3):
    def collect():
        time.sleep(3.1)  # S3 tells time by the second
        return Collector(open_objects(s3.url), s3.url, 0.0, 2.0).collect()

    first = Person(lab, "ann", s3.url, trust="any")
    given = first.run(CHAIN).outputs
    assert collect().condemned > 10
    second = Person(lab, "bob", s3.url, trust="any")
    assert second.run(CHAIN).outputs == given and second.tier.failure == "" and lab.executed == {}
    third = Person(lab, "cat", s3.url)  # believes nobody, so pushes all of it under her own name
    assert third.run(CHAIN).outputs == given and lab.executed != {}
    collect()
    fourth = Person(lab, "dan", s3.url, trust="any")
    assert fourth.run(CHAIN).outputs == given and lab.executed == {}
    read(fourth.store, fourth.run(CHAIN).digest)
    assert collect().condemned > 10 and collect().deleted > 10
    assert not list(open_objects(s3.url).walk("cas"))


def test_what_others_may_be_using_has_an_hour_at_least(lab, s3, capsys):
    Person(lab, "ann", s3.url).run(CHAIN)
    assert main(["gc", "--store", s3.url, "--grace", "0.1"]) == 2
    assert "expected 1 or more" in capsys.readouterr().err
    assert main(["gc", "--store", s3.url, "--grace", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["condemned"] == 0
    assert main(["verify", "--store", s3.url]) == 0


def test_gc_beside_runs_loses_nothing(tmp_path):
    assert "all whole" in trial(tmp_path, str(tmp_path / "store"), 5)


def test_gc_beside_runs_on_s3_loses_nothing(tmp_path, s3_server, monkeypatch):
    bucket = f"gc-{os.urandom(4).hex()}"
    services.make_bucket(s3_server, bucket)
    for name, value in services.s3_environment(s3_server).items():
        monkeypatch.setenv(name, value)
    assert "all whole" in trial(tmp_path, f"s3://{bucket}/cache", 5, GRACE_S3_S)
