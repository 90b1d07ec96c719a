"""Shared stores that fail, lie, or were written by others: the run goes on, nothing wrong is taken, a line says so."""

from __future__ import annotations

import signal
import threading
import time

import msgspec
import pytest

from graph.cli import main
from graph.commands.run import tell_traffic
from store.places import open_objects
from tests.graph.people import Person

ALL = {"list": 1, "scale": 3, "sum": 1, "step": 2, "report": 1}


@pytest.fixture
def ann(lab, s3):
    return Person(lab, "ann", s3.url)


@pytest.fixture
def ben(lab, s3, ann):
    ben = Person(lab, "ben", s3.url)
    ben.trust(ann)
    return ben


def objects(s3, prefix):
    """The names in the bucket below a prefix."""
    return sorted(found.name for found in open_objects(s3.url).walk(prefix))


def lines(person, result):
    return tell_traffic(person.used, result)


def flip(data):
    return data[:-1] + bytes([data[-1] ^ 1])


DAMAGE = {
    "bit flip": lambda bucket, name: bucket.write(name, flip(bucket.read(name))),
    "truncated": lambda bucket, name: bucket.write(name, bucket.read(name)[:-1]),
    "emptied": lambda bucket, name: bucket.write(name, b""),
    "missing": lambda bucket, name: bucket.delete(name),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("what", ["manifests", "cas"])
@pytest.mark.parametrize("is_packed", [True, False])
def test_damaged_bytes_are_made_again_and_never_taken(lab, s3, ann, ben, what, damage, is_packed, big_loop):
    made = ann.run(big_loop)
    bucket = open_objects(s3.url)
    for name in objects(s3, what):
        DAMAGE[damage](bucket, name)
    if not is_packed:
        for name in objects(s3, "packs"):
            bucket.delete(name)
    assert ben.run(big_loop).digest == made.digest
    edited = ben.run(big_loop, "nodes.scaled.params.factor=3")  # its inputs have to be there, whole
    assert edited.digest == ann.run(big_loop, "nodes.scaled.params.factor=3").digest


def test_swapped_blobs_are_told_apart_by_their_digests(lab, s3, ann, ben, big_loop):
    made = ann.run(big_loop)
    bucket, (first, second, *_) = open_objects(s3.url), objects(s3, "cas")
    ones, others = bucket.read(first), bucket.read(second)
    bucket.write(first, others)
    bucket.write(second, ones)
    edited = ben.run(big_loop, "nodes.scaled.params.factor=3")
    assert edited.digest == ann.run(big_loop, "nodes.scaled.params.factor=3").digest != made.digest


@pytest.mark.parametrize("damage", ["bit flip", "truncated", "emptied", "missing"])
def test_damaged_records_are_misses(lab, s3, ann, ben, loop, damage):
    made = ann.run(loop)
    bucket = open_objects(s3.url)
    for name in [*objects(s3, "actions"), *objects(s3, "packs")]:
        DAMAGE[damage](bucket, name)
    assert ben.run(loop).digest == made.digest and lab.executed == ALL


def test_a_record_moved_to_another_action_is_forged(lab, s3, ann, ben, loop):
    ann.run(loop)
    bucket = open_objects(s3.url)
    records = {name: bucket.read(name) for name in objects(s3, "actions")}
    for (name, _), data in zip(records.items(), [*records.values()][1:] + [*records.values()][:1]):
        bucket.write(name, data)
    for name in objects(s3, "packs"):
        bucket.delete(name)
    result = ben.run(loop)
    assert lab.executed == ALL
    assert any("forged" in line for line in lines(ben, result))


def test_a_record_replayed_at_a_higher_number_is_forged_and_the_one_below_holds(lab, s3, ann, ben, loop):
    made = ann.run(loop)
    bucket = open_objects(s3.url)
    for name in objects(s3, "actions"):
        bucket.write(name.rpartition("/")[0] + "/2", bucket.read(name))
    for name in objects(s3, "packs"):
        bucket.delete(name)
    assert ben.run(loop).digest == made.digest and lab.executed == {}


def test_what_another_signs_in_ones_folder_is_not_hers(lab, s3, ann, ben, loop):
    ann.run(loop)
    eve = Person(lab, "eve", s3.url)
    bucket = open_objects(s3.url)
    for name in [*objects(s3, "actions"), *objects(s3, "packs")]:
        data = bucket.read(name)
        bucket.delete(name)
        if name.startswith("actions"):
            body = data.split(b"\n", 2)[2]
            record = msgspec.json.decode(body)
            record["output"] = "0" * 64
            from store.numbered import seal

            bucket.write(name, seal(eve.keyring.sign(name, msgspec.json.encode(record))))
    ben.run(loop)
    assert lab.executed == ALL


def test_a_store_that_cannot_be_written_is_read(lab, s3, ann, ben, loop):
    made = ann.run(loop)
    s3.harm = lambda method, path, n: 403 if method in ("PUT", "POST") else None
    result = ben.run(loop, "nodes.scaled.params.factor=3")
    assert lab.executed == {name: n for name, n in ALL.items() if name != "list"} and result.digest != made.digest
    assert not ben.tier.failure


@pytest.mark.parametrize("status", [500, 503])
def test_a_store_that_fails_is_left_alone_with_one_line(lab, s3, ann, ben, loop, status):
    made = ann.run(loop)
    s3.harm = lambda method, path, n: status
    result = ben.run(loop)
    assert result.digest == made.digest and lab.executed == ALL
    assert [line.partition(": ")[0] for line in lines(ben, result)] == [f"went on without {s3.url}"]


def test_a_store_that_fails_in_the_middle_loses_nothing(lab, s3, ann, ben, loop):
    s3.harm = lambda method, path, n: 500 if n > 25 else None
    made = ann.run(loop)
    assert lab.executed == ALL and ann.tier.failure
    s3.harm = lambda method, path, n: None
    assert ben.run(loop).digest == made.digest
    for name in objects(s3, "manifests"):  # a manifest that is there has all its bytes
        assert ben.store.tiers.all[0].manifests.read(name.rpartition("/")[2])


def test_connections_cut_in_mid_upload_are_made_good(lab, s3, ann, ben, big_loop):
    cut = iter(range(10**6))
    s3.harm = lambda method, path, n: "cut" if method == "PUT" and next(cut) % 5 == 0 else None
    made = ann.run(big_loop)
    s3.harm = lambda method, path, n: None
    assert not ann.tier.failure and ben.run(big_loop).digest == made.digest and lab.executed == {}


def test_a_store_that_gives_a_name_twice_works_without_leases_and_says_so(lab, s3, ann, ben, loop):
    s3.dropped_headers.add("if-none-match")
    made = ann.run(loop)
    assert [line for line in lines(ann, made) if "a name can be given twice there" in line]
    assert objects(s3, "leases") == []
    assert ben.run(loop).digest == made.digest and lab.executed == {}


def test_a_newer_store_is_left_alone_with_one_line(lab, s3, ann, loop):
    open_objects(s3.url).write("format", b"dataflow store 2\n")
    result = ann.run(loop)
    (line,) = lines(ann, result)
    assert "is marked 'dataflow store 2', expected 'dataflow store 1'" in line


def test_a_newer_local_store_is_refused_in_one_line(lab, loop, capsys):
    lab.run(loop)
    (lab.store.objects.root / "format").write_bytes(b"dataflow store 2\n")
    assert main(["ls"]) == 2
    assert "another version wrote it" in capsys.readouterr().err


def test_offline_asks_nothing(lab, s3, ann, ben, loop):
    ann.run(loop)
    s3.forget()
    from graph.run import run
    from store.open import open_store

    store = open_store(str(ben.folder / "store"), [], ben.keyring)
    run(lab.load(loop), store, [])
    assert s3.n == 0


def test_a_run_that_finds_all_here_asks_nothing(lab, s3, ann, loop):
    ann.run(loop)
    s3.forget()
    result = ann.run(loop)
    assert result.computed == 0 and s3.n == 0


def test_clocks_that_differ_by_hours_do_no_harm(lab, s3, ann, ben, loop, monkeypatch):
    import time

    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 7200)
    made = ann.run(loop)
    monkeypatch.setattr(time, "time", lambda: real() + 7200)
    assert ben.run(loop).digest == made.digest and lab.executed == {}


def test_a_disk_that_is_full_while_something_is_kept_is_one_line(lab, s3, ann, ben, loop, monkeypatch):
    made = ann.run(loop)
    (ben.folder / "store").mkdir()
    import errno

    from store.objects import LocalObjects

    def full(self, name, data):
        raise OSError(errno.ENOSPC, "No space left on device", name)

    monkeypatch.setattr(LocalObjects, "create", full)
    with pytest.raises(OSError, match="No space left on device"):
        ben.run(loop)
    monkeypatch.undo()
    assert made.digest


@pytest.mark.parametrize("harmed", [{"PUT"}, {"GET"}])
def test_ctrl_c_ends_at_once_while_a_store_does_not_answer(lab, s3, loop, harmed):
    config = lab.folder / "config" / "dataflow"
    config.mkdir(parents=True)
    (config / "config.toml").write_text(f'[store]\nshared = ["{s3.url}"]\n')
    main(["keys", "new"])
    is_hung = threading.Event()

    def hang(method, path, n):
        if n > 12 and method in harmed:
            is_hung.set()
            return "slow"
        return None

    s3.harm, s3.slow_s = hang, 30.0
    process = lab.start("run", lab.write(loop))
    assert is_hung.wait(30)
    time.sleep(0.5)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and time.monotonic() - began < 7
    assert said.endswith("interrupted: what was committed stays, run again to go on\n") and "Traceback" not in said
