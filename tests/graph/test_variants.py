"""Variants: what varies, what variants share, what they are called, and the table at the end."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli

from graph.comparison import _mean_text, variant_table
from graph.document import Document
from graph.errors import SpecError
from graph.labels import find_labels
from graph.params import Mistakes
from graph.rounds import unroll
from graph.variants import read_variants

# data -> scaled -> sum -> update[1..2] -> end; only update draws.
SPEC = """
[experiment]
name = "toy"
rounds = 2
[tables.scaling]
factor = 2.0
[nodes.data]
kind = "TOYS:make_list"
[nodes.scaled]
kind = "TOYS:scale"
inputs = { item = "data" }
params = "$scaling"
[nodes.sum]
kind = "TOYS:total"
inputs = { items = "scaled" }
params = { tag = "x" }
[nodes.update]
kind = "TOYS:step"
inputs = { before = "update[-1].numbers | sum" }
[nodes.end]
kind = "TOYS:clip"
inputs = { numbers = "update[last].numbers" }
"""


def labels(lab, variants):
    return sorted(unroll(lab.load(SPEC + variants)))


def mistakes(lab, variants):
    with pytest.raises(SpecError) as caught:
        lab.load(SPEC + variants)
    return [line.replace(f"{lab.folder}/", "") for line in caught.value.mistakes]


def test_what_all_variants_share_is_there_once_and_carries_no_variant(lab):
    found = labels(lab, '[variants]\n"nodes.update.params.add" = [0.1, 1e-5]')
    assert found == [
        "data",
        "end@add=0.1",
        "end@add=1e-5",
        "scaled",
        "sum",
        "update@add=0.1[1]",
        "update@add=0.1[2]",
        "update@add=1e-5[1]",
        "update@add=1e-5[2]",
    ]


def test_references_stay_within_a_variant(lab):
    instances = unroll(lab.load(SPEC + '[variants]\n"nodes.update.params.add" = [1.0, 2.0]'))
    update = instances["update@add=2.0[2]"]
    assert update.sources["before"].labels == {"": "update@add=2.0[1]"}
    assert (update.label, update.variant, update.node.params.add) == ("update@add=2.0[2]", "add=2.0", 2.0)
    assert instances["update@add=2.0[1]"].upstream() == {"sum"}
    assert (instances["sum"].variant, instances["end@add=1.0"].upstream()) == ("", {"update@add=1.0[2]"})
    seen = set()
    for label, instance in instances.items():
        assert instance.upstream() <= seen
        seen.add(label)


def test_of_a_grid_a_label_has_the_keys_that_make_a_difference(lab):
    grid = '[variants]\n"nodes.sum.params.tag" = ["a", "b"]\n"nodes.update.params.add" = [1.0, 2.0]'
    found = labels(lab, grid)
    assert [label for label in found if label.startswith("sum")] == ["sum@tag=a", "sum@tag=b"]
    assert [label for label in found if label.startswith("end")] == [
        "end@tag=a,add=1.0",
        "end@tag=a,add=2.0",
        "end@tag=b,add=1.0",
        "end@tag=b,add=2.0",
    ]
    assert "scaled" in found


def test_listed_variants_go_by_their_names_and_share_in_part(lab):
    listed = """
[[variants]]
name = "plain"
[[variants]]
name = "more"
"nodes.update.params.add" = 5.0
[[variants]]
name = "much-more"
nodes.update.params.add = 5.0
nodes.end.params.top = 3.0
"""
    found = labels(lab, listed)
    assert [label for label in found if "update" in label] == [
        "update@more+much-more[1]",
        "update@more+much-more[2]",
        "update@plain[1]",
        "update@plain[2]",
    ]
    assert [label for label in found if "end" in label] == ["end@more", "end@much-more", "end@plain"]


ARMS = """
[variants]
"experiment.seed" = [7, 8, 9]
[variants.arms.plain]
[variants.arms.more]
"nodes.update.params.add" = 5.0
[variants.arms.much-more]
nodes.update.params.add = 5.0
nodes.end.params.top = 3.0
[variants.arms.other]
"nodes.sum.params.tag" = "y"
"""


def test_every_arm_runs_with_every_combination_of_the_grid(lab):
    spec = lab.load(SPEC + ARMS)
    arms = ["plain", "more", "much-more", "other"]
    assert list(spec.variants) == [f"{arm},seed={seed}" for arm in arms for seed in (7, 8, 9)]
    assert {name: one.experiment.seed for name, one in spec.variants.items()}["more,seed=8"] == 8
    found = labels(lab, ARMS)
    assert [label for label in found if "end" in label] == [
        f"end@{arm},seed={seed}" for arm in sorted(arms) for seed in (7, 8, 9)
    ]


def test_label_has_the_arms_and_seeds_that_tell_an_instance_apart(lab):
    found = labels(lab, ARMS)
    assert [label for label in found if "scaled" in label] == ["scaled"]
    assert [label for label in found if "sum" in label] == ["sum@other", "sum@plain+more+much-more"]
    assert [label for label in found if "update" in label and "[1]" in label] == [
        f"update@{arms},seed={seed}[1]" for arms in ("more+much-more", "other", "plain") for seed in (7, 8, 9)
    ]
    # Pinned in one arm: there no seed makes a difference.
    pinned = [label for label in labels(lab, f"{ARMS}nodes.update.seed = 1") if "update" in label and "[1]" in label]
    assert pinned[3:4] == ["update@other[1]"] and len(pinned) == 7


def test_arm_or_seed_is_named_in_part(lab):
    found = labels(lab, ARMS)
    assert find_labels("update@more,seed=8[2]", found)[0] == ["update@more+much-more,seed=8[2]"]
    assert find_labels("update@much-more[2]", found)[0] == [f"update@more+much-more,seed={n}[2]" for n in (7, 8, 9)]
    assert find_labels("end@seed=9", found)[0] == [
        f"end@{arm},seed=9" for arm in ("more", "much-more", "other", "plain")
    ]
    assert find_labels("sum@more,seed=8", found)[0] == ["sum@plain+more+much-more"]
    assert find_labels("end@more,seed=5", found)[0] == []


def test_spec_that_extends_another_has_its_arms_with_seeds_of_its_own(lab):
    lab.write(SPEC + ARMS, "screen.toml")
    spec = lab.load('extends = "screen.toml"\n[variants]\n"experiment.seed" = [20, 21]\narms.last = {}')
    assert len(spec.variants) == 5 * 2 and "last,seed=21" in spec.variants
    assert list(lab.load(SPEC + ARMS, "experiment.seed=3").variants) == ["plain", "more", "much-more", "other"]


def test_seed_makes_a_difference_only_where_one_is_drawn(lab):
    found = labels(lab, '[variants]\n"experiment.seed" = [7, 8]')
    assert found[0] == "data" and "sum" in found and "update@seed=7[1]" in found


def test_equal_numbers_of_different_types_are_not_shared(lab):
    text = SPEC.replace('name = "toy"', 'name = "toy"\nseed = 1')
    spec = lab.load(text + '[variants]\n"nodes.update.params.add" = [0.0, -0.0]')
    assert {"update@add=0.0[1]", "update@add=-0.0[1]"} <= set(unroll(spec))


def test_rounds_may_vary(lab):
    found = labels(lab, '[variants]\n"experiment.rounds" = [2, 3]')
    assert [label for label in found if "update" in label] == ["update@rounds=3[3]", "update[1]", "update[2]"]
    assert [label for label in found if "end" in label] == ["end@rounds=2", "end@rounds=3"]


def test_kinds_tables_and_one_round_may_vary(lab):
    spec = lab.load(SPEC + '[variants.arms]\na = {}\nb = { "nodes.end.kind" = "TOYS:clip" }')
    assert [label for label in unroll(spec) if "end" in label] == ["end"]
    spec = lab.load(SPEC + '[variants]\n"tables.scaling.factor" = [2.0, 3.0]')
    assert unroll(spec)["scaled@factor=3.0"].node.params.factor == 3.0
    found = unroll(lab.load(SPEC + '[variants]\n"rounds.2.nodes.update.params.add" = [4.0, 5.0]'))
    assert "update[1]" in found and found["update@add=5.0[2]"].node.params.add == 5.0


def test_run_of_variants_runs_what_they_share_once(lab):
    text = SPEC + '[variants]\n"nodes.update.params.add" = [1.0, 2.0, 3.0]'
    lab.run(text)
    assert lab.executed == {"list": 1, "scale": 3, "sum": 1, "step": 6, "clip": 3}
    one = lab.run(SPEC + '[variants]\n"nodes.update.params.add" = [2.0]')
    assert one.computed == 0
    lab.run(text, until="update@add=3.0")
    assert lab.executed == {}


def test_key_set_on_the_command_line_varies_no_more(lab):
    spec = lab.load(
        SPEC + '[variants]\n"nodes.update.params.add" = [1.0, 2.0]\n"nodes.sum.params.tag" = ["a", "b"]',
        "nodes.update.params.add=7",
    )
    assert list(spec.variants) == ["tag=a", "tag=b"]
    assert {whole.nodes["update"].params.add for whole in spec.variants.values()} == {7.0}
    spec = lab.load(SPEC, 'variants."nodes.update.params.add"=[1.0, 2.0]')
    assert list(spec.variants) == ["add=1.0", "add=2.0"]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ("[true, false]", ["tag=true", "tag=false"]),
        ('["a b/c|d", "e"]', ["tag=a-b-c-d", "tag=e"]),
        ('["a b", "a/b"]', ["tag=#1", "tag=#2"]),
        ('[["x", "y"], ["x"]]', ["tag=x+y", "tag=x"]),
    ],
)
def test_values_are_told_in_letters_that_a_label_can_hold(values, names):
    assert names_of(f'[nodes.sum.params]\n[variants]\n"nodes.sum.params.tag" = {values}') == names


def names_of(text):
    document = Document(Path("x.toml"), "", tomli.loads(text), set())
    return [variant.name for variant in read_variants(document, Mistakes("x.toml"))]


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        (["nodes.a.params.low", "nodes.a.params.high"], ["low", "high"]),
        (["nodes.a.params.low", "nodes.b.params.low"], ["a.low", "b.low"]),
        (["experiment.seed", "nodes.a.seed"], ["seed", "a.seed"]),
        (["nodes.a.params.x.low", "nodes.a.params.low"], ["x.low", "a.low"]),
        (["tables.a.low", "nodes.a.params.low"], ["tables.a.low", "params.low"]),
    ],
)
def test_key_goes_by_its_last_part_unless_that_is_ambiguous(keys, names):
    varied = "".join(f'"{key}" = [1]\n' for key in keys)
    (name,) = names_of(f"[nodes.a]\n[nodes.b]\n[tables.a]\n[variants]\n{varied}")
    assert name == ",".join(f"{short}=1" for short in names)


@pytest.mark.parametrize(
    ("variants", "expected"),
    [
        ('[variants]\n"nodes.updte.params.add" = [1.0]',
         "toy.toml: [variants] nodes.updte.params.add: no node is named 'updte'; did you mean 'update'?"),
        ('[variants]\n"tables.scalng.factor" = [1.0]',
         "toy.toml: [variants] tables.scalng.factor: no table is named 'scalng'; did you mean 'scaling'?"),
        ('[variants]\n"nodes.update.params.ad" = [1.0]',
         "toy.toml: variant ad=1.0: [nodes.update] params.ad = 1.0: no such param; did you mean 'add'?"),
        ('[variants]\n"nodes.update.params.add" = ["x"]',
         "toy.toml: variant add=x: [nodes.update] params.add = 'x': expected float, got str"),
        ('[variants]\n"nodes.update.sed" = [1]',
         "toy.toml: variant sed=1: [nodes.update] sed = 1: no such key here; did you mean 'seed'?"),
        ('[variants]\n"experiment.round" = [1]',
         "toy.toml: variant round=1: [experiment] round = 1: no such param; did you mean 'rounds'?"),
        ('[variants]\n"nodes.scaled.params.factor" = [1.0]',
         "toy.toml: [variants] nodes.scaled.params.factor: nodes.scaled.params is no table"),
        ('[variants]\n"node.update.params.add" = [1.0]',
         "toy.toml: [variants] node.update.params.add: cannot vary; did you mean 'nodes'?"),
        ('[variants]\n"store.url" = ["a"]',
         "toy.toml: [variants] store.url: cannot vary; what may vary: experiment, tables, nodes, rounds"),
        ('[variants]\n"experiment.name" = ["a"]',
         "toy.toml: [variants] experiment.name: cannot vary; did you mean 'experiment'?"),
        ('[variants]\n"nodes.update.params.add" = 1.0',
         "toy.toml: [variants] nodes.update.params.add = 1.0: expected a list of values"),
        ('[variants]\n"nodes.update.params.add" = []',
         "toy.toml: [variants] nodes.update.params.add = []: expected a list of values"),
        ('[variants]\n"nodes.update.params.add" = [2.0, 1, 1.0, 2.0]',
         "toy.toml: [variants] nodes.update.params.add = [2.0, 1, 1.0, 2.0]: 2.0 stands there twice"),
        ('[variants]\n"nodes.update.params.add" = [2.0]\narms.a = { "nodes.update.params.add" = 3.0 }',
         "toy.toml: [variants.arms.a] nodes.update.params.add: [variants] varies it already"),
        ("[variants.arms.a]\nnodes.updte.params.add = 3.0",
         "toy.toml: [variants.arms.a] nodes.updte.params.add: no node is named 'updte'; did you mean 'update'?"),
        ("[variants.arms.a]\nnodes.update.params.ad = 3.0",
         "toy.toml: variant a: [nodes.update] params.ad = 3.0: no such param; did you mean 'add'?"),
        ("[variants]\narms = 3", "toy.toml: [variants] arms = 3: expected tables [variants.arms.NAME]"),
        ("[variants]\narms.a = 3", "toy.toml: [variants.arms] a = 3: expected a table of what the arm sets"),
        ('[variants.arms]\n"a b" = {}',
         "toy.toml: [variants.arms] name = 'a b': expected letters, digits, '.', '_' and '-'"),
        ('[[variants]]\n"nodes.update.params.add" = 1.0',
         "toy.toml: [variants] 1: name: expected letters, digits, '.', '_' and '-'"),
        ('[[variants]]\nname = "a b"',
         "toy.toml: [variants] name = 'a b': expected letters, digits, '.', '_' and '-'"),
        ('[[variants]]\nname = "a"\n[[variants]]\nname = "a"',
         "toy.toml: [variants] name = 'a': stands there twice"),
    ],
)  # fmt: skip
def test_mistakes_in_variants_are_told(lab, variants, expected):
    assert expected in mistakes(lab, variants)


def test_variants_that_are_no_table_are_a_mistake(lab):
    with pytest.raises(SpecError, match=r"toy.toml: variants = 5: expected a table \[variants\] or several"):
        lab.load(f"variants = 5\n{SPEC}")


def test_how_nodes_fit_is_checked_in_every_variant(lab):
    spec = lab.load(SPEC + '[variants]\n"nodes.sum.inputs.items" = ["scaled", "update"]')
    with pytest.raises(
        SpecError, match=r"toy.toml: variant items=update: \[nodes.sum\] inputs.items = 'update': gives"
    ):
        unroll(spec)


def test_table_has_a_row_a_variant_and_the_facts_that_differ(lab):
    text = SPEC + '[variants]\n"nodes.data.params.count" = [2, 3]\n"nodes.data.params.size" = [1, 2]\n'
    text += '[nodes.more]\nkind = "TOYS:scale"\ninputs = { item = "data" }\n'
    result = lab.run(text)
    rows = variant_table(lab.load(text), lab.store, result.outputs)
    assert rows == [
        ("count", "size", "entries"),
        ("2", "1", "2"),
        ("2", "2", "2"),
        ("3", "1", "3"),
        ("3", "2", "3"),
    ]
    assert variant_table(lab.load(SPEC), lab.store, result.outputs) == []


def test_run_ends_with_the_table(lab):
    spec = lab.write(SPEC + '[variants]\n"nodes.update.params.add" = [1e-5, 2]\n')
    told = lab.command("run", spec).stdout.splitlines()
    assert told[2] == "" and told[3].split()[0] == "add" and [row.split()[0] for row in told[4:]] == ["1e-5", "2"]


def test_table_of_listed_variants_has_their_names_and_blanks(lab):
    text = (
        SPEC
        + """
[[variants]]
name = "few"
[[variants]]
name = "many"
"nodes.data.params.count" = 4
"""
    )
    text = text.replace("[nodes.end]", "[nodes.last]").replace(
        'kind = "TOYS:clip"\ninputs = { numbers', 'kind = "TOYS:scale"\ninputs = { item = "data", bias'
    )
    result = lab.run(text, until="last@few")
    assert variant_table(lab.load(text), lab.store, result.outputs) == [
        ("variant", "count", "entries"),
        ("few", "", "3"),
        ("many", "4", ""),
    ]


def test_table_of_arms_with_a_grid_has_a_row_each_and_no_column_for_many_keys(lab):
    text = SPEC.replace("[nodes.end]", "[nodes.last]").replace(
        'kind = "TOYS:clip"\ninputs = { numbers', 'kind = "TOYS:scale"\ninputs = { item = "data", bias'
    )
    arms = """
[variants]
"nodes.data.params.first" = [0, 1]
[variants.arms.few]
[variants.arms.many]
"nodes.data.params.count" = 4
"""
    spec = lab.load(text + arms)
    assert variant_table(spec, lab.store, lab.run(text + arms).outputs) == [
        ("variant", "first", "count", "entries"),
        ("few", "0", "", "3"),
        ("few", "1", "", "3"),
        ("many", "0", "4", "4"),
        ("many", "1", "4", "4"),
    ]
    more = "".join(f'"nodes.update.{key}" = 1\n' for key in ("seed", "threads", "retries", "timeout"))
    assert variant_table(lab.load(text + arms + more), lab.store, {})[0] == ("variant", "first")


def test_an_arm_takes_an_input_back(lab):
    text = SPEC.replace('before = "update[-1].numbers | sum" }', 'before = "update[-1].numbers | sum", data = "sum" }')
    arms = '[variants.arms.with]\n[variants.arms.without]\n"nodes.update.inputs" = { data = "" }'
    instances = unroll(lab.load(text + arms))
    assert set(instances["update@with[1]"].sources) == {"before", "data"}
    assert set(instances["update@without[1]"].sources) == {"before"}


def test_an_input_taken_back_by_a_wrong_name_is_told(lab):
    arms = '[variants.arms.a]\n"nodes.update.inputs" = { befor = "" }'
    with pytest.raises(SpecError, match=r"inputs.befor: .* has no such input; did you mean 'before'"):
        lab.load(SPEC + arms)
    lab.load(SPEC + arms.replace("befor", "probe"))  # of a kind that is not there any more, say


def test_seeds_of_an_arm_are_one_row_with_mean_and_deviation(lab):
    text = SPEC.replace("[nodes.end]", "[nodes.last]").replace(
        'kind = "TOYS:clip"\ninputs = { numbers', 'kind = "TOYS:scale"\ninputs = { item = "data", bias'
    )
    arms = """
[variants]
"experiment.seed" = [7, 8, 9]
arms.few = {}
arms.many = { "nodes.data.params.count" = 4 }
"""
    assert variant_table(lab.load(text + arms), lab.store, lab.run(text + arms).outputs) == [
        ("variant", "count", "entries"),
        ("few", "", "3 ± 0 (3)"),
        ("many", "4", "4 ± 0 (3)"),
    ]
    # 1, 2 and 3: the mean is 2, the deviation sqrt((1 + 0 + 1) / 2) = 1; of intervals the first number counts.
    assert _mean_text(["1 0.5 1.5", "2 1 3", "3 2 4"]) == "2 ± 1 (3)" and _mean_text(["0.5 0.4 0.6"]) == "0.5 0.4 0.6"
    assert variant_table(lab.load(SPEC + '[variants]\n"experiment.seed" = [7, 8]'), lab.store, {})[0] == ("seed",)
