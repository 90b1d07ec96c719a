"""`dataflow init`: what it writes runs as written, and is never written over."""

from __future__ import annotations

from pathlib import Path

from graph.cli import main
from graph.run import run
from graph.spec import load_spec
from nodes.report.curve import Curve
from store.open import open_store


def test_the_starter_runs_as_it_is_written(tmp_path: Path, capsys) -> None:
    folder = tmp_path / "mine"
    assert main(["init", str(folder)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told == [
        str(folder / "experiment.toml"),
        str(folder / "my_nodes.py"),
        f"dataflow run {folder}/experiment.toml",
    ]
    spec = folder / "experiment.toml"
    small = [
        "nodes.warmup.params.steps=2",
        "nodes.rooms.params.count=8",
        "nodes.selected.params.n=32",
        "nodes.update.params.steps=1",
        "compute.executor=inline",
    ]
    store = open_store(str(tmp_path / "store"))
    result = run(load_spec(spec, small), store, small)
    assert len(store.open(result.outputs["curve"], Curve).rows) == 3  # before, and two rounds
    again = run(load_spec(spec, small), store, small)
    assert again.computed == 0
    # a line of the reward: nothing before the probe runs again
    (folder / "my_nodes.py").write_text((folder / "my_nodes.py").read_text().replace("0.1 *", "0.2 *"))
    edited = run(load_spec(spec, small), store, small)
    assert edited.outputs["rollouts[1]"] == result.outputs["rollouts[1]"]
    assert edited.outputs["probe[1]"] != result.outputs["probe[1]"]


def test_what_is_there_stays(tmp_path: Path, capsys) -> None:
    (tmp_path / "my_nodes.py").write_text("# mine")
    assert main(["init", str(tmp_path)]) == 2
    assert "my_nodes.py is there already; nothing was written" in capsys.readouterr().err
    assert (tmp_path / "my_nodes.py").read_text() == "# mine" and not (tmp_path / "experiment.toml").exists()
