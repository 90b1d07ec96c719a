"""Experiments from Python: the words of the command line as methods, outputs as handles."""

from __future__ import annotations

import datetime
import tomllib
from pathlib import Path

import numpy as np
import pytest

from graph.errors import NotFoundError, RunError, SpecError
from graph.experiment import Experiment, toml_text

KINDS = """
from msgspec import Struct
from graph.node import node
from store.artifact import Artifact
from store.collection import Collection

class Row(Struct, frozen=True):
    name: str
    weight: float
    tags: tuple[str, ...]

class Rows(Artifact):
    type = "rows/1"
    def __init__(self, rows): self.rows = rows
    def write(self, w): w.table("rows", self.rows, Row)
    @classmethod
    def open(cls, r): return cls(r.table("rows", Row))
    def summary(self): return {"heaviest": max(row.weight for row in self.rows)}

class P(Struct, frozen=True):
    weights: tuple[float, ...] = (1.5, 0.5)

@node("toy.rows", version=1)
def rows(*, params: P) -> Rows:
    return Rows([Row(f"r{n}", weight, ("a", "b")[:n]) for n, weight in enumerate(params.weights)])

@node("toy.pool", version=1)
def pool(rows: Rows) -> Collection[Rows]:
    return Collection(Rows, {row.name: Rows([row]) for row in rows.rows})
"""
TABLES = """
[experiment]
name = "tables"
[nodes.rows]
kind = "kinds.py:rows"
[nodes.pool]
kind = "kinds.py:pool"
inputs = { rows = "rows" }
"""


@pytest.fixture
def tables(lab):
    (lab.folder / "kinds.py").write_text(KINDS)
    return lab.write(TABLES)


def test_run_gives_handles_by_node_and_round(lab, loop, capfd):
    toy = Experiment(lab.write(loop))
    result = toy.run()
    assert result["sum"].type == "numbers/1" and result["sum"].open().values.tolist() == [6]
    assert result["update", 1].label == "update[1]" and result["update"].label == "update[2]"
    assert result["update[1]"].digest == result["update", 1].digest
    assert list(result) == ["data", "scaled", "sum", "update[1]", "update[2]", "report"] and len(result) == 6
    assert result["scaled"].keys() == ["e000", "e001", "e002"]
    assert result["scaled"]["e001"].open().values.tolist() == result["scaled.e001"].open().values.tolist() == [2]
    assert result["update"]["notes"].type == "notes/1" and result["update"]["notes"].open().text.startswith("drew ")
    assert "update[2]  done" in capfd.readouterr().err


def test_settings_are_python_values(lab, loop):
    toy = Experiment(lab.write(loop), set={"nodes.data.params": {"count": 2, "first": 1}, "experiment.rounds": 1})
    result = toy.run()
    assert result["sum"].open().values.tolist() == [6] and "update[2]" not in result  # (1 + 2) * 2
    with pytest.raises(SpecError, match=r"nodes\.scaled"):
        Experiment(lab.write(loop), set={"nodes.scaled.params.factor": "much"})


def test_plan_prints_as_a_table_and_knows_what_would_run(lab, loop):
    toy = Experiment(lab.write(loop))
    assert not toy.plan().is_hit
    toy.run()
    assert toy.plan().is_hit and toy.plan()[0].label == "data"
    other = Experiment(lab.write(loop), set={"nodes.scaled.params.factor": 3.0}).plan(until="scaled")
    assert [planned.state for planned in other] == ["hit", "will run"]
    assert "params.factor 2.0 -> 3.0" in repr(other) and "<table>" in other._repr_html_()


def test_edits_of_spec_and_code_are_seen(tables, lab):
    experiment = Experiment(tables)
    assert experiment.run()["rows"].summary() == {"heaviest": 1.5}
    (lab.folder / "kinds.py").write_text(KINDS.replace("(1.5, 0.5)", "(2.5, 0.5)"))
    assert "params.weights[0] 1.5 -> 2.5" in experiment.plan()[0].reason
    assert experiment.run()["rows"].summary() == {"heaviest": 2.5}
    lab.write(TABLES.split("[nodes.pool]")[0])
    assert len(experiment.plan()) == 1


def test_latest_computes_nothing(lab, loop):
    toy = Experiment(lab.write(loop))
    with pytest.raises(NotFoundError, match="no run of experiment 'toy'"):
        toy.latest()
    result = toy.run()
    lab.forget()
    latest = Experiment(lab.write(loop), set={"nodes.scaled.params.factor": 3.0}).latest()
    assert latest.run == result.run and latest["sum"].digest == result["sum"].digest and lab.executed == {}


def test_failed_run_raises_and_the_rest_is_there(lab, loop):
    toy = Experiment(lab.write(loop), set={"nodes.scaled.params.fail_on": [1.0]})
    with pytest.raises(RunError, match=r"value 1\.0 is not wanted"):
        toy.run()
    assert list(toy.latest()) == ["data"]


def test_store_can_be_another(lab, loop, tmp_path):
    result = Experiment(lab.write(loop), store=str(tmp_path / "other")).run()
    assert not lab.store.manifests.has(result["sum"].digest) and (tmp_path / "other").is_dir()


def test_what_is_not_there_is_a_key_error(lab, loop):
    result = Experiment(lab.write(loop)).run()
    with pytest.raises(KeyError, match="did you mean 'sum'"):
        result["sun"]
    with pytest.raises(KeyError, match=r"has no update\[9\]"):
        result["update", 9]
    with pytest.raises(NotFoundError, match="scaled has no entry 'e01'; did you mean 'e001'"):
        result["scaled"]["e01"]
    assert "sun" not in result and result.get("sun") is None


def test_tables_are_data_frames(tables):
    result = Experiment(tables).run()
    frame = result["rows"].pandas("rows")
    assert frame["name"].tolist() == ["r0", "r1"] and frame["weight"].tolist() == [1.5, 0.5]
    pool = result["pool"].pandas("rows")
    assert pool.index.names == ["entry", "row"] and pool.loc["r1", "weight"].tolist() == [0.5]
    assert result["rows"].xarray("rows")["weight"].values.tolist() == [1.5, 0.5]
    assert result["rows"].zarr()["rows/weight"][:].tolist() == [1.5, 0.5]
    with pytest.raises(NotFoundError, match="rows is rows/1 and has no table 'lines'"):
        result["rows"].pandas("lines")


def test_handle_prints_what_show_prints(tables, lab):
    handle = Experiment(tables).run()["rows"]
    assert handle.summary() == {"heaviest": 1.5}
    shown = lab.command("show", tables, "rows").stdout
    assert repr(handle) == shown.rstrip("\n") and "heaviest  1.5" in shown


@pytest.mark.parametrize(
    "value",
    [0.8, 1e-5, float("inf"), 3, True, "a \"b\"\n\\ é \x7f", [1, [2.5, "x"]], (1, 2), {"a b": {"c": []}},
     np.float64(0.1), datetime.date(2026, 1, 2), datetime.datetime(2026, 1, 2, 3, 4, 5), datetime.time(1, 2)],
)  # fmt: skip
def test_values_are_written_as_toml(value):
    plain = list(value) if isinstance(value, tuple) else value
    assert tomllib.loads(f"value = {toml_text(value)}")["value"] == plain


def test_paths_are_text_and_what_toml_lacks_is_refused():
    assert toml_text(Path("a/b")) == '"a/b"'
    with pytest.raises(TypeError, match="TOML has no NoneType"):
        toml_text(None)
