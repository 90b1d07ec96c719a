"""Maps: one action an element, zipped by key or broadcast, failed elements kept apart."""

from __future__ import annotations

import pytest

from graph.errors import NotFoundError, RunError
from graph.plan import make_plan
from graph.recompute import recompute
from tests.graph.conftest import TOYS

MAP = """
[experiment]
name = "map"
[nodes.data]
kind = "TOYS:make_list"
[nodes.scaled]
kind = "TOYS:scale"
inputs = { item = "data" }
[nodes.sum]
kind = "TOYS:total"
inputs = { items = "scaled" }
"""


def entries(lab, digest):
    reader = lab.store.reader(digest)
    return {key: lab.values(reader.entry(key).digest)[0] for key in reader.keys() if key != "zarr.json"}


def test_one_more_element_runs_one(lab):
    first = lab.run(MAP)
    second = lab.run(MAP, "nodes.data.params.count=4")
    assert lab.executed == {"list": 1, "scale": 1, "sum": 1}
    assert entries(lab, second.outputs["scaled"]) == {"e000": 0, "e001": 2, "e002": 4, "e003": 6}
    assert entries(lab, first.outputs["scaled"]).items() < entries(lab, second.outputs["scaled"]).items()


def test_one_element_less_runs_none(lab):
    lab.run(MAP)
    result = lab.run(MAP, "nodes.data.params.count=2")
    assert lab.executed == {"list": 1, "sum": 1}
    assert entries(lab, result.outputs["scaled"]) == {"e000": 0, "e001": 2}


def test_fully_cached_map_costs_one_record(lab):
    lab.run(MAP)
    result = lab.run(MAP)
    assert result.found == 3 and result.computed == 0  # data, scaled as a whole, sum


def test_no_elements_give_an_empty_collection(lab):
    result = lab.run(MAP, "nodes.data.params.count=0")
    assert entries(lab, result.outputs["scaled"]) == {} and lab.values(result.outputs["sum"]) == [0]


# `more` holds e001..e003, `data` e000..e002: e000 has no entry of its own there.
ZIP = """
[experiment]
name = "zip"
[nodes.data]
kind = "TOYS:make_list"
[nodes.more]
kind = "TOYS:make_list"
params = { first = 1, count = 3 }
[nodes.scaled]
kind = "TOYS:scale"
inputs = { item = "data", bias = "more" }
params = { factor = 10.0 }
"""


def test_zipped_entry_that_is_absent_is_none(lab):
    result = lab.run(ZIP)
    # e000: 0 * 10, no bias; e001: 1 * 10 + 1; e002: 2 * 10 + 2.
    assert entries(lab, result.outputs["scaled"]) == {"e000": 0, "e001": 11, "e002": 22}


def test_change_of_a_zipped_entry_runs_its_element_only(lab):
    lab.run(ZIP)
    result = lab.run(ZIP, "nodes.more.params.count=1")  # e002 loses its bias
    assert lab.executed == {"list": 1, "scale": 1}
    assert entries(lab, result.outputs["scaled"]) == {"e000": 0, "e001": 11, "e002": 20}


def test_broadcast_collection_reaches_every_element(lab):
    text = ZIP.split("[nodes.scaled]")[0]
    text += '[nodes.spread]\nkind = "TOYS:spread"\ninputs = { item = "data", others = "more" }\n'
    result = lab.run(text)  # the mean of 1, 2, 3 is 2
    assert entries(lab, result.outputs["spread"]) == {"e000": -2, "e001": -1, "e002": 0}
    lab.run(text, "nodes.more.params.count=4")
    assert lab.executed == {"list": 1, "spread": 3}


def test_broadcast_artifact_reaches_every_element(lab):
    text = MAP + '[nodes.again]\nkind = "TOYS:scale"\ninputs = { item = "data", bias = "sum" }\n'
    result = lab.run(text)  # bias 0 + 2 + 4 = 6
    assert entries(lab, result.outputs["again"]) == {"e000": 6, "e001": 8, "e002": 10}


def test_failed_element_is_listed_and_the_rest_is_kept(lab):
    with pytest.raises(RunError) as caught:
        lab.run(MAP, "nodes.scaled.params.fail_on=[1.0]")
    (line,) = caught.value.failures
    assert "node scaled (action " in line and line.endswith("failed on 'e001': ValueError: value 1.0 is not wanted")
    assert lab.executed == {"list": 1, "scale": 3}
    with pytest.raises(RunError):
        lab.run(MAP, "nodes.scaled.params.fail_on=[1.0]")
    assert lab.executed == {"scale": 1}


def test_elements_that_may_fail_are_left_out_for_their_readers(lab):
    text = MAP.replace('kind = "TOYS:scale"', 'kind = "TOYS:scale"\nmay_fail = 1', 1)
    events = []
    result = lab.run(text, "nodes.scaled.params.fail_on=[1.0]", listeners=[events.append])
    assert entries(lab, result.outputs["scaled"]) == {"e000": 0, "e002": 4}
    assert lab.values(result.outputs["sum"]) == [4]
    (ended,) = [event for event in events if event.label == "scaled" and event.state == "done"]
    assert ended.error == "1 of 3 elements failed; may_fail = 1"
    # the failed one is tried again, and what depends on the rest is found
    again = lab.run(text, "nodes.scaled.params.fail_on=[1.0]")
    assert lab.executed == {"scale": 1} and again.digest == result.digest
    # nobody who wants all of it takes the rest for it
    with pytest.raises(RunError, match="failed on 'e001'"):
        lab.run(MAP, "nodes.scaled.params.fail_on=[1.0]")


def test_more_failures_than_may_be_end_the_run(lab):
    text = MAP.replace('kind = "TOYS:scale"', 'kind = "TOYS:scale"\nmay_fail = 1', 1)
    with pytest.raises(RunError) as caught:
        lab.run(text, "nodes.scaled.params.fail_on=[1.0, 2.0]")
    assert len(caught.value.failures) == 2
    with pytest.raises(RunError):  # nothing would be left
        lab.run(text.replace("may_fail = 1", "may_fail = 3"), "nodes.scaled.params.fail_on=[0.0, 1.0, 2.0]")


PARTNER = """
[experiment]
name = "partner"
[nodes.data]
kind = "TOYS:make_list"
[nodes.mid]
kind = "TOYS:scale"
may_fail = 1
inputs = { item = "data" }
params = { fail_on = [1.0] }
[nodes.scaled]
kind = "TOYS:scale"
inputs = { item = "data", bias = "mid" }
params = { factor = 10.0 }
[nodes.last]
kind = "TOYS:scale"
inputs = { item = "data", bias = "scaled" }
params = { factor = 100.0 }
"""


@pytest.mark.parametrize("more", ["", '[compute]\nexecutor = "local"\nworkers = 1\n'])
def test_element_that_a_zipped_input_lost_is_left_out_and_told(lab, more):
    events = []
    result = lab.run(more + PARTNER, listeners=[events.append])
    # e000: 0, 0 * 10 + 0, 0 * 100 + 0; e002: 2 * 2 = 4, 2 * 10 + 4 = 24, 2 * 100 + 24 = 224; never e001 without a bias
    assert entries(lab, result.outputs["scaled"]) == {"e000": 0, "e002": 24}
    assert entries(lab, result.outputs["last"]) == {"e000": 0, "e002": 224}
    assert lab.executed == {"list": 1, "scale": 3 + 2 + 2}
    told = {event.label: event.error for event in events if event.state == "done"}
    assert told["mid"] == "1 of 3 elements failed; may_fail = 1"
    assert told["scaled"] == told["last"] == "1 left out, lost before"
    again = lab.run(more + PARTNER)  # the lost one is tried again, the rest is found
    assert lab.executed == {"scale": 1} and again.digest == result.digest
    mended = lab.run(more + PARTNER, "nodes.mid.params.fail_on=[]")  # e001: 1 * 2, 10 + 2, 100 + 12
    assert entries(lab, mended.outputs["last"]) == {"e000": 0, "e001": 112, "e002": 224}


def test_lost_elements_are_lost_behind_maps_over_them_and_nodes_between(lab):
    own = PARTNER.replace('bias = "mid"', 'bias = "over"').replace(
        "[nodes.scaled]",
        """[nodes.over]
kind = "TOYS:scale"
inputs = { item = "mid" }
[nodes.scaled]""",
    )
    assert entries(lab, lab.run(own).outputs["scaled"]) == {"e000": 0, "e002": 28}  # 2 * 2 * 2 = 8; 20 + 8
    (lab.folder / "kinds.py").write_text(
        "from toys import Numbers\nfrom graph.node import node\nfrom store.collection import Collection\n"
        "@node('toy.sift', version=1)\ndef sift(items: Collection[Numbers]) -> Collection[Numbers]:\n"
        "    return Collection(Numbers, {key: items[key] for key in items if key != 'e002'})\n"
    )
    (lab.folder / "toys.py").write_text(TOYS.read_text())
    between = (
        PARTNER.replace('bias = "mid"', 'bias = "sifted"')
        .replace(
            "[nodes.scaled]",
            """[nodes.sifted]
kind = "kinds.py:sift"
inputs = { items = "mid" }
[nodes.scaled]""",
        )
        .replace("TOYS", "toys.py")
    )
    # e002 was not lost: the node between took it out, so it runs without a bias
    assert entries(lab, lab.run(between).outputs["scaled"]) == {"e000": 0, "e002": 20}


def test_record_of_a_map_without_bias_does_not_stand_for_a_lost_one(lab):
    # the same inputs by digest: a `mid` that never had e001
    short = PARTNER.replace('inputs = { item = "data" }', 'inputs = { item = "one" }').replace("may_fail = 1\n", "")
    short += "".join(f'[nodes.{name}]\nkind = "TOYS:make_list"\nparams = {{ {more} }}\n' for name, more in ())
    short = short.replace(
        "[nodes.mid]",
        """[nodes.one]
kind = "TOYS:make_list"
params = { count = 1 }
[nodes.mid]""",
    )
    full = lab.run(short)
    assert entries(lab, full.outputs["scaled"]) == {"e000": 0, "e001": 10, "e002": 20}
    lost = lab.run(PARTNER.replace("may_fail = 1", "may_fail = 2"), "nodes.mid.params.fail_on=[1.0, 2.0]")
    assert lost.outputs["mid"] == full.outputs["mid"]
    assert entries(lab, lost.outputs["scaled"]) == {"e000": 0}


def test_what_was_left_out_is_told_after_the_run(lab):
    done = lab.command("run", lab.write(PARTNER))
    assert done.returncode == 0 and "computed" in done.stdout
    failed, *left = done.stderr.splitlines()[-3:]
    assert failed.startswith("node mid (action ") and failed.endswith("on 'e001': ValueError: value 1.0 is not wanted")
    assert left == [f"node {name} left out 'e001', since mid failed on it" for name in ("scaled", "last")]


def test_nodes_below_a_partial_map_run_alone(lab):
    text = MAP.replace('kind = "TOYS:scale"', 'kind = "TOYS:scale"\nmay_fail = 1', 1)
    failing = "nodes.scaled.params.fail_on=[1.0]"
    whole = lab.run(text, failing)
    alone = lab.run(text, failing, "nodes.sum.params.tag='again'", only="sum")
    assert lab.executed == {"sum": 1} and lab.values(alone.outputs["sum"]) == [4]  # 0 * 2 + 2 * 2
    assert alone.left_out == ["node scaled: 1 of 3 elements have no record: 'e001'"]
    assert alone.outputs["scaled"] == whole.outputs["scaled"]
    (compared,) = recompute(lab.load(text, failing), lab.store, "sum")
    assert compared.actions == 1 and not compared.differences
    planned = {one.label: one for one in make_plan(lab.load(text, failing), lab.store)}
    assert planned["scaled"].reason == "1 of 3 elements have no record" and planned["scaled"].missing == 1
    # elements behind a lost one stay out, too
    lab.run(PARTNER)
    last = lab.run(PARTNER, "nodes.last.params.factor=1000.0", only="last")
    assert entries(lab, last.outputs["last"]) == {"e000": 0, "e002": 2024} and lab.executed == {"scale": 2}
    with pytest.raises(NotFoundError, match="it needs scaled, which is not in the store"):
        lab.run(text, "nodes.scaled.params.factor=3.0", only="sum")


def test_element_that_failed_by_accident_runs_alone_next_time(lab, tmp_path):
    kinds = tmp_path / "kinds.py"
    kinds.write_text(
        "from pathlib import Path\n"
        "from graph.node import node\nfrom store.artifact import Artifact\nfrom store.collection import Collection\n"
        "class Box(Artifact):\n    type = 'box/1'\n    def __init__(self, n): self.n = n\n"
        "    def write(self, w): w.attrs['n'] = self.n\n"
        "    @classmethod\n    def open(cls, r): return cls(r.attrs['n'])\n"
        "@node('a.list', version=1)\ndef boxes() -> Collection[Box]:\n"
        "    return Collection(Box, {f'b{n}': Box(n) for n in range(5)})\n"
        "@node('a.open', version=1, each='box')\ndef unpack(box: Box) -> Box:\n"
        f"    with open({str(lab.count_file)!r}, 'a') as f: f.write('unpack\\n')\n"
        f"    if box.n == 3 and not Path({str(tmp_path / 'key')!r}).exists(): raise OSError('locked')\n"
        "    return Box(box.n + 1)\n"
    )
    text = '[experiment]\nname = "x"\n[nodes.a]\nkind = "kinds.py:boxes"\n'
    text += '[nodes.b]\nkind = "kinds.py:unpack"\ninputs = { box = "a" }\n'
    with pytest.raises(RunError, match="failed on 'b3': OSError: locked"):
        lab.run(text)
    assert lab.executed == {"unpack": 5}
    (tmp_path / "key").touch()
    lab.run(text)
    assert lab.executed == {"unpack": 1}


def test_every_element_draws_from_a_seed_of_its_own(lab):
    text = MAP + '[nodes.drawn]\nkind = "TOYS:draw"\ninputs = { item = "data" }\n'
    drawn = entries(lab, lab.run(text, until="drawn").outputs["drawn"])
    assert len(set(drawn.values())) == 3
    more = entries(lab, lab.run(text, "nodes.data.params.count=4", until="drawn").outputs["drawn"])
    assert more.items() > drawn.items() and lab.executed == {"list": 1, "draw": 1}


def test_collection_of_thousands_is_split_and_still_maps(lab):
    lab.run(MAP, "nodes.data.params.count=4100", until="data")
    result = lab.run(MAP, "nodes.data.params.count=4100")
    assert lab.executed == {"scale": 4100, "sum": 1}
    assert lab.values(result.outputs["sum"]) == [4100 * 4099]  # twice the sum of 0..4099
    lab.run(MAP, "nodes.data.params.count=4101")
    assert lab.executed == {"list": 1, "scale": 1, "sum": 1}


def test_map_of_which_nothing_is_left_fails(lab):
    text = PARTNER.replace('item = "data", bias = "mid"', 'item = "one", bias = "mid"')
    text += '[nodes.one]\nkind = "TOYS:make_list"\nparams = { first = 1, count = 1 }\n'
    with pytest.raises(RunError) as caught:
        lab.run(text)
    assert caught.value.failures == ["node scaled left out 'e001', since mid failed on it"]
