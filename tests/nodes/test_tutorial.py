"""The tutorial's files and commands, as they are written, and what it says that they print."""

from __future__ import annotations

from pathlib import Path

from tests.pages import agrees, follow, make_environment

TUTORIAL = Path(__file__).parents[2] / "nodes" / "TUTORIAL.md"


def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    commands = 0
    for step, told in follow(TUTORIAL, folder, make_environment(tmp_path / "environment")):
        assert agrees(step.printed, told), f"$ {step.command}\n{told}\nexpected\n{step.printed}"
        commands += 1
    assert commands > 5
