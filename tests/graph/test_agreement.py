"""Params of several nodes that must agree: what is measured is what is trained."""

from __future__ import annotations

import pytest

from graph.action import canonical
from graph.errors import SpecError
from graph.rounds import unroll
from nodes.policy.rollout import Rollout

KINDS = """
from __future__ import annotations
from typing import ClassVar
import msgspec
from graph.node import node
from store.artifact import Artifact
from tests.graph.toys import Numbers

class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"heat": "temperature"}):
    agree: ClassVar[tuple[str, ...]] = ("template", "heat")
    template: str = "direct"
    heat: float = 1.0
    frames: int = 1

class Other(msgspec.Struct, frozen=True):
    agree: int = 0
    template: str = ""

class Use(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rollout: Form = Form()
    other: Other | None = None
    n: int = 0

@node("own.train", version=1)
def train(before: Numbers | None, *, params: Use) -> Numbers:
    return Numbers([1])

@node("own.measure", version=1)
def measure(numbers: Numbers, *, params: Use) -> Numbers:
    return Numbers([2])
"""
SPEC = """
[experiment]
name = "toy"
rounds = 3
[tables.rollout]
template = "direct"
[nodes.warmup]
kind = "kinds.py:train"
params = { rollout = "$rollout" }
[nodes.update]
kind = "kinds.py:train"
inputs = { before = "update[-1] | warmup" }
params = { rollout = "$rollout" }
[nodes.eval]
kind = "kinds.py:measure"
inputs = { numbers = "update" }
params = { rollout = "$rollout" }
"""
FREE = "(`agrees = false` lets a node differ)"


@pytest.fixture(autouse=True)
def kinds(lab):
    (lab.folder / "kinds.py").write_text(KINDS)


def mistakes(lab, text, *settings):
    with pytest.raises(SpecError) as caught:
        unroll(lab.load(text, *settings))
    return [line.replace(f"{lab.folder}/", "") for line in caught.value.mistakes]


def test_nodes_that_agree_are_taken_whatever_else_they_say(lab):
    taken = list(unroll(lab.load(SPEC)))
    for settings in (
        ["tables.rollout.template=think"],
        ["nodes.eval.params.rollout={frames=4}", "nodes.eval.params.n=3"],
        ["nodes.eval.params.other.template=a", "nodes.update.params.other.agree=3"],
    ):
        assert list(unroll(lab.load(SPEC, *settings))) == taken


def test_node_that_differs_is_told_beside_one_of_the_others(lab):
    own = ['nodes.eval.params.rollout={template="think"}', "nodes.warmup.params.rollout={temperature=0.5}"]
    told = mistakes(lab, SPEC, *own)
    assert told == [
        "--set: [nodes.eval] params.rollout.template = 'think': [nodes.warmup] has 'direct', "
        f"expected the same in both {FREE}",
        "--set: [nodes.warmup] params.rollout.temperature = 0.5: [nodes.update] has 1.0, "
        f"expected the same in both {FREE}",
    ]


def test_default_disagrees_as_what_is_written_does(lab):
    text = SPEC.replace('template = "direct"', 'template = "think"')
    told = mistakes(lab, f'{text}[nodes.more]\nkind = "kinds.py:measure"\ninputs = {{ numbers = "warmup" }}\n')
    assert told == [
        "toy.toml: [nodes.more] params.rollout.template = 'direct': [nodes.warmup] has 'think', "
        f"expected the same in both {FREE}"
    ]


def test_node_may_differ_if_its_table_says_so(lab):
    differs = 'params = { rollout = { template = "words" } }\nagrees = false\n[nodes.update]'
    text = SPEC.replace('params = { rollout = "$rollout" }\n[nodes.update]', differs)
    assert list(unroll(lab.load(text))) == list(unroll(lab.load(SPEC)))
    assert len(mistakes(lab, text.replace("agrees = false\n", ""))) == 1


def test_every_variant_agrees_in_itself(lab):
    unroll(lab.load(f'{SPEC}[variants]\n"tables.rollout.template" = ["direct", "think"]'))
    arms = '[tables.other]\ntemplate = "think"\n[variants.arms]\na = {}\nb = { "nodes.eval.params.rollout" = "$other" }'
    told = mistakes(lab, SPEC + arms)
    assert told == [
        "toy.toml: variant b: [nodes.eval] params.rollout.template = 'think': [nodes.warmup] has 'direct', "
        f"expected the same in both {FREE}"
    ]


def test_nodes_of_a_round_agree_in_it(lab):
    other = "[rounds.2.nodes.{}.params.rollout]\ntemplate = 'think'\n"
    unroll(lab.load(SPEC + other.format("update") + other.format("eval")))
    told = mistakes(lab, SPEC + other.format("eval"))
    assert told == [
        "toy.toml: [rounds.2.nodes.eval] params.rollout.template = 'think': [nodes.update] has 'direct', "
        f"expected the same in both {FREE}"
    ]


def test_fields_that_agree_change_no_key():
    assert Rollout.agree == ("template", "pixels", "temperature", "top_p", "max_tokens", "dtype")
    assert b"agree" not in canonical(Rollout()) and "agree" not in Rollout.__struct_fields__
