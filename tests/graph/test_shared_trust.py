"""Whom to believe where: policies of several stores, what is kept of them, packs that lie, and what terms keep here."""

from __future__ import annotations

import msgspec
import pytest

from graph.run import run
from store.numbered import Numbered
from store.open import open_store
from store.packs import PACK_BYTES, encode_pack
from store.places import open_objects
from store.shared import SharedStore
from store.trust import Keyring
from tests.graph.people import Person

MARKER = b"of others, of others"
NESTED = """
[experiment]
name = "deep/licensed"
[nodes.raw]
kind = "TOYS:scan"
[nodes.inside]
kind = "TOYS:wrap"
inputs = { scan = "raw" }
[nodes.count]
kind = "TOYS:measure"
inputs = { scan = "raw" }
"""


@pytest.fixture
def url(tmp_path):
    return str(tmp_path / "team")


@pytest.fixture
def ann(lab, url):
    return Person(lab, "ann", url)


class Reader:
    """Somebody without a key of her own in anybody's list, and her store; `run` says whom she believes where."""

    def __init__(self, lab) -> None:
        self.lab, self.folder = lab, lab.folder / "cora"
        self.keyring = Keyring.load(self.folder / "keys")
        self.keyring.new("cora")

    def run(self, text, *shared, is_offline=False):
        self.lab.forget()
        self.store = open_store(str(self.folder / "store"), shared, Keyring.load(self.folder / "keys"), is_offline)
        return run(self.lab.load(text), self.store, [])

    def refused(self):
        return sorted(set(self.store.tiers.refused.values()))


@pytest.fixture
def cora(lab):
    return Reader(lab)


def test_what_came_from_where_all_are_believed_is_believed_no_longer_than_that(lab, ann, cora, url, loop):
    ann.run(loop)
    believes, doubts = SharedStore(url, trust="any", push=False), SharedStore(url, push=False)
    assert cora.run(loop, believes).computed == 0
    for label, output in cora.run(loop, believes).outputs.items():
        assert cora.store.manifests.size(output), label  # here now
    assert cora.run(loop, believes, is_offline=True).computed == 0
    other = SharedStore(str(lab.folder / "other"), trust="own", push=False)
    assert cora.run(loop, other).computed == 8  # what is kept is no one's word that counts there
    assert cora.run(loop, doubts).computed == 0  # her own by now


def test_a_store_for_ones_own_takes_nothing_that_was_kept(lab, ann, cora, url, loop):
    ann.run(loop)
    cora.keyring.trust(ann.keyring.own, "ann")
    assert cora.run(loop, SharedStore(url, push=False)).computed == 0
    assert cora.run(loop, SharedStore(url, trust="own", push=False)).computed == 8


def test_who_is_refused_in_one_store_and_found_in_another_is_no_news(lab, ann, cora, url, loop):
    ann.run(loop)
    other = str(lab.folder / "other")
    eve = Person(lab, "eve", other)
    eve.run(loop)
    strict, open_to_all = SharedStore(other, push=False), SharedStore(url, trust="any", push=False)
    assert cora.run(loop, strict, open_to_all).computed == 0 and not cora.refused()


def test_of_two_signers_the_first_of_the_list_is_taken_and_then_stays(lab, ann, cora, url):
    text = """
[experiment]
name = "fickle"
[nodes.data]
kind = "TOYS:make_list"
[nodes.sum]
kind = "TOYS:count_runs"
inputs = { items = "data" }
"""
    eve = Person(lab, "eve", url)
    made = {}
    for n, person in enumerate((ann, eve)):
        lab.forget()
        lab.count_file.write_text("before\n" * n)
        made[person] = run(lab.load(text), person.store, [])
    assert made[ann].digest != made[eve].digest
    for person in (eve, ann):
        cora.keyring.trust(person.keyring.own, person.folder.name)
    shared = SharedStore(url, push=False)
    for _ in range(2):
        assert cora.run(text, shared).digest == made[eve].digest
    cora.keyring.revoke("eve")
    assert cora.run(text, shared).digest == made[ann].digest
    keys = cora.folder / "keys" / "keys.json"
    known = [one for one in msgspec.json.decode(keys.read_bytes()) if one["name"] != "ann"]
    keys.write_bytes(msgspec.json.encode(known))
    assert cora.run(text, shared).computed == 2
    assert any("revoked since" in line for line in cora.refused()) or any(
        "not in your" in line for line in cora.refused()
    )


def hostile(objects, bucket, eve, loop):
    """Packs by name, each written by somebody who is not trusted; the records and manifests themselves are right."""
    records = {found.name: bucket.read(found.name) for found in bucket.walk("actions")}
    manifests = {found.name: bucket.read(found.name) for found in bucket.walk("manifests")}
    theirs = {name.rsplit("/", 2)[0] + f"/{eve}/1": data for name, data in records.items()}
    yield "another's records", encode_pack(theirs)
    yield "torn records", encode_pack({name: data[:-1] for name, data in records.items()})
    yield "torn manifests", encode_pack({name: data[:-1] for name, data in manifests.items()})
    yield (
        "other names",
        encode_pack({"format": b"x", "refs/../x/1": b"", "actions/x": b"", "manifests/aa/" + "0" * 64: b""}),
    )
    yield "no pack", b"\0" * 100
    yield "much too large", encode_pack({"manifests/aa/" + "0" * 64: bytes(300 << 20)})


def test_a_pack_that_lies_hides_nothing(lab, ann, cora, url, loop):
    made = ann.run(loop)
    cora.keyring.trust(ann.keyring.own, "ann")
    bucket = open_objects(url)
    packs = Numbered(bucket, "packs", PACK_BYTES)
    for what, payload in hostile(None, bucket, "e" * 63 + "4", loop):
        packs.create("toy", payload)
        cora.folder = lab.folder / what.replace(" ", "-")
        (cora.folder).mkdir()
        (cora.folder / "keys").symlink_to(cora.keyring.folder)
        assert cora.run(loop, SharedStore(url, push=False)).digest == made.digest and lab.executed == {}, what
        edited = cora.run(
            loop.replace('"TOYS:scale"', '"TOYS:scale"\nparams = { factor = 3 }'), SharedStore(url, push=False)
        )
        assert edited.computed and "list" not in lab.executed, what


def test_packs_of_two_at_once_are_both_there(lab, ann, url, monkeypatch):
    ann.run('[experiment]\nname = "toy"\n[nodes.data]\nkind = "TOYS:make_list"\n')
    packed = ann.tier.objects
    highest = Numbered.highest
    monkeypatch.setattr(Numbered, "highest", lambda self, folder: highest(self, folder) - 1)  # as another saw it
    packed.add_pack("toy", {"manifests/aa/" + "0" * 64: b"mine"})
    assert len(open_objects(url).list("packs/toy")) == 2


def test_a_pack_takes_what_fits(tmp_path):
    many = {f"manifests/aa/{n:064x}": bytes([n]) * (20 << 20) for n in range(5)}
    assert len(encode_pack(many)) < PACK_BYTES


@pytest.mark.parametrize("passes", ["run", "push"])
def test_nothing_that_holds_licensed_bytes_leaves_by_any_way(lab, ann, url, passes):
    from graph.passing import push_wanted, targets
    from graph.wanted import find_wanted

    made = ann.run(NESTED)
    ann.run(NESTED, "nodes.count.params.times=3")  # it finds the rest here, and packs it
    if passes == "push":
        (tier,) = targets(ann.used, None)
        push_wanted(ann.used, find_wanted(ann.used, None, None), tier)
    bucket = open_objects(url)
    everything = {found.name: unpacked(bucket.read(found.name)) for found in bucket.walk("")}
    assert len(everything) > 10 and not [name for name, data in everything.items() if MARKER in data]
    for label in ("raw", "inside"):
        name = f"manifests/{made.outputs[label][:2]}/{made.outputs[label]}"
        assert not [one for one, data in everything.items() if one.endswith(name) or name.encode() in data]
    assert set(ann.run(NESTED, "nodes.count.params.times=4").outputs) == {"raw", "inside", "count"}
    # allowed later, all of it goes: a pack that knew a manifest does not stand for it
    ann.shared = SharedStore(url, allow=("ScanNet",))
    ann.run(NESTED)
    push_wanted(ann.used, find_wanted(ann.used, None, None), targets(ann.used, None)[0])
    ben = Person(lab, "ben", url)
    ben.trust(ann)
    ben.run(NESTED, "nodes.count.params.times=5")
    assert lab.executed == {"measure": 1}


def unpacked(data):
    """What an object holds, packed at rest, as a pack, or not at all."""
    import zstandard

    for start in (0, 65):
        try:
            return zstandard.ZstdDecompressor().decompress(data[start:], max_output_size=1 << 24)
        except zstandard.ZstdError:
            continue
    return data
