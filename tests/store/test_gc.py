"""Garbage collection: what is reached stays, what is not goes, whoever is killed and whoever writes beside it."""

from __future__ import annotations

import time

import numpy as np
import pytest

from store.collection import Collection
from store.errors import StoreError
from store.open import Store
from store.records import Record
from tests.store.yard import DAY, HOUR, NEW, OLD, Numbers, write_run


def test_what_no_root_reaches_goes_in_two_steps(anywhere):
    lab = anywhere
    kept, lost = lab.put(0), lab.put(5000)
    lab.record("a", lost)
    lab.store.refs.move("pool", kept)
    lab.age(2 * HOUR)
    tally = lab.gc()
    assert (tally.condemned, tally.deleted) == (3, 0) and lab.is_whole(kept, lost)  # a record, a manifest, a blob
    assert lab.gc().condemned == 0 and lab.is_whole(lost)
    lab.age(2 * HOUR)
    tally = lab.gc()
    assert (tally.condemned, tally.deleted, tally.pending) == (0, 3, 0) and tally.freed > 0
    assert lab.is_whole(kept) and lab.is_gone(lost) and lab.store.records.find("a" * 64) is None
    assert [name for name in lab.objects.list("condemned") if not name.endswith(".swept")] == []
    lab.gc_fully()
    assert lab.is_whole(kept) and len(lab.objects.list("condemned")) == 1


def test_everything_that_a_root_reaches_stays(lab):
    inner = [lab.put(n * 5000) for n in range(3)]
    outer = lab.collection(lab.collection(inner[0]), inner[1])
    split = lab.store.put(Collection(Numbers, {f"e{n}": Numbers([n]) for n in range(4200)}))
    lab.store.refs.move("outer", outer)
    lab.store.refs.move("pins/split", split)
    lab.gc_fully()
    assert lab.is_whole(outer, split) and lab.is_gone(inner[2])
    lab.store.refs.move("outer", lab.put(0))
    lab.gc_fully()
    assert lab.is_gone(outer) and lab.is_gone(inner[1]) and lab.is_whole(inner[0], split)


def test_artifacts_thousands_deep_are_followed_and_deleted_from_the_top(lab):
    top = lab.put(0)
    for _ in range(3000):
        top = lab.collection(top)
    lab.store.refs.move("top", top)
    lab.gc_fully()
    assert lab.is_whole(top)
    lab.store.refs.move("top", lab.put(5000))
    lab.gc_fully()
    assert len(lab.content()) == 2


def test_young_things_and_records_within_keep_stay_with_source_and_log(lab):
    source, log = lab.put(10_000), lab.store.blobs.put(b"words")
    output = lab.put(0)
    lab.record("a", output, s=source, log=(log, 5))
    lost = lab.put(5000)
    lab.gc_fully(keep_s=DAY)
    assert lab.is_whole(output, source) and lab.store.blobs.get(log, 5) == b"words" and lab.is_gone(lost)
    young = lab.put(5000)
    lab.gc(keep_s=DAY)
    assert lab.is_whole(young)
    lab.gc_fully()
    assert lab.content() == set()


def test_a_record_stays_while_its_output_does_and_its_log_with_it(lab):
    output, log = lab.put(0), lab.store.blobs.put(b"words")
    lab.record("a", output, log=(log, 5))
    lab.store.refs.move("it", output)
    lab.gc_fully()
    assert lab.store.records.find("a" * 64) is not None and lab.store.blobs.get(log, 5) == b"words"


def test_runs_within_keep_hold_what_they_gave_ended_or_not(lab):
    ended, killed, lost = lab.put(0), lab.put(5000), lab.put(10_000)
    write_run(lab, OLD, ended=lab.collection(ended))
    write_run(lab, NEW, node=killed)
    lab.gc_fully(keep_s=DAY)
    assert lab.is_whole(ended, killed) and lab.is_gone(lost)
    lab.gc_fully()
    assert lab.content() == set() and lab.objects.list("runs") == []


def test_the_run_of_a_ref_stays_however_old(lab):
    result = lab.put(0)
    write_run(lab, OLD, ended=result)
    write_run(lab, NEW, ended=lab.put(5000))
    lab.store.refs.move("x", result)
    lab.gc_fully()
    assert lab.objects.list("runs") == [OLD]


def test_a_run_that_goes_on_holds_what_it_found_and_all_records_since_it_began(lab):
    found = lab.put(0)
    lab.age(10 * HOUR)
    write_run(lab, NEW, node=found)
    made = lab.put(5000)
    lab.record("a", made)
    lost = lab.put(10_000)
    for n in range(2, 6):  # five times the grace, with an event now and then
        lab.age(HOUR * 0.9)
        lab.objects.create(f"runs/{NEW}/events-00000{n}.jsonl", b"{}")
        lab.gc()
    assert lab.is_whole(found, made) and lab.is_gone(lost)
    lab.gc_fully()
    assert lab.content() == set()


def test_a_writer_that_meets_the_condemned_writes_again_and_all_of_it_survives(anywhere):
    lab = anywhere
    first = lab.put(0)
    lab.record("a", first)
    lab.age(2 * HOUR)
    assert lab.gc().condemned == 3
    writer = Store(lab.objects, "the store")
    assert writer.put(Numbers(np.arange(1000))) == first
    lab.age(HOUR * 0.9)
    assert writer.commit(Record("b" * 64, first, 1, "numbers/1", {"kind": "k"}, {})).output == first
    lab.age(HOUR * 0.9)
    lab.gc()
    assert lab.is_whole(first) and lab.store.records.find("b" * 64).output == first
    assert lab.store.records.find("a" * 64) is None or lab.is_whole(first)
    lab.check()


def test_a_hit_on_the_condemned_survives(anywhere):
    lab = anywhere
    first = lab.put(0)
    key = lab.record("a", first)
    lab.age(2 * HOUR)
    assert lab.gc().condemned == 3
    lab.age(HOUR * 0.9)
    assert Store(lab.objects, "the store").records.use(key).output == first
    lab.age(HOUR * 0.9)
    assert lab.gc().deleted == 0 and lab.is_whole(first)


def test_what_was_kept_from_one_list_is_kept_from_the_next_too(lab):
    key = lab.record("a", first := lab.put(0))
    user = Store(lab.objects, "the store")
    for n in range(4):
        lab.age(2 * HOUR)
        lab.gc()
        time.sleep(0.6)  # a user's view may be half a second old
        assert user.records.use(key).output == first
        lab.put(5000 * n)  # so there always is a list
    assert lab.is_whole(first)


def test_a_ref_moved_to_the_condemned_saves_it(anywhere):
    lab = anywhere
    first = lab.put(0)
    lab.age(2 * HOUR)
    lab.gc()
    lab.age(2 * HOUR)
    Store(lab.objects, "the store").refs.move("pins/late", first)
    lab.gc()
    assert lab.is_whole(first)


def test_what_was_found_before_it_was_condemned_is_kept_at_the_record(lab):
    first = lab.put(0)
    lab.age(2 * HOUR)
    writer = Store(lab.objects, "the store")
    writer.put(Numbers(np.arange(1000)))  # finds it, and does not write
    lab.gc()
    writer.commit(Record("a" * 64, first, 1, "numbers/1", {"kind": "k"}, {}))
    lab.age(1.5 * HOUR)
    lab.gc()
    assert lab.is_whole(first)


def test_a_record_of_what_was_swept_unseen_is_refused_until_it_is_put_again(lab):
    first = lab.put(0)
    lab.age(2 * HOUR)
    writer = Store(lab.objects, "the store")
    writer.put(Numbers(np.arange(1000)))
    lab.gc()
    lab.age(2 * HOUR)
    lab.gc()
    record = Record("a" * 64, first, 1, "numbers/1", {"kind": "k"}, {})
    with pytest.raises(StoreError, match=r"object .* is not in this store"):
        writer.commit(record)
    writer.put(Numbers(np.arange(1000)))
    writer.commit(record)
    lab.check()
