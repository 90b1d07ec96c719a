"""What nodes read of what others give: parts by their type, rounds of collections, tables of free params."""

from __future__ import annotations

import pytest

from graph.errors import SpecError
from graph.kinds import find_kind
from graph.plan import make_plan
from graph.show import describe_kind
from store.collection import Collection
from store.errors import Damaged
from store.open import type_name
from tests.graph.toys import Numbers

KINDS = """
from __future__ import annotations
from typing import Annotated
import msgspec
from graph.node import node
from store.artifact import Artifact
from store.collection import Collection
from store.errors import Damaged
from tests.graph.toys import Notes, Numbers, Pair, count_call

class Train(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    add: float = 1.0
    word: str = "a"
    trl: Annotated[dict[str, bool | int | float | str | list], msgspec.Meta(description="options of TRL")] = {}

Pool = Collection[Numbers]

@node("own.train", version=1)
def train(policy: Numbers, trainer: Notes | None, *, params: Train) -> Pair:
    count_call(f"train,{trainer.text if trainer else None},{params.trl.get('beta')}")
    return Pair(Numbers(policy.values + params.add), Notes((trainer.text if trainer else "") + params.word))

@node("own.test", version=1)
def measure(policy: Numbers) -> Numbers:
    count_call("test")
    return Numbers(policy.values * 10)

@node("own.choose", version=1)
def choose(policy: Numbers, past: Collection[Pool] | None) -> Collection[Numbers]:
    count_call(f"choose,{'+'.join(past) if past is not None else None}")
    again = past[list(past)[-1]]["a"].values if past else 0
    return Collection(Numbers, {"a": Numbers(policy.values + again), "b": Numbers([0])})
"""
SPEC = """
[experiment]
name = "toy"
rounds = 3
[nodes.data]
kind = "TOYS:make_list"
[nodes.warmup]
kind = "TOYS:total"
inputs = { items = "data" }
[nodes.selected]
kind = "kinds.py:choose"
inputs = { policy = "update[-1] | warmup", past = "selected[past]" }
[nodes.update]
kind = "kinds.py:train"
inputs = { policy = "update[-1] | warmup", trainer = "update[-1]" }
[nodes.test]
kind = "kinds.py:measure"
inputs = { policy = "update" }
"""


@pytest.fixture(autouse=True)
def kinds(lab):
    (lab.folder / "kinds.py").write_text(KINDS)


def test_two_inputs_read_two_parts_of_one_update_each_by_its_type(lab):
    result = lab.run(SPEC, until="update")
    # 0 + 1 + 2 = 3, and 1 more a round; the trainer says a word more a round, and none was before the first.
    assert lab.values(lab.store.reader(result.outputs["update[3]"]).entry("numbers").digest) == [6.0]
    assert set(lab.executed) >= {"train,None,None", "train,a,None", "train,aa,None"}


def test_who_reads_the_weights_alone_does_not_run_when_the_trainer_changes(lab):
    first = lab.run(SPEC)
    second = lab.run(SPEC, "nodes.update.params.word=b")
    assert first.outputs["update[2]"] != second.outputs["update[2]"]
    assert "test" not in lab.executed and sum(lab.executed.values()) == 3
    lab.run(SPEC, "nodes.update.params.add=2.0")
    assert lab.executed["test"] == 2  # 5, 7 and 9, of which 4, 5 and 6 had been 5


def test_past_rounds_of_a_collection_are_a_collection_of_collections(lab):
    result = lab.run(SPEC)
    told = {name for name in lab.executed if name.startswith("choose")}
    assert told == {"choose,", "choose,0001", "choose,0001+0002"}
    # Policies 3, 4, 5 and what was chosen before: 3, 4 + 3, 5 + 7.
    chosen = [lab.values(lab.entry(result.outputs[f"selected[{n}]"], "a").digest) for n in (1, 2, 3)]
    assert chosen == [[3.0], [7.0], [12.0]]
    assert Collection(Collection[Numbers], {}).type == type_name(Collection[Collection[Numbers]])


def test_past_rounds_are_read_when_they_are_asked_for(lab):
    pools = {f"000{n}": Collection(Numbers, {"a": Numbers([n])}) for n in (1, 2)}
    digest = lab.store.put(Collection(Collection[Numbers], pools))
    inner = lab.store.reader(digest).entry("0001").digest
    (lab.folder / "store" / "manifests" / inner[:2] / inner).write_bytes(b"torn")
    past = lab.store.open(digest, Collection[Collection[Numbers]])
    assert list(past) == ["0001", "0002"] and past["0002"]["a"].values[0] == 2
    with pytest.raises(Damaged):
        past["0001"]


def test_free_table_takes_what_toml_has_and_enters_the_key(lab):
    trl = "nodes.update.params.trl={beta=0.1, n=2, flag=true, loss='dapo', betas=[0.9, 0.95], names=['a', 'b']}"
    spec = lab.load(SPEC, trl)
    params = spec.nodes["update"].params
    assert params.trl == {"beta": 0.1, "n": 2, "flag": True, "loss": "dapo", "betas": [0.9, 0.95], "names": ["a", "b"]}
    assert type(params.trl["n"]) is int and params.trl["flag"] is True and type(params.trl["loss"]) is str
    lab.run(SPEC, trl)
    assert lab.executed["train,None,0.1"] == 1
    lab.run(SPEC, trl)
    assert lab.executed == {}
    for other in ("n=2.0", "flag=false", "betas=[0.95, 0.9]", "more=1"):
        changed = make_plan(lab.load(SPEC, trl, f"nodes.update.params.trl.{other}"), lab.store)
        assert [one.state for one in changed if one.label == "update[1]"] == ["will run"]
    lab.run(SPEC, trl.replace("beta=0.1, n=2", "n=2, beta=0.1"))
    assert lab.executed == {}


def test_free_table_tells_what_it_cannot_take(lab):
    for value, expected in (
        ("{beta={a=1}}", "params.trl = {'beta': {'a': 1}}: expected bool | int | float | str"),
        ("3", "params.trl = 3: expected table, got int"),
        ("{beta=1979-05-27}", "params.trl = {'beta': datetime.date(1979, 5, 27)}: expected"),
    ):
        with pytest.raises(SpecError) as caught:
            lab.load(SPEC, f"nodes.update.params.trl={value}")
        assert expected in str(caught.value), str(caught.value)


def test_free_table_is_described(lab):
    told = describe_kind(find_kind("kinds.py:train", lab.folder))
    assert "trl  dict[str, bool | int | float | str | list]  = {}  options of TRL" in told
