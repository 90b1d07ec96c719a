"""Pages of files and commands, as `nodes/TUTORIAL.md` is one: followed as a reader follows them, in an environment of
their own.

A file is a fenced block under a line that is its path in backticks; a command is an indented line after `$`, and what
is indented below is what it prints. `...` stands for any lines, and what differs between runs and machines may differ:
digests, ids of runs, seconds, decimals.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FILE = re.compile(r"^`([\w./-]+)`\n\n```\w*\n(.*?)^```$", re.M | re.S)
COMMAND = re.compile(r"^    \$ (.+)\n((?:    (?!\$ ).*\n|\n(?=    (?!\$ )))*)", re.M)
VARYING = re.compile(r"[0-9a-f]{64}|\d{8}T\d{9}-[0-9a-f]{4}|\d+(?:\.\d+)? (?:s|ms|min)\b|[+-]?\d+\.\d+")
COLUMNS = re.compile(r"(?<=\S) {2,}")  # as wide as what varies


class Step(NamedTuple):
    """A file to write, or a command to give with what it prints."""

    place: int
    path: str
    text: str
    command: str
    printed: str


def steps(page: str) -> list[Step]:
    """Return what a page asks for, in its order."""
    files = [Step(match.start(), match[1], match[2], "", "") for match in FILE.finditer(page)]
    commands = [
        Step(match.start(), "", "", match[1], re.sub("^    ", "", match[2], flags=re.M))
        for match in COMMAND.finditer(page)
    ]
    return sorted([*files, *commands])


def make_environment(folder: Path) -> dict[str, str]:
    """Make an environment that has what this one has, and return the variables of a shell in it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    scripts, version = folder / "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}"
    # `addsitedir` follows editable installs, of dataflow itself among them; what is installed here goes first.
    site = folder / "lib" / version / "site-packages" / "zz_all.pth"
    site.write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    for name, start in {
        "dataflow": "from graph.cli import script as run",
        "pip": "from pip._internal.cli.main import main as run",
    }.items():
        (scripts / name).write_text(f"#!{scripts / 'python'}\nimport sys\n{start}\nsys.exit(run())\n")
        (scripts / name).chmod(0o755)
    more = {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_INDEX": "1"}
    return {**os.environ, **more, "DATAFLOW_STORE": str(folder / "store"), "XDG_CACHE_HOME": str(folder / "cache")}


def follow(page: Path, folder: Path, variables: dict[str, str]) -> Iterator[tuple[Step, str]]:
    """Write a page's files and give its commands in a folder; yield each command with what it printed.

    Raises:
        AssertionError: a command failed.
    """
    for step in steps(page.read_text()):
        if step.path:
            (folder / step.path).parent.mkdir(parents=True, exist_ok=True)
            (folder / step.path).write_text(step.text)
            continue
        done = subprocess.run(
            step.command, shell=True, cwd=folder, env=variables, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, f"{step.command}\n{done.stdout}\n{done.stderr}"
        yield step, done.stderr + done.stdout


def agrees(printed: str, told: str) -> bool:
    """Tell whether a command printed what a page says that it prints."""
    pieces = [_steady(line) for line in printed.splitlines()]
    pattern = "".join(r"(?:.*\n)*?" if piece.strip() == "..." else re.escape(piece) + r"\n" for piece in pieces)
    return re.fullmatch(pattern, "".join(_steady(line) + "\n" for line in told.splitlines())) is not None


def _steady(line: str) -> str:
    """Return a line with a mark in place of what varies."""
    return COLUMNS.sub("  ", VARYING.sub("#", line.rstrip()))
