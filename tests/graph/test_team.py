"""People who share a store: what one has made the other finds, believes or not, and need not make again."""

from __future__ import annotations

import threading

import pytest

from graph.lookup import Lookup
from graph.rounds import unroll
from graph.run import run
from store.errors import Unreachable
from store.leases import Leases
from store.metered import Metered
from store.open import open_store
from store.places import open_objects
from store.shared import SharedStore
from store.trust import Keyring
from tests.graph.people import Person

CONE = {"scale": 3, "sum": 1, "step": 2, "report": 1}


@pytest.fixture(params=["s3", "azure", "memory", "folder"])
def url(request, tmp_path):
    if request.param == "folder":
        return str(tmp_path / "team" / "cache")
    return (
        f"memory://{tmp_path.name}/cache" if request.param == "memory" else request.getfixturevalue(request.param).url
    )


@pytest.fixture
def ann(lab, url):
    return Person(lab, "ann", url)


@pytest.fixture
def ben(lab, url, ann):
    ben = Person(lab, "ben", url)
    ben.trust(ann)
    return ben


def elements(lab, person, text):
    """The calls of the map, after a run."""
    store = open_store(str(person.folder / "alone"))
    outputs = run(lab.load(text), store, []).outputs
    lab.forget()
    lookup = Lookup(lab.load(text), store, unroll(lab.load(text)))
    for label, output in outputs.items():
        lookup.learn(label, output)
    return list(lookup.work(lookup.instances["scaled"]).calls())


def test_what_one_has_made_the_other_finds(lab, ann, ben, loop):
    made = ann.run(loop)
    assert made.computed == 8 and not ann.tier.failure
    found = ben.run(loop)
    assert found.digest == made.digest and lab.executed == {} and found.computed == 0
    again = ben.run(loop)
    assert again.digest == made.digest and again.computed == 0


def test_an_edit_runs_its_cone_alone_on_what_the_other_has_made(lab, ann, ben, loop):
    ann.run(loop)
    edit = "nodes.scaled.params.factor=3"
    made = ben.run(loop, edit)
    assert lab.executed == CONE
    ann.trust(ben)
    assert ann.run(loop, edit).digest == made.digest and lab.executed == {}


def test_who_is_not_trusted_is_a_miss_that_says_so(lab, ann, url, loop):
    made = ann.run(loop)
    eve = Person(lab, "eve", url)
    assert eve.run(loop).digest == made.digest and lab.executed["scale"] == 3
    assert {ann.keyring.own[:8] in why and url in why for why in eve.used.tiers.refused.values()} == {True}
    only = Person(lab, "only", url, trust="own")
    only.trust(ann)
    only.run(loop)
    assert lab.executed["scale"] == 3
    open_to_all = Person(lab, "open", url, trust="any")
    open_to_all.run(loop)
    assert lab.executed == {}


def test_trust_that_ends_ends_for_what_was_pulled_too(lab, ann, ben, loop):
    ann.run(loop)
    ben.run(loop)
    ben.keyring.revoke("ann")
    ben.run(loop)
    assert lab.executed["scale"] == 3


def test_what_is_not_whole_here_is_told_and_made_by_others(lab, ann, ben, big_loop):
    big_loop = big_loop.replace("size = 5000", "size = 5000, first = 1")
    alone = open_store(str(ann.folder / "store"))  # nothing is passed on
    apart = "nodes.scaled.params.factor=10"  # no number of the list is one of the map
    made = run(lab.load(big_loop, apart), alone, [])
    for scaled in alone.reader(made.outputs["scaled"]).artifacts().values():
        for entry in alone.manifests.get(scaled).entries:
            if entry.kind == "blob":
                alone.objects.delete(f"cas/{entry.digest[:2]}/{entry.digest}.zst")
                alone.objects.write(f"cas/{entry.digest[:2]}/{entry.digest}", b"torn")
    wider = big_loop.replace("size = 5000", "size = 5000, count = 4")
    result = ann.run(wider, apart, until="scaled")  # nothing that runs reads what is torn
    assert lab.executed == {"list": 1, "scale": 1} and "is damaged" in result.unsent["scaled"]
    assert ben.run(wider, apart, until="scaled").digest == result.digest and lab.executed == {"scale": 3}


def test_two_stores_of_which_the_first_is_only_read(lab, ann, ben, url, big_loop, tmp_path):
    made = ann.run(big_loop)
    other = SharedStore(str(tmp_path / "second"))
    ben.keyring = Keyring.load(ben.folder / "keys")

    def run_both(text, *settings):
        shared = [SharedStore(url, push=False), other]
        store = open_store(str(ben.folder / "store"), shared, ben.keyring)
        lab.forget()
        result = run(lab.load(text, *settings), store, list(settings))
        assert not [tier.failure for tier in store.tiers.all if tier.failure] and not result.unsent
        return result

    assert run_both(big_loop).digest == made.digest and lab.executed == {}
    wider = big_loop.replace("size = 5000", "size = 5000, count = 4")  # a map of what the first has, and one more
    wide = run_both(wider)
    assert lab.executed["scale"] == 1
    cora = Person(lab, "cora", other.url)
    cora.trust(ben)
    assert cora.run(wider).digest == wide.digest and lab.executed.get("scale", 0) == 0


@pytest.mark.parametrize("n", range(0, 120, 4))
def test_a_store_that_fails_at_any_time_executes_nothing_twice(lab, loop, tmp_path, monkeypatch, n):
    url = str(tmp_path / "team")
    ann, ben = Person(lab, "ann", url), Person(lab, "ben", url)
    ann.trust(ben)
    made = ben.run(loop, until="data")
    held, ready = elements(lab, ben, loop)[:2]
    count, operations = Metered._count, iter(range(10**6))

    def fail(self, *counted, **more):
        if more.get("requests") != 0 and next(operations) >= n:
            raise Unreachable("store: gone")
        count(self, *counted, **more)

    leases = Leases(open_objects(url), ben.keyring.own, stale_s=1.0, beat_s=0.1)
    assert leases.acquire(held.key)[0] is None  # somebody is at this one
    assert leases.acquire(ready.key)[0] is None  # and was at this one
    leases.release(ready.key)
    monkeypatch.setattr(Metered, "_count", fail)
    threading.Timer(0.7, leases.close).start()
    assert ann.run(loop).outputs["data"] == made.outputs["data"]
    assert lab.executed in ({**CONE, "list": 1}, CONE)
