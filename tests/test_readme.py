"""The README's example is the spec that it says it is, and holds together."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from graph.cli import main

ROOT = Path(__file__).parents[1]


def test_the_example_is_the_spec(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    match = re.search(r"`specs/first.toml`:\n\n```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert match is not None
    spec = ROOT / "specs" / "first.toml"
    assert spec.read_text().endswith(f"\n\n{match[1]}") and spec.read_text().startswith("# ")
    assert main(["plan", str(spec), "--store", str(tmp_path)]) == 0
    assert "curve" in capsys.readouterr().out
