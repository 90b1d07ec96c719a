"""Lost bytes: whatever is damaged or deleted is made again by the action that gave it, and by nothing else."""

from __future__ import annotations

import shutil
import time

import msgspec
import pytest

from graph.errors import RunError
from graph.repair import holds
from store.digest import digest
from store.manifest import MAGIC, Entry

# Elements of 1,000 equal numbers are 8,000 bytes: blobs, not inline. 0, 1, 2 become 0, 2.5, 5: only the zeros are
# bytes that two nodes give.
CHAIN = """
[experiment]
name = "chain"
[nodes.data]
kind = "TOYS:make_list"
params = { size = 1000 }
[nodes.scaled]
kind = "TOYS:scale"
inputs = { item = "data" }
params = { factor = 2.5 }
[nodes.joined]
kind = "TOYS:join"
inputs = { items = "scaled" }
[nodes.cut]
kind = "TOYS:clip"
inputs = { numbers = "joined" }
params = { top = 3.0 }
"""
FRESH = "nodes.cut.params.top=1.0"


def blob_of(lab, digest):
    """The file of an artifact's one chunk."""
    name = lab.store.reader(digest).entry("values/c/0").digest
    (path,) = (lab.folder / "store" / "cas" / name[:2]).glob(f"{name}*")
    return path


def manifest_of(lab, digest):
    return lab.folder / "store" / "manifests" / digest[:2] / digest


def damage(path, how):
    if how == "deleted":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-2] if how == "torn" else b"?" * 20)


HOW = pytest.mark.parametrize("how", ["deleted", "torn", "overwritten"])


@HOW
def test_lost_blob_of_a_node_is_made_again(lab, how):
    first = lab.run(CHAIN)
    damage(blob_of(lab, first.outputs["joined"]), how)
    second = lab.run(CHAIN, FRESH)
    assert lab.executed == {"join": 1, "clip": 1}  # the damage showed as clip's input was opened
    assert second.outputs["joined"] == first.outputs["joined"]
    assert lab.values(first.outputs["joined"]) == [0] * 1000 + [2.5] * 1000 + [5] * 1000
    lab.run(CHAIN, "nodes.cut.params.top=2.0")
    assert lab.executed == {"clip": 1}


@HOW
def test_lost_blob_of_an_element_is_made_again_alone(lab, how):
    first = lab.run(CHAIN)
    damage(blob_of(lab, lab.entry(first.outputs["scaled"], "e001").digest), how)
    lab.run(CHAIN.replace("[nodes.joined]", '[nodes.more]\nkind="TOYS:total"\ninputs={items="scaled"}\n[nodes.joined]'))
    assert lab.executed == {"scale": 1, "sum": 2}


@HOW
def test_lost_manifest_of_an_element_is_made_again_alone(lab, how):
    first = lab.run(CHAIN)
    damage(manifest_of(lab, lab.entry(first.outputs["scaled"], "e001").digest), how)
    lab.run(CHAIN.replace("[nodes.joined]", '[nodes.more]\nkind="TOYS:total"\ninputs={items="scaled"}\n[nodes.joined]'))
    assert lab.executed == {"scale": 1, "sum": 2}


@HOW
def test_lost_manifest_of_an_output_is_a_miss(lab, how):
    first = lab.run(CHAIN)
    damage(manifest_of(lab, first.outputs["joined"]), how)
    second = lab.run(CHAIN)
    assert lab.executed == {"join": 1} and second.outputs == first.outputs
    lab.run(CHAIN)
    assert lab.executed == {}


@HOW
def test_lost_manifest_of_a_map_is_put_together_again(lab, how):
    first = lab.run(CHAIN)
    damage(manifest_of(lab, first.outputs["scaled"]), how)
    second = lab.run(CHAIN)
    assert lab.executed == {} and second.outputs == first.outputs
    assert len(lab.store.reader(first.outputs["scaled"]).keys()) == 4


def test_blobs_lost_all_the_way_up_are_all_made_again(lab):
    lab.run(CHAIN)
    shutil.rmtree(lab.folder / "store" / "cas")
    result = lab.run(CHAIN, FRESH)
    assert lab.values(result.outputs["cut"]) == [0] * 1000 + [1] * 2000
    # The zeros are made again by the list, 2.5 and 5 by scale; join fails at each of the three, then goes through.
    assert lab.executed == {"list": 1, "scale": 2, "join": 4, "clip": 1}
    lab.run(CHAIN, "nodes.cut.params.top=2.0")
    assert lab.executed == {"clip": 1}


def test_what_many_elements_miss_is_made_once(lab):
    text = CHAIN + '[nodes.spread]\nkind = "TOYS:spread"\ninputs = { item = "data", others = "scaled" }\n'
    first = lab.run(CHAIN)
    damage(blob_of(lab, lab.entry(first.outputs["scaled"], "e002").digest), "deleted")
    result = lab.run(text)
    assert lab.executed == {"spread": 6, "scale": 1}  # three found the damage, then three again
    assert len(lab.store.reader(result.outputs["spread"]).keys()) == 4


def test_lost_bytes_that_nothing_of_the_run_gave_fail_their_reader(lab):
    first = lab.run(CHAIN)
    lab.store.refs.move("pool", first.outputs["joined"])
    damage(blob_of(lab, first.outputs["joined"]), "deleted")
    text = '[experiment]\nname = "x"\n[nodes.pool]\nartifact = "pool"\n'
    text += '[nodes.cut]\nkind = "TOYS:clip"\ninputs = { numbers = "pool" }\nparams = { top = 1.0 }\n'
    with pytest.raises(RunError, match=r"node cut .* failed: Missing: blob .* is not in this store"):
        lab.run(text)


def test_damaged_record_is_a_miss(lab):
    first = lab.run(CHAIN)
    for path in (lab.folder / "store" / "actions").rglob("1"):
        path.write_bytes(path.read_bytes()[:-1])
    second = lab.run(CHAIN)
    assert lab.executed == {"list": 1, "scale": 3, "join": 1, "clip": 1}
    assert second.outputs == first.outputs
    lab.run(CHAIN)
    assert lab.executed == {}


def test_lost_part_of_a_split_collection_is_put_together_again(lab):
    text = CHAIN.replace("size = 1000", "count = 4100").split("[nodes.cut]")[0]
    first = lab.run(text, until="scaled")
    part = lab.store.manifests.get(first.outputs["scaled"]).entries[7]
    damage(manifest_of(lab, part.digest), "deleted")
    lab.run(text)
    assert lab.executed == {"join": 1}


@HOW
def test_lost_part_of_a_split_collection_is_made_again_before_it_is_mapped(lab, how):
    text = CHAIN.replace("size = 1000", "count = 4100")
    first = lab.run(text, until="data")
    damage(manifest_of(lab, lab.store.manifests.get(first.outputs["data"]).entries[7].digest), how)
    lab.run(text, until="scaled")
    assert lab.executed == {"list": 1, "scale": 4100}


def all_records(lab):
    keys = [key for part in lab.store.objects.list("actions") for key in lab.store.objects.list(f"actions/{part}")]
    return [lab.store.records.find(key) for key in keys]


@HOW
def test_lost_collection_of_rounds_is_put_together_again(lab, loop, how):
    lab.run(loop)
    (told,) = [record for record in all_records(lab) if record.action["kind"] == "toy.report"]
    damage(manifest_of(lab, told.action["inputs"]["rounds"]), how)
    assert lab.run(loop, force=("report",)).computed == 1


@HOW
def test_lost_result_of_a_run_is_there_again_after_the_next(lab, loop, how):
    first = lab.run(loop)
    damage(manifest_of(lab, first.digest), how)
    assert lab.run(loop).digest == first.digest
    lab.store.manifests.check(first.digest)


@HOW
def test_lost_source_is_stored_again(lab, loop, how):
    lab.run(loop, "compute.executor=local")
    source = lab.store.manifests.get(all_records(lab)[0].source)
    damaged = [entry.digest for entry in source.entries if entry.kind == "blob"]
    for name in damaged:
        (path,) = (lab.folder / "store" / "cas" / name[:2]).glob(f"{name}*")
        damage(path, how)
    assert damaged and lab.run(loop, "experiment.seed=8", "compute.executor=local").computed == 3


EMPTY = MAGIC + msgspec.msgpack.encode(["thing/1", False, []])
STORED = """
[experiment]
name = "stored"
[nodes.numbers]
artifact = "DIGEST"
[nodes.joined]
kind = "TOYS:join"
inputs = { items = "numbers" }
"""


def plant(store, entries, type="thing/1"):
    """Write a manifest whatever its entries are; return its digest and size."""
    data = MAGIC + msgspec.msgpack.encode([type, False, entries])
    name = digest(data)
    store.objects.write(f"manifests/{name[:2]}/{name}", data)
    return name, len(data)


def chain(store, depth, width):
    """Write artifacts inside each other: `width` entries a level, all of them the same artifact."""
    inner = plant(store, [])
    for _ in range(depth):
        inner = plant(store, [Entry(f"e{n:02d}", "artifact", *inner) for n in range(width)])
    return inner[0]


@pytest.mark.parametrize(("depth", "width"), [(5000, 1), (60, 2), (300, 50)])
def test_search_for_lost_bytes_ends_in_deep_and_in_many_paths(lab, depth, width):
    whole = chain(lab.store, depth, width)  # 60 levels of 2: 2**60 paths
    began = time.process_time()
    assert not holds(lab.store, whole, "f" * 64)
    assert holds(lab.store, whole, digest(EMPTY)) and holds(lab.store, whole, whole)
    assert time.process_time() - began < 5


def test_lost_input_that_nests_5000_deep_ends_the_run_in_a_line(lab):
    deep = chain(lab.store, 5000, 1)
    (lab.folder / "store" / "manifests" / digest(EMPTY)[:2] / digest(EMPTY)).unlink()
    part = deep, lab.store.manifests.size(deep)
    entries = [Entry("a", "artifact", digest(EMPTY), len(EMPTY)), Entry("b", "artifact", *part)]
    found = plant(lab.store, entries, "collection of numbers/1")[0]
    with pytest.raises(RunError) as caught:
        lab.run(STORED.replace("DIGEST", found))
    assert f"manifest {digest(EMPTY)} is not in this store" in str(caught.value) and len(caught.value.failures) == 1


def test_an_action_whose_pieces_are_lost_runs_again_once(lab, loop):
    first = lab.run(loop)
    for entry in lab.store.reader(first.outputs["data"]).artifacts().values():
        lab.store.objects.delete(f"manifests/{entry[:2]}/{entry}")
    edited = lab.run(loop, "nodes.scaled.params.factor=3")
    assert lab.executed == {"list": 1, "scale": 3, "sum": 1, "step": 2, "report": 1}
    assert lab.run(loop).digest == first.digest != edited.digest
