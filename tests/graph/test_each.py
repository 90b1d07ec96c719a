"""Maps: one action an element, zipped by key or broadcast, failed elements kept apart."""

from __future__ import annotations

import pytest

from graph.errors import RunError

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
