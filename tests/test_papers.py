"""The specs of papers: all of them hold together, and without their data the folders that lack are what is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph.cli import main

SPECS = Path(__file__).parents[1] / "specs"
FOLDERS = {
    "ouroboros": ("SCANNET", "SCANNETPP", "ARKITSCENES"),
    "spacer": ("SCANNET", "SPACER_GENERAL"),
    "spatialevo": ("SCANNET",),
}


@pytest.mark.parametrize("paper", FOLDERS)
def test_small_specs_plan(paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(SPECS / f"{paper}.toml"), "--store", str(tmp_path)]) == 0
    assert "curve" in capsys.readouterr().out


@pytest.mark.parametrize("paper", FOLDERS)
def test_specs_with_the_papers_values_plan(
    paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = str(SPECS / f"{paper}.paper.toml")
    for name in FOLDERS[paper]:
        monkeypatch.delenv(name, raising=False)
    assert main(["plan", spec, "--store", str(tmp_path / "store")]) == 2
    lines = capsys.readouterr().err.splitlines()
    told = {name for name in FOLDERS[paper] if any(f"'${{{name}}}': this environment" in line for line in lines)}
    assert told == {*FOLDERS[paper]} and all(line.endswith("this environment variable is not set") for line in lines)
    for name in FOLDERS[paper]:
        (tmp_path / name).mkdir()
        monkeypatch.setenv(name, str(tmp_path / name))
    assert main(["plan", spec, "--store", str(tmp_path / "store")]) == 0
    assert "curve" in capsys.readouterr().out
