"""A lab: specs, a store and a count of what was executed, all below tmp_path."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest

from graph.code import read_code, refresh_project
from graph.run import Result, run
from graph.spec import Spec, load_spec
from store.artifact import Reader
from store.open import Store, open_store

ROOT = Path(__file__).parents[2]
TOYS = Path(__file__).with_name("toys.py")

# Three elements 0, 1, 2; doubled; their sum 6; two rounds of a drawing step from it; a report over the rounds.
LOOP = """
[experiment]
name = "toy"
seed = 7
rounds = 2
[nodes.data]
kind = "TOYS:make_list"
[nodes.scaled]
kind = "TOYS:scale"
inputs = { item = "data" }
[nodes.sum]
kind = "TOYS:total"
inputs = { items = "scaled" }
[nodes.update]
kind = "TOYS:step"
inputs = { before = "update[-1].numbers | sum" }
[nodes.report]
kind = "TOYS:report"
inputs = { rounds = "update[all]" }
"""


class Lab:
    """A folder with specs, a store, and a file that counts executions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store: Store = open_store(str(folder / "store"))
        self.count_file = folder / "count"

    def write(self, text: str, name: str = "toy.toml", toys: Path = TOYS) -> Path:
        """Write a spec, TOYS in it being the kinds' file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("TOYS", str(toys)))
        return path

    def load(self, text: str, *settings: str) -> Spec:
        return load_spec(self.write(text), list(settings))

    def run(self, text: str, *settings: str, until: str | None = None, **options) -> Result:
        """Run a spec in this process; `executed` tells what this run executed."""
        self.forget()
        return run(self.load(text, *settings), self.store, list(settings), until, **options)

    def forget(self) -> None:
        self.count_file.unlink(missing_ok=True)

    @property
    def executed(self) -> dict[str, int]:
        """How often each toy was executed since the last run began."""
        return dict(Counter(self.count_file.read_text().split())) if self.count_file.exists() else {}

    def command(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command line in a process of its own."""
        return subprocess.run(
            self.line(*arguments), capture_output=True, text=True, cwd=ROOT, env=self.environment(), timeout=120
        )

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start a command line as the leader of a process group of its own."""
        return subprocess.Popen(
            self.line(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=self.environment(),
            start_new_session=True,
        )

    @staticmethod
    def line(*arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "graph.cli", *map(str, arguments)]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "DATAFLOW_STORE": self.store.url, "TOYS_COUNT": str(self.count_file)}

    def values(self, digest: str) -> list[float]:
        """The numbers of an artifact that is Numbers."""
        return self.store.reader(digest).array("values").tolist()

    def text(self, digest: str) -> str:
        """The text of an artifact that is Notes."""
        return self.store.reader(digest).attrs["text"]

    def entry(self, collection: str, key: str) -> Reader:
        return self.store.reader(self.store.reader(collection).entry(key).digest)


@pytest.fixture
def lab(tmp_path, monkeypatch) -> Lab:
    lab = Lab(tmp_path)
    monkeypatch.setenv("TOYS_COUNT", str(lab.count_file))
    monkeypatch.setenv("DATAFLOW_STORE", lab.store.url)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("DATAFLOW_ADDRESS", raising=False)
    return lab


@pytest.fixture
def loop() -> str:
    return LOOP


class Files:
    """A folder on the search path, in which `kinds.py` defines `f`."""

    def __init__(self, folder) -> None:
        self.folder = folder

    def write(self, kinds: str, **files: str) -> None:
        """Write files, by module: `pk.a`; a package's own text is at `pk.__init__`."""
        for name, text in {"kinds": kinds, **files}.items():
            path = self.folder / f"{name.replace('.', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def digest(self, module: str = "kinds") -> str:
        refresh_project()
        return read_code(module, "f").digest

    def counts(self, name: str, old: str, new: str, module: str = "kinds") -> bool:
        """Tell whether an edit changes the digest."""
        before = self.digest(module)
        self.edit(name, old, new)
        return self.digest(module) != before


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "code"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield Files(folder)
    monkeypatch.undo()
    refresh_project()


@pytest.fixture
def big_loop() -> str:
    """The loop with elements that are blobs, not inline."""
    return LOOP.replace('make_list"', 'make_list"\nparams = { size = 5000 }')
