"""Nodes that stand over the variants: there once, and given all of them by name."""

from __future__ import annotations

import pytest

from graph.errors import SpecError
from graph.plan import make_plan
from graph.rounds import unroll
from tests.graph.test_variants import SPEC
from tests.graph.toys import Numbers

OVER = """
[variants]
"nodes.update.params.add" = [1.0, 2.0]
[nodes.all]
kind = "TOYS:join"
inputs = { items = "end[variants]" }
[nodes.after]
kind = "TOYS:clip"
inputs = { numbers = "all" }
"""


def test_a_node_that_reads_all_variants_is_there_once(lab):
    instances = unroll(lab.load(SPEC + OVER))
    assert instances["all"].sources["items"].labels == {"add=1.0": "end@add=1.0", "add=2.0": "end@add=2.0"}
    assert instances["after"].sources["numbers"].labels == {"": "all"} and list(instances)[-2:] == ["all", "after"]


def test_it_gets_their_outputs_by_the_names_of_the_variants(lab):
    result = lab.run(SPEC + OVER)
    single = [lab.run(SPEC, f"nodes.update.params.add={add}").outputs["end"] for add in (1.0, 2.0)]
    values = [lab.store.open(digest, Numbers).values.tolist() for digest in single]
    assert lab.store.open(result.outputs["after"], Numbers).values.tolist() == values[0] + values[1]


def test_what_it_reads_counts_as_read(lab):
    text = SPEC.replace("[nodes.end]", "[nodes.end]\nif_read = true") + OVER
    assert {"end@add=1.0", "end@add=2.0"} < set(unroll(lab.load(text)))
    lonely = text.replace("[nodes.after]", "[nodes.after]\nif_read = true")
    assert list(unroll(lab.load(lonely)))[-1] == "all"


def test_plan_tells_that_it_reads_the_variants(lab):
    text = {row.label: row.referring for row in make_plan(lab.load(SPEC + OVER), lab.store)}
    assert text["all"] == "reads end[variants]"


def test_one_variant_more_runs_that_one_and_what_reads_all(lab):
    lab.run(SPEC + OVER)
    assert lab.run(SPEC + OVER.replace("[1.0, 2.0]", "[1.0, 2.0, 3.0]")).computed == 5  # 2 updates, end, all, after


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (OVER.replace('[variants]\n"nodes.update.params.add" = [1.0, 2.0]', ""), "the spec has no [variants]"),
        (OVER.replace("end[variants]", "update[variants].numbers"), "'update' is inside the loop"),
        (OVER.replace('numbers = "all"', 'numbers = "all", other = "x"'), "has no such input"),
        (
            OVER + '[nodes.both]\nkind = "TOYS:remember"\ninputs = { now = "end", past = "end[variants]" }',
            "inputs.now = 'end': varies, expected end[variants]",
        ),
        *(
            (
                f'{OVER}[nodes.both]\nkind = "TOYS:remember"\ninputs = {{ now = "{read}", past = "end[variants]" }}',
                f"inputs.now = '{read.split(' |')[0]}': 'both' is there once for all variants, expected name[variants]",
            )
            for read in ("update[last].numbers", "update[all].numbers", "update.numbers", "update[-1].numbers | sum")
        ),
        (OVER.replace('numbers = "all"', 'numbers = "all[variants]"'), "'all' is there once for all variants"),
        (
            OVER + '[variants.arms.a]\n"nodes.all.threads" = 2',
            "[variants] nodes.all.threads: 'all' is there once for all variants",
        ),
        (
            OVER.replace("[variants]\n", '[variants]\narms.a."nodes.maybe.inputs.items" = "end[variants]"\n')
            + '[nodes.maybe]\nkind = "TOYS:join"\ninputs = { items = "update[all].numbers" }',
            "variant a,add=1.0: [nodes.maybe]: reads [variants] here and not without variants",
        ),
    ],
)
def test_what_cannot_stand_over_variants_is_told(lab, text, told):
    with pytest.raises(SpecError) as caught:
        unroll(lab.load(SPEC + text))
    assert any(told in line for line in caught.value.mistakes), caught.value.mistakes
