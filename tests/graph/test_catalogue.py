"""The catalogue of kinds: complete, and as it stands in the repository."""

from __future__ import annotations

from pathlib import Path

from graph.catalogue import write_catalogue
from graph.cli import main
from graph.registry import registered

FILE = Path(__file__).parents[2] / "nodes" / "KINDS.md"


def test_the_file_is_what_the_kinds_say() -> None:
    text = write_catalogue(registered())
    assert all(f"\n## {name}\n" in text for name in registered())
    told = "nodes/KINDS.md is old: dataflow kinds --markdown > nodes/KINDS.md"
    assert FILE.read_text(encoding="utf-8") == text, told


def test_one_kind_is_told_whole(capsys) -> None:
    assert main(["kinds", "select.band", "--markdown"]) == 0
    text = capsys.readouterr().out
    assert "| `probe` | `probe/2` |  |" in text and "gives `collection of questions/3`" in text
    assert (
        "    Raises:\n        ValueError: a probe of another pool" in text
        and "    n  int >= 1  required  questions" in text
    )
