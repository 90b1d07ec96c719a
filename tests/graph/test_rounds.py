"""Unrolling: what is inside the loop, what crosses its border, what fits what."""

from __future__ import annotations

import pytest

from graph.errors import NotFoundError, SpecError
from graph.rounds import find_inside, unroll


def instances(lab, nodes, rounds=3):
    text = f'[experiment]\nname = "t"\nrounds = {rounds}\n'
    for name, (kind, inputs) in nodes.items():
        filled = ", ".join(f'{key} = "{value}"' for key, value in inputs.items())
        text += f'[nodes.{name}]\nkind = "TOYS:{kind}"\ninputs = {{ {filled} }}\n'
    return unroll(lab.load(text))


def labels(instance, name):
    return list(instance.sources[name].labels.values()) if name in instance.sources else None


BASE = {"data": ("make_list", {}), "start": ("total", {"items": "data"})}
LOOP = {
    **BASE,
    "update": ("step", {"before": "update[-1] | start"}),
    "cut": ("clip", {"numbers": "update"}),
    "end": ("clip", {"numbers": "cut[last]"}),
    "report": ("report", {"rounds": "update[all]"}),
}


def mistakes(lab, nodes, rounds=3):
    with pytest.raises(SpecError) as caught:
        instances(lab, nodes, rounds)
    return [line.partition("toy.toml: ")[2] for line in caught.value.mistakes]


def test_inside_is_what_reads_the_round_before_or_something_inside(lab, loop):
    assert find_inside(lab.load(loop)) == {"update"}
    found = instances(lab, LOOP)
    assert {label for label in found if "[" in label} == {
        f"{name}[{n}]" for name in ("update", "cut") for n in (1, 2, 3)
    }
    assert {label for label in found if "[" not in label} == {"data", "start", "end", "report"}


def test_producers_come_before_consumers(lab):
    seen = set()
    for label, instance in instances(lab, LOOP).items():
        assert instance.upstream() <= seen
        seen.add(label)


def test_rounds_read_the_round_before_and_the_first_one_the_start(lab):
    found = instances(lab, LOOP)
    assert labels(found["update[1]"], "before") == ["start"]
    assert labels(found["update[2]"], "before") == ["update[1]"]
    assert labels(found["cut[3]"], "numbers") == ["update[3]"]
    assert labels(found["end"], "numbers") == ["cut[3]"]
    assert labels(found["report"], "rounds") == ["update[1]", "update[2]", "update[3]"]
    assert list(found["report"].sources["rounds"].labels) == ["0001", "0002", "0003"]


def test_round_before_is_absent_in_round_1_where_the_input_may_be(lab):
    nodes = {**BASE, "update": ("step", {"before": "start", "data": "update[-1]"})}
    found = instances(lab, nodes)
    assert labels(found["update[1]"], "data") is None
    assert labels(found["update[2]"], "data") == ["update[1]"]
    nodes["update"] = ("step", {"before": "update[-1]"})
    assert mistakes(lab, nodes) == ["[nodes.update] inputs.before = 'update[-1]': is absent in round 1: add `| other`"]


def test_reference_to_no_round_is_one_mistake(lab):
    nodes = {**BASE, "update": ("step", {"before": "start[-1]"})}
    expected = "[nodes.update] inputs.before = 'start[-1]': 'start' is outside the loop: it has no earlier round"
    assert mistakes(lab, nodes) == [expected]


def test_past_is_all_earlier_rounds(lab):
    nodes = {**BASE, "update": ("remember", {"now": "start", "past": "cut[past]"})}
    nodes["cut"] = ("step", {"before": "cut[-1] | start"})
    found = instances(lab, nodes)
    assert [labels(found[f"update[{n}]"], "past") for n in (1, 2, 3)] == [[], ["cut[1]"], ["cut[1]", "cut[2]"]]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"end": ("clip", {"numbers": "start[-1] | start"})},
         "[nodes.end] inputs.numbers = 'start[-1]': 'start' is outside the loop: it has no earlier round"),
        ({"x": ("step", {"before": "x[-1] | start", "data": "update[last]"})},
         "[nodes.x] inputs.data = 'update[last]': [last] is for nodes outside the loop, expected [-1] or [past]"),
        ({"report": ("report", {"rounds": "start[all]"})},
         "[nodes.report] inputs.rounds = 'start[all]': 'start' is outside the loop: expected its plain name"),
    ],
)  # fmt: skip
def test_references_across_the_border_are_refused(lab, change, expected):
    assert expected in mistakes(lab, {**LOOP, **change})


def test_unknown_names_are_told_with_the_nearest(lab):
    nodes = {**BASE, "end": ("clip", {"number": "strat"})}
    assert mistakes(lab, nodes) == [
        "[nodes.end] inputs.number: TOYS:clip has no such input; did you mean 'numbers'?".replace("TOYS", toys(lab)),
        "[nodes.end] inputs.number = 'strat': no node is named 'strat'; did you mean 'start'?",
        "[nodes.end] inputs.numbers: is missing: expected numbers/1",
    ]


def toys(lab):
    return lab.load('[experiment]\nname="t"\n[nodes.a]\nkind="TOYS:make_list"').nodes["a"].kind_name.partition(":")[0]


def test_cycle_is_told_in_order(lab):
    nodes = {"a": ("clip", {"numbers": "b"}), "b": ("clip", {"numbers": "a"})}
    (line,) = mistakes(lab, nodes)
    assert line in (
        "[nodes] a -> b -> a: reads itself: a cycle",
        "[nodes] b -> a -> b: reads itself: a cycle",
    )


def test_part_is_taken_by_its_type_and_may_be_named(lab):
    found = instances(lab, LOOP)
    assert found["cut[1]"].sources["numbers"].entry == "numbers"  # update gives a Pair, clip wants Numbers
    assert found["report"].sources["rounds"].entry == "numbers"
    named = instances(lab, {**LOOP, "cut": ("clip", {"numbers": "update.numbers"})})
    assert named["cut[1]"].sources["numbers"].entry == "numbers"


def test_types_that_do_not_fit_are_refused(lab):
    nodes = {
        **LOOP,
        "a": ("clip", {"numbers": "data"}),
        "b": ("total", {"items": "start"}),
        "c": ("clip", {"numbers": "update.notes"}),
        "d": ("clip", {"numbers": "update.nubers"}),
        "e": ("clip", {"numbers": "cut[all]"}),
        "f": ("scale", {"item": "start"}),
    }
    assert mistakes(lab, nodes) == [
        "[nodes.a] inputs.numbers = 'data': gives collection of numbers/1, expected numbers/1",
        "[nodes.b] inputs.items = 'start': gives numbers/1, expected collection of numbers/1",
        "[nodes.c] inputs.numbers = 'update.notes': gives notes/1, expected numbers/1",
        "[nodes.d] inputs.numbers = 'update.nubers': pair/1 has no part 'nubers'; did you mean 'numbers'?; "
        "parts: numbers, notes",
        "[nodes.e] inputs.numbers = 'cut[all]': gives one numbers/1 a round, expected numbers/1",
        "[nodes.f] inputs.item = 'start': gives one numbers/1, expected a collection of them to map over",
    ]


def test_alternative_that_no_round_takes_yet_is_checked_too(lab):
    nodes = {**BASE, "update": ("step", {"before": "note[-1] | start"}), "note": ("report", {"rounds": "update[past]"})}
    assert mistakes(lab, nodes, rounds=1) == [
        "[nodes.update] inputs.before = 'note[-1]': gives notes/1, expected numbers/1"
    ]


def test_under_each_elements_are_zipped_and_others_broadcast(lab):
    nodes = {
        **BASE,
        "zipped": ("scale", {"item": "data", "bias": "data"}),
        "broadcast": ("scale", {"item": "data", "bias": "start"}),
        "spread": ("spread", {"item": "data", "others": "data"}),
    }
    found = instances(lab, nodes)
    assert [found["zipped"].sources[name].is_zipped for name in ("item", "bias")] == [True, True]
    assert [found["broadcast"].sources[name].is_zipped for name in ("item", "bias")] == [True, False]
    assert [found["spread"].sources[name].is_zipped for name in ("item", "others")] == [True, False]


OVERRIDES = """
[tables.large]
add = 9.0
[rounds.2.nodes.update.params]
add = 5.0
[rounds.3.nodes.update]
params = "$large"
"""


def test_round_of_its_own_params_keeps_what_it_does_not_change(lab, loop):
    text = loop.replace(
        'before = "update[-1].numbers | sum" }', 'before = "update[-1] | sum" }\nparams = { add = 2.0 }'
    )
    found = unroll(lab.load(text.replace("rounds = 2", "rounds = 4") + OVERRIDES))
    assert [found[f"update[{n}]"].node.params.add for n in (1, 2, 3, 4)] == [2.0, 5.0, 9.0, 2.0]
    assert found["update[1]"].node is found["update[4]"].node
    assert {found[f"update[{n}]"].node.params.wait_for for n in (2, 3)} == {""}


def test_params_of_one_round_run_again_only_what_they_reach(lab, loop):
    text = loop.replace("rounds = 2", "rounds = 3")
    lab.run(text)
    lab.run(f"{text}[rounds.2.nodes.update.params]\nadd = 5.0\n")
    assert lab.executed == {"step": 2, "report": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[rounds.4.nodes.update.params]", "[rounds] 4: no such round: expected 1 to 3"),
        ("[rounds.0.nodes.update.params]", "[rounds] 0: no such round: expected 1 to 3"),
        ("[rounds.last.nodes.update.params]", "[rounds] last: no such round: expected 1 to 3"),
        ("[rounds.2.nodes.updte.params]", "[rounds.2.nodes.updte]: no node is named 'updte'; did you mean 'update'?"),
        (
            "[rounds.2.nodes.update.params]\nad = 1",
            "[rounds.2.nodes.update] params.ad = 1: no such param; did you mean 'add'?",
        ),
        (
            "[rounds.2.nodes.update.params]\nadd = 'x'",
            "[rounds.2.nodes.update] params.add = 'x': expected float, got str",
        ),
        ("[rounds.2.nodes.update]\nseed = 1", "[rounds.2.nodes.update] seed = 1: no such key here; known: params"),
        ("[rounds.2.nodes.update.inputs]", "[rounds.2.nodes.update] inputs: no such key here; known: params"),
        ("[rounds.2.tables]", "[rounds.2] tables: no such key here; known: nodes"),
        (
            "[rounds.2.nodes.update]\nparams = '$larg'",
            "[rounds.2.nodes.update] params = '$larg': [tables] has no table 'larg'",
        ),
        ("[rounds]\n2 = 5", "[rounds] 2 = 5: expected a table"),
        ("[rounds.2]\nnodes = 5", "[rounds.2] nodes = 5: expected a table"),
        ("[rounds.2.nodes]\nupdate = 5", "[rounds.2.nodes] update = 5: expected a table"),
        ("[rounds.2.nodes.update]\nparams = 5", "[rounds.2.nodes.update] params = 5: expected a table"),
    ],
)
def test_mistakes_in_overrides_are_told(lab, loop, text, expected):
    with pytest.raises(SpecError) as caught:
        lab.load(loop.replace("rounds = 2", "rounds = 3") + text)
    assert [line.partition("toy.toml: ")[2] for line in caught.value.mistakes] == [expected]


def test_override_of_a_node_outside_the_loop_is_a_mistake(lab, loop):
    with pytest.raises(SpecError, match=r"\[rounds.2.nodes.sum\]: 'sum' is outside the loop: it has no rounds"):
        unroll(lab.load(f"{loop}[rounds.2.nodes.sum.params]\ntag = 'x'"))


def test_wrong_value_of_a_node_is_not_told_again_for_its_rounds(lab, loop):
    text = loop + '[rounds.2.nodes.scaled.params]\nfactor = 3.0\n[nodes.scaled.params]\nfactor = "x"'
    with pytest.raises(SpecError) as caught:
        lab.load(text)
    assert len(caught.value.mistakes) == 1


def test_longer_cycle_is_told_in_the_order_in_which_data_flows(lab):
    nodes = {"a": ("clip", {"numbers": "c"}), "b": ("clip", {"numbers": "a"}), "c": ("clip", {"numbers": "b"})}
    nodes["d"] = ("clip", {"numbers": "c"})
    (line,) = mistakes(lab, nodes)
    cycle = line.removeprefix("[nodes] ").removesuffix(": reads itself: a cycle")
    assert cycle in ("a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c")


def test_a_node_that_says_so_has_an_instance_every_round(lab):
    text = """
[experiment]
name = "fresh"
rounds = 2
[nodes.data]
kind = "TOYS:make_list"
[nodes.drawn]
kind = "TOYS:draw"
inputs = { item = "data" }
every_round = true
[nodes.sum]
kind = "TOYS:total"
inputs = { items = "drawn" }
"""
    result = lab.run(text)
    assert sorted(result.outputs) == ["data", "drawn[1]", "drawn[2]", "sum[1]", "sum[2]"]
    assert result.outputs["drawn[1]"] != result.outputs["drawn[2]"]  # each round has a seed of its own


def test_a_node_that_runs_if_read_is_there_for_its_readers_alone(lab):
    text = """
[experiment]
name = "choice"
[nodes.data]
kind = "TOYS:make_list"
[nodes.scaled]
kind = "TOYS:scale"
inputs = { item = "data" }
if_read = true
[nodes.twice]
kind = "TOYS:scale"
inputs = { item = "scaled" }
if_read = true
[nodes.sum]
kind = "TOYS:total"
inputs = { items = "data" }
"""
    assert sorted(unroll(lab.load(text))) == ["data", "sum"]
    with pytest.raises(
        NotFoundError, match=r"--until twice: runs only if it is read .*, and no node that runs reads it"
    ):
        lab.run(text, until="twice")
    read = unroll(lab.load(text.replace('items = "data"', 'items = "twice"')))
    assert list(read) == ["data", "scaled", "twice", "sum"]
