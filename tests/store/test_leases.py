"""Leases: one holder at a time, taken over from who is gone, and no wait without end whatever others write."""

from __future__ import annotations

import getpass
import time

import msgspec
import pytest

from store.leases import ENDED, WHO, Holder, Leases
from store.numbered import Numbered
from store.objects import LocalObjects
from tests.waiting import wait_for

KEY = "a" * 64
STALE_S, BEAT_S = 0.6, 0.1


@pytest.fixture
def objects(tmp_path):
    return LocalObjects(tmp_path)


@pytest.fixture
def people(objects):
    made = [Leases(objects, "", STALE_S, BEAT_S) for _ in range(2)]
    yield made
    for one in made:
        one.close()


def test_the_second_waits_until_the_first_lets_go(people):
    ann, ben = people
    assert ann.acquire(KEY) == (None, True)
    assert ben.acquire(KEY)[0] == ben.holder(KEY) == ann.own
    assert ann.holder(KEY) is None and ann.acquire(KEY) == (None, False)  # her own
    ann.release(KEY)
    assert ben.holder(KEY) is None and ben.acquire(KEY) == (None, False)
    wait_for(lambda: ann.acquire(KEY)[0] == ben.own)


def test_who_beats_keeps_it_and_who_is_gone_loses_it(people):
    ann, ben = people
    ann.acquire(KEY)
    time.sleep(2 * STALE_S)
    assert ben.acquire(KEY)[0] == ann.own
    ann._is_over.set()  # killed: no last beat
    wait_for(lambda: ben.acquire(KEY)[0] is None)
    ann.release(KEY)  # stopped and continued: what was taken over stays ben's
    assert ben.acquire(KEY) == (None, False) and ann.holder(KEY) == ben.own


def test_who_ends_loses_all_at_once(people):
    ann, ben = people
    ann.acquire(KEY)
    ann.close()
    assert ben.acquire(KEY) == (None, False)


def test_what_is_being_let_go_of_is_taken_again_without_a_wait(people, monkeypatch):
    ann, _ = people
    ann.acquire(KEY)
    held = dict(ann._held)
    create_at = Numbered.create_at

    def slow(self, folder, n, payload):
        if payload == msgspec.json.encode(Holder("")):
            assert ann.acquire(KEY) == (None, False)  # meanwhile, by another thread
        return create_at(self, folder, n, payload)

    monkeypatch.setattr(Numbered, "create_at", slow)
    ann.release(KEY)
    monkeypatch.undo()
    assert ann._held[KEY] == held[KEY] + 1 and ann.acquire(KEY) == (None, False)


@pytest.mark.parametrize("n", [10**17, 10**18 - 1])
def test_numbers_that_somebody_used_up_end_no_loop(people, objects, n):
    Numbered(objects, "leases").create_at(KEY, n, b"{}")
    for leases in people:
        assert leases.acquire(KEY)[0] is None or n < 10**18 - 1


def test_what_is_no_holder_has_nothing(people, objects):
    ann, ben = people
    numbered = Numbered(objects, "leases")
    ann.acquire(KEY)
    for holder in (Holder("../../../etc/hostname"), Holder("x" * 16), Holder("0" * 16)):
        numbered.create_at(KEY, numbered.highest(KEY) + 1, msgspec.json.encode(holder))
        assert ben.holder(KEY) is None
    objects.write("leases/holders/" + "0" * 16, bytes(1000))
    assert ben.holder(KEY) is None
    shown = Holder(ann.own.id, "eve\x1b[2J\n" * 1000)
    numbered.create_at(KEY, numbered.highest(KEY) + 1, msgspec.json.encode(shown))
    assert ben.holder(KEY).who.isprintable() and len(ben.holder(KEY).who) == WHO


def test_the_last_beat_says_that_it_ended(people, objects):
    ann, _ = people
    ann.acquire(KEY)
    ann.close()
    time.sleep(3 * BEAT_S)
    assert objects.read(f"leases/holders/{ann.own.id}") == ENDED


def test_a_user_without_a_name_has_leases(objects, monkeypatch):
    def nobody():
        raise KeyError("getpwuid(): uid not found: 1000")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert "@" in Leases(objects, "").own.who
