"""Specs of papers and of real data hold together, and without their data the folders that lack are what is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph.cli import main

SPECS = Path(__file__).parents[1] / "specs"
FOLDERS = {
    "ouroboros.paper": ("SCANNET", "SCANNETPP", "ARKITSCENES"),
    "spacer.paper": ("SCANNET", "SPACER_GENERAL"),
    "spatialevo.paper": ("SCANNET",),
    "lab": ("SCANNET", "VSIBENCH"),
}


@pytest.mark.parametrize("paper", ["ouroboros", "spacer", "spatialevo"])
def test_small_specs_plan(paper: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(SPECS / f"{paper}.toml"), "--store", str(tmp_path)]) == 0
    assert "curve" in capsys.readouterr().out


@pytest.mark.parametrize("name", FOLDERS)
def test_specs_of_real_data_plan(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = str(SPECS / f"{name}.toml")
    for folder in FOLDERS[name]:
        monkeypatch.delenv(folder, raising=False)
    assert main(["plan", spec, "--store", str(tmp_path / "store")]) == 2
    lines = capsys.readouterr().err.splitlines()
    told = {folder for folder in FOLDERS[name] if any(f"'${{{folder}}}': this environment" in line for line in lines)}
    assert told == {*FOLDERS[name]} and all(line.endswith("this environment variable is not set") for line in lines)
    for folder in FOLDERS[name]:
        (tmp_path / folder).mkdir()
        monkeypatch.setenv(folder, str(tmp_path / folder))
    assert main(["plan", spec, "--store", str(tmp_path / "store")]) == 0
    assert "curve" in capsys.readouterr().out
