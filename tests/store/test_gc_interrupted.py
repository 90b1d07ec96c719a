"""Collecting that is cut off, forbidden, or beside what is not ours: nothing that is reached is lost."""

from __future__ import annotations

import os
import time

import pytest

from store.bucket import Bucket
from store.errors import Damaged, Unacceptable
from store.gc import Collector
from store.numbered import seal
from store.objects import LocalObjects
from store.places import mark_format
from tests.store.yard import HOUR, OLD, Lab, pack, write_run


def build(lab) -> tuple[set[str], set[str]]:
    """Fill a store; return what must stay, and the content that does."""
    for n in range(3):
        one, two = lab.put(n * 10_000), lab.put(n * 10_000 + 5000)
        lab.record(str(n), one)
        lab.record(chr(ord("a") + n), lab.collection(lab.collection(two), one))
    kept = lab.collection(lab.put(0), lab.put(15_000))
    lab.store.refs.move("x", kept)
    write_run(lab, OLD, ended=lab.put(5000))
    return {kept}, set()


def test_gc_killed_at_any_step_loses_nothing_and_the_next_ends_it(tmp_path):
    reference = Lab(LocalObjects(tmp_path / "reference"))
    build(reference)
    reference.gc_fully()
    expected = reference.content()
    for phase in ("condemn", "sweep"):
        k = 0
        while True:
            k += 1
            lab = Lab(LocalObjects(tmp_path / f"{phase}{k}"))
            kept, _ = build(lab)
            lab.age(2 * HOUR)
            if phase == "sweep":
                lab.gc()
                lab.age(2 * HOUR)
            lab.objects.n, lab.objects.dies_at = 0, k
            try:
                lab.gc()
                break
            except KeyboardInterrupt:
                lab.objects.dies_at = None
            lab.check()
            lab.gc_fully()
            lab.gc_fully()
            assert lab.content() == expected and lab.is_whole(*kept), (phase, k)
        assert k > 25


def test_a_writer_killed_at_any_step_leaves_nothing_once_it_is_old(tmp_path):
    k = 0
    while True:
        k += 1
        lab = Lab(LocalObjects(tmp_path / str(k)))
        lab.objects.n, lab.objects.dies_at = 0, k
        try:
            lab.record("a", lab.collection(lab.put(0), lab.put(5000)))
            break
        except KeyboardInterrupt:
            lab.objects.dies_at = None
        lab.check()
        lab.gc_fully()
        assert lab.content() == set(), k
    assert k > 8


def test_what_is_not_ours_is_counted_and_left(anywhere):
    lab = anywhere
    name = "ab" + "0" * 62
    theirs = ["cas/readme", f"cas/AB/{name.upper()}", f"cas/ac/{name}", f"cas/ab/{name}.gz", f"cas/ab/{name[:-1]}",
              f"manifests/ab/{name}.json", "refs/-x/1", "actions/ab/notes", "runs/mine/root.json", "cas/ab/deep/x",
              f"actions/ab/{name}/local/01", "elsewhere/x", "condemned/people", "tmp/mine"]  # fmt: skip
    for one in theirs:
        lab.objects.objects.write(one, b"theirs")
    lab.gc_fully()
    assert lab.gc().foreign == len(theirs) - 1  # `elsewhere` is not even listed
    assert all(lab.objects.objects.read(one) == b"theirs" for one in theirs)


def test_neighbours_of_a_prefix_are_out_of_reach(s3):
    ours, theirs = Lab(Bucket(s3.url)), Lab(Bucket(f"{s3.url}2"))
    lost = theirs.put(0)
    ours.put(0)
    ours.gc_fully()
    assert ours.content() == set() and theirs.is_whole(lost)


@pytest.mark.parametrize("text", [None, b"dataflow store 2\n", b"something else"])
def test_a_place_that_is_not_marked_as_a_store_is_refused(lab, text):
    lab.put(0)
    lab.objects.delete("format")
    if text is not None:
        lab.objects.write("format", text)
    with pytest.raises(Unacceptable, match="the store: "):
        lab.gc()


@pytest.mark.parametrize("ahead", [-7 * HOUR, 7 * HOUR])
def test_only_the_clock_of_the_store_counts(lab, ahead):
    lab.objects.ahead = ahead
    lost = lab.put(0)
    lab.age(HOUR * 0.9)
    assert lab.gc().condemned == 0
    lab.age(HOUR * 0.2)
    assert lab.gc().condemned == 2
    lab.age(HOUR * 0.9)
    assert lab.gc().deleted == 0
    lab.age(HOUR * 0.2)
    assert lab.gc().deleted == 2 and lab.is_gone(lost)


def test_a_store_that_cannot_be_written_is_refused_in_one_line(lab):
    lab.objects.forbidden = "condemned"
    with pytest.raises(Unacceptable, match="read-only") as caught:
        lab.gc()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("forbidden", ["actions", "manifests", "cas"])
def test_a_deletion_that_is_forbidden_leaves_nothing_half_done(lab, forbidden):
    build(lab)
    lab.age(2 * HOUR)
    lab.gc()
    lab.age(2 * HOUR)
    lab.objects.forbidden = forbidden
    with pytest.raises(PermissionError):
        lab.gc()
    lab.check()
    lab.objects.forbidden = ""
    assert lab.gc().deleted > 0
    lab.check()


def test_a_damaged_manifest_that_is_reached_stops_gc(lab, tmp_path):
    kept = lab.collection(lab.put(0))
    lab.store.refs.move("x", kept)
    (tmp_path / "manifests" / kept[:2] / kept).write_bytes(b"?")
    lab.age(2 * HOUR)
    with pytest.raises(Damaged, match="dataflow verify"):
        lab.gc()


def test_a_withdrawal_outlives_what_it_withdraws(lab):
    output = lab.put(0)
    key = lab.record("a", output)
    lab.objects.create(f"actions/aa/{key}/local/2", seal(b'{"withdrawn": true}'))
    lab.store.refs.move("x", output)
    lab.gc_fully()
    assert sorted(lab.objects.list(f"actions/aa/{key}/local")) == ["1", "2"]
    lab.store.refs.move("x", lab.put(5000))
    lab.gc_fully()
    assert lab.objects.list(f"actions/aa/{key}/local") == []


def test_old_packs_go_and_those_that_lead_to_what_goes(lab):
    kept, lost = lab.put(0), lab.put(5000)
    lab.store.refs.move("x", kept)
    for n in range(1, 11):
        pack(lab, n, f"manifests/{kept[:2]}/{kept}")
    pack(lab, 1, f"manifests/{lost[:2]}/{lost}", experiment="y")
    lab.gc_fully()
    assert sorted(map(int, lab.objects.list("packs/x"))) == list(range(3, 11)) and lab.objects.list("packs/y") == []


def test_leases_go_with_their_holder_and_leftovers_with_age(lab):
    key = "0" * 64
    for holder in ("dead", "alive"):
        lab.objects.write(f"leases/holders/{holder}-1", b"")
        lab.objects.create(f"leases/{key if holder == 'dead' else 'f' * 64}/1", seal(f"{holder}-1".encode()))
    lab.objects.write("tmp/1-0123456789abcdef-1", b"")
    lab.age(2 * HOUR)
    lab.objects.write("leases/holders/alive-1", b"")
    lab.gc()
    assert sorted(lab.objects.list("leases")) == ["f" * 64, "holders"]
    assert lab.objects.list("leases/holders") == ["alive-1"] and lab.objects.list("tmp") == []


def test_scratch_and_locks_that_nobody_holds_go(tmp_path):
    import fcntl

    objects = LocalObjects(tmp_path)
    mark_format(objects)
    done, held, young = "1" * 64, "2" * 64, "3" * 64
    for key in (done, held, young):
        objects.write(f"scratch/{key}/a/b", b"x")
        objects.write(f"actions/{key[:2]}/{key}/local/1", b"torn")
    objects.write(f"locks/{held}", b"")
    objects.write(f"locks/{'4' * 64}", b"")
    old = time.time() - 2 * HOUR
    for path in [*tmp_path.glob("locks/*"), *tmp_path.glob("scratch/*"), *tmp_path.glob("scratch/*/**/*")]:
        if young not in str(path):
            os.utime(path, (old, old))
    with open(tmp_path / "locks" / held) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        Collector(objects, "here", 0.0, HOUR).collect()
    assert sorted(objects.list("scratch")) == [held, young] and objects.list("locks") == [held]
