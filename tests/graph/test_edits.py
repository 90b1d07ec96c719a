"""Edits of a project, each with the nodes that must run again: not one less, not one more.

The project is tests/graph/edited. After every edit what a run gives is compared with what an empty store would: a stale
result would show even where the list below is wrong.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from graph.plan import make_plan
from graph.run import run
from graph.runs import Runs
from graph.spec import load_spec
from store.open import open_store

EDITED = Path(__file__).with_name("edited")
ROOT = Path(__file__).parents[2]
NODES = ("measure", "sample", "reward", "ask", "note", "idle")
SPEC = (
    '[experiment]\nname = "edited"\n'
    + "".join(f'[nodes.{name}]\nkind = "kinds.py:{name}"\n' for name in NODES)
    + '[nodes.reward.params]\nreward = "spatial.rewards:accuracy"\n'
)


class Edit(NamedTuple):
    """What happens to a file: `old` is replaced by `new`; a file that is not there is made of `new`."""

    file: str
    old: str
    new: str


def at(file: str, old: str, new: str) -> Edit:
    return Edit(f"spatial/{file}.py", old, new)


def kinds(old: str, new: str) -> Edit:
    return Edit("kinds.py", old, new)


ALL = " ".join(NODES)

# what is edited -> (how, the nodes that must run again)
EDITS: dict[str, tuple[list[Edit], str]] = {
    # Functions that functions reach.
    "the node's function": ([kinds("rounded(s.DOUBLE_UNIT)", "rounded(s.DOUBLE_UNIT + 1)")], "measure"),
    "a helper in another module": ([at("sizes", "2 * (width", "3 * (width")], "measure"),
    "a helper two modules away": ([at("far", "+ 1", "+ 2")], "measure"),
    "a helper three modules away": ([at("farther", "deepest(x + 1)", "deepest(x + 2)")], "measure"),
    "a helper imported inside a function": ([at("late", "round(x)", "round(x) + 1")], "measure"),
    "a helper that the package passes on": ([at("passed", "2 * x", "3 * x")], "measure"),
    "a helper that is imported by a star": ([at("starred", "+ 0.5", "+ 0.6")], "measure"),
    "a helper in a table": ([at("measures", "round(x, 3)", "round(x, 3) + 1")], "measure"),
    "a lambda that is passed on": ([at("measures", "step(x), steps", "step(x) + 1, steps")], "measure"),
    "a function inside a function": ([at("measures", "starred(x) + 1", "starred(x) + 2")], "measure"),
    "a helper that now takes another": (
        [at("measures", "starred(x) + 1", "diagonal(x, x) + 1")],
        "measure",
    ),
    "where a name is imported from": (
        [
            kinds("doubled, measures", "measures"),
            kinds(
                "from spatial import sizes", "from spatial.late import rounded as doubled\nfrom spatial import sizes"
            ),
        ],
        "measure",
    ),
    # Constants and defaults. A statement that may do anything counts for all who import its module.
    "a constant": ([at("farther", "TOP = 3", "TOP = 4")], "measure"),
    "a constant through an alias": ([at("sizes", "UNIT = 100", "UNIT = 101")], "measure"),
    "a constant's type": ([at("sizes", "SCALE = 1\n", "SCALE = 1.0\n")], "measure"),
    "a compiled pattern": ([at("sizes", '"[a-z]+"', '"[a-z]"')], "measure"),
    "a constant that is added to": ([at("sizes", "EDGES += [2]", "EDGES += [3]")], ALL),
    "a loop at the top of a module": ([at("sizes", "(3, 4)", "(3, 4, 5)")], ALL),
    "a default by a constant": ([at("measures", "DEPTH = 4", "DEPTH = 5")], "measure"),
    "a default": ([at("measures", "depth: int = DEPTH", "depth: int = 3")], "measure"),
    "a constant that tasks share": ([at("tasks", "OFFSET = 1", "OFFSET = 2")], "ask"),
    "what __all__ says": (
        [
            at("starred", '["starred"]', '["starred", "round"]'),
            at("starred", "def hidden", "def round(x, n):\n    return x\n\n\ndef hidden"),
        ],
        "measure",
    ),
    # Classes.
    "a method behind policy.generate": ([at("policies", ".strip()", ".strip() + '.'")], "sample"),
    "a method of a base class": ([at("policies", 'f"{text}: ', 'f"{text}; ')], "sample"),
    "a method of a mixin": ([at("policies", "! {found", "!! {found")], "sample"),
    "a property": ([at("policies", '"policy {', '"the policy {')], "sample"),
    "a static method": ([at("policies", '"tiny"', '"small"')], "sample"),
    "a method that len() calls": ([at("policies", "self.settings.beams\n", "self.settings.beams + 1\n")], "sample"),
    "a class default": ([at("policies", "temper = 0.7", "temper = 0.8")], "sample"),
    "a default of a dataclass": ([at("policies", "beams: int = 4", "beams: int = 5")], "sample"),
    "a default of a named tuple": ([at("policies", "weight: float = 0.5", "weight: float = 0.6")], "sample"),
    "a member of an enum": ([at("policies", "case = Case.LOWER", "case = Case.UPPER")], "sample"),
    "the value of a member": ([at("policies", 'LOWER = "lower"', 'LOWER = "upper"')], "sample"),
    "the bases of a class": ([at("policies", "class Tiny(Loud, Policy)", "class Tiny(Policy)")], "sample"),
    "a base that comes first": (
        [
            at("policies", "class Loud:", "class Loud(Other):"),
            at("policies", "class Other:", "class Unasked:"),
            at(
                "policies",
                "class Loud",
                'class Other:\n    def best(self):\n        return Answer("there")\n\n\nclass Loud',
            ),
        ],
        "sample",
    ),
    "what a class does to its subclasses": (
        [at("policies", ".lower()] = cls", ".lower()] = cls; cls.temper = 1.0")],
        "sample",
    ),
    "a method that overrides now": (
        [
            at(
                "policies",
                "class Tiny(Loud, Policy):",
                "class Tiny(Loud, Policy):\n    def __len__(self):\n        return 9\n",
            )
        ],
        "sample",
    ),
    "a subclass of another name": ([at("policies", "class Other:", "class Other(Policy):")], "sample"),
    # Decorators and registries.
    "a decorator": ([at("marks", "[function.__name__,", "[function.__name__.upper(),")], "ask"),
    "a decorator that takes an argument": ([at("marks", "n * function(x)", "n * function(x) + 1")], "ask"),
    "an argument of a decorator": ([at("tasks", "@times(2)", "@times(3)")], "ask"),
    "a decorator more": ([at("tasks", "@task\ndef count_boxes", "@task\n@times(3)\ndef count_boxes")], "ask"),
    "a decorator less": ([at("tasks", "@times(2)\n", "")], "ask"),
    "a decorator that registers": ([at("tasks", "= function\n", "= lambda n: 0\n")], "ask"),
    "a registered function": ([at("tasks", "return -n", "return 1 - n")], "ask"),
    "a function more that registers": ([at("tasks", "def _helper", "@task\ndef _helper")], "ask"),
    "the name of a registered function": ([at("tasks", "def nearest", "def farthest")], "ask"),
    # Params and rewards by name.
    "a param's annotation, int to float": ([kinds("width: int = 2", "width: float = 2.0")], "measure"),
    "a param's default": ([kinds("height: int = 3", "height: int = 4")], "measure"),
    "a param's check": ([kinds("self.width < 0", "self.width < 1")], "measure"),
    "a reward that the spec names": ([at("rewards", "FULL * (plain", "0.5 * FULL * (plain")], "reward"),
    "a helper of that reward": ([at("rewards", ".strip().lower()", ".strip().upper()")], "reward"),
    "a constant of that reward": ([at("rewards", "FULL = 1.0", "FULL = 2.0")], "reward"),
    "the version of a kind": ([kinds('"edited.idle", version=1', '"edited.idle", version=2')], "idle"),
    "the name of a kind": ([kinds('"edited.idle"', '"edited.rest"')], "idle"),
    "what a kind says it gives": ([kinds("def idle() -> Value", "def idle() -> Value | Value")], "idle"),
    "the type of all that is given": ([kinds('"edited value/1"', '"edited value/2"')], ALL),
    # Data and files that come and go.
    "a data file": ([Edit("notes/note.json", "1", "2")], "note"),
    "a data file more": ([Edit("notes/more.json", "", "{}")], "note"),
    "a data file less of those declared": ([kinds('"notes/*.json"', '"notes/note.json"')], "note"),
    "a module where an import had failed": ([Edit("fast_sizes.py", "", "SCALE = 10\n")], ALL),
    "a module in place of the standard library's": (
        [
            Edit(
                "re.py",
                "",
                "class compile:\n    def __init__(self, text): pass\n    def findall(self, text): return []\n",
            )
        ],
        "",
    ),
    "a package in place of a module": (
        [Edit("spatial/late/__init__.py", "", "def rounded(x):\n    return 7\n")],
        "measure",
    ),
    # What makes no difference.
    "a comment": ([at("measures", "# of the front", "# of the side")], ""),
    "a comment in the node's function": ([kinds('count("idle")', 'count("idle")  # once')], ""),
    "a function's docstring": ([at("measures", '"""Return a volume."""', '"""Return it."""')], ""),
    "a docstring less": ([at("measures", '    """Return a volume."""\n', "")], ""),
    "the node's docstring": ([kinds('"""Reach nothing."""', '"""Reach nothing at all."""')], ""),
    "a module's docstring": ([at("far", '"""Two modules away."""', "")], ""),
    "a class's docstring": ([at("policies", '"""Mixed in."""', '"""Mixed into others."""')], ""),
    "an annotation of a parameter": ([at("far", "x: float", "x: int")], ""),
    "an annotation of what is returned": ([at("late", "-> int", "-> float")], ""),
    "an annotation of a local name": ([at("measures", "area: float", "area: int")], ""),
    "blank lines": ([at("far", "\n\n\n", "\n\n\n\n\n\n")], ""),
    "how it is laid out": ([at("passed", "return 2 * x", "return (\n        2\n        * x\n    )")], ""),
    "quotes": ([at("policies", 'return "any"', "return 'any'")], ""),
    "the order of functions": (
        [
            at("measures", "def diagonal", "def unlike"),
            at("measures", "DEPTH = 4\n", ""),
            at("measures", "STEPS:", "DEPTH = 4\nSTEPS:"),
        ],
        "",
    ),
    "the order of imports": (
        [at("measures", "import functools\nimport math\n", "import math\nimport functools\n")],
        "",
    ),
    "an import that nobody uses": ([at("far", "import spatial", "import string\nimport spatial")], ""),
    "an import for type checkers": (
        [
            at(
                "measures",
                "    from collections.abc import Callable",
                "    from collections.abc import Callable, Iterable",
            )
        ],
        "",
    ),
    "where a function lives": (
        [
            at("far", "import spatial.farther\n", "from spatial.moved import deepest\n"),
            at("far", "spatial.farther.deepest", "deepest"),
            at("farther", "TOP = 3", "TOP = 9"),
            Edit("spatial/moved.py", "", "TOP = 3\n\n\ndef deepest(x):\n    return x if x > TOP else deepest(x + 1)\n"),
        ],
        "measure",
    ),
    "where a function lives, and nothing else": (
        [
            at("late", "def rounded(x: float) -> int:\n    return round(x)\n", "from spatial.moved import rounded\n"),
            Edit("spatial/moved.py", "", "def rounded(x):\n    return round(x)\n"),
        ],
        "",
    ),
    "a function that nobody calls": ([at("measures", "math.hypot(width, height)", "width")], ""),
    "a function more": ([Edit("spatial/late.py", "def rounded", "def other(x):\n    return x\n\n\ndef rounded")], ""),
    "a function less": ([at("tasks", "def _helper(n):\n    return n\n\n\n", "")], ""),
    "a function that a star leaves out": ([at("starred", "x - 0.5", "x - 0.6")], ""),
    "a constant that nobody reads": ([at("sizes", "UNUSED = 5", "UNUSED = 6")], ""),
    "a reward that no spec names": ([at("rewards", "1 / len", "2 / len")], ""),
    "a reward more": ([at("rewards", "def plain", "def none(answer, truth):\n    return 0.0\n\n\ndef plain")], ""),
    "a kind more": (
        [
            kinds(
                '@node("edited.idle"',
                '@node("edited.new", version=1)\ndef new() -> Value:\n    return Value(0)\n\n\n@node("edited.idle"',
            )
        ],
        "",
    ),
    "a module more": ([Edit("spatial/new.py", "", "X = 1\n")], ""),
    "what runs as a script": ([kinds('print("idle")', 'print("busy")')], ""),
    "a data file that nobody declares": ([Edit("notes/readme.txt", "", "notes")], ""),
}


@pytest.fixture
def project(lab, monkeypatch):
    """A copy of the edited project that has run once, and a spec of all its kinds."""
    shutil.copytree(EDITED, lab.folder / "project", ignore=shutil.ignore_patterns("__pycache__"))
    spec = lab.write(SPEC, "project/edited.toml")
    assert set(run(load_spec(spec, []), lab.store, []).outputs) == set(NODES)
    assert lab.executed == dict.fromkeys(NODES, 1)
    lab.forget()
    return spec


def apply(folder: Path, edit: Edit) -> None:
    path = folder / edit.file
    if not edit.old:
        path.parent.mkdir(exist_ok=True)
        path.write_text(edit.new)
        return
    text = path.read_text()
    assert edit.old in text, f"{edit.file} has no {edit.old!r}"
    path.write_text(text.replace(edit.old, edit.new, 1))


@pytest.mark.parametrize(("edits", "expected"), EDITS.values(), ids=EDITS.keys())
def test_edit_runs_again_what_it_can_reach(lab, project, edits, expected):
    for edit in edits:
        apply(project.parent, edit)
    spec = load_spec(project, [])
    planned = {one.label for one in make_plan(spec, lab.store) if one.state != "hit"}
    result = run(spec, lab.store, [])
    assert lab.executed == dict.fromkeys(expected.split(), 1) and planned == set(expected.split())
    assert run(load_spec(project, []), open_store(str(lab.folder / "empty")), []).digest == result.digest


def test_reverted_edits_run_nothing(lab, project):
    files = {path: path.read_bytes() for path in project.parent.rglob("*.*")}
    for name in ("a helper two modules away", "a property", "a registered function", "a constant of that reward"):
        apply(project.parent, EDITS[name][0][0])
    run(load_spec(project, []), lab.store, [])
    assert lab.executed == {"measure": 1, "sample": 1, "ask": 1, "reward": 1}
    for path, text in files.items():
        path.write_bytes(text)
    lab.forget()
    run(load_spec(project, []), lab.store, [])
    assert lab.executed == {}


def test_edit_that_leaves_size_and_time_as_they_were_is_seen(lab, project):
    path = project.parent / "spatial" / "far.py"
    before = path.stat()
    apply(project.parent, at("far", "+ 1", "+ 2"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns and path.stat().st_size == before.st_size
    result = run(load_spec(project, []), lab.store, [])
    assert lab.executed == {"measure": 1}
    assert run(load_spec(project, []), open_store(str(lab.folder / "empty")), []).digest == result.digest


@pytest.mark.parametrize("executor", ["inline", "local"])
def test_keys_are_equal_under_every_hash_seed_and_executor(lab, project, executor):
    keys = {}
    for seed in ("0", "1", "12345"):
        store = open_store(str(lab.folder / f"{executor}-{seed}"))
        command = [*lab.line("run", project, "--store", store.url, "--set", f"compute.executor={executor}")]
        # No memo of another process: each reads all sources itself.
        other = {"PYTHONHASHSEED": seed, "XDG_CACHE_HOME": str(lab.folder / f"cache-{executor}-{seed}")}
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env={**lab.environment(), **other})
        runs = Runs(store)
        keys[seed] = {label: event.key for label, event in runs.outcomes(runs.find(None, "edited")).items()}
    here = Runs(lab.store)
    assert set(keys["0"]) == set(NODES) and all(keys["0"].values())
    ours = {label: event.key for label, event in here.outcomes(here.find(None, "edited")).items()}
    assert keys["0"] == keys["1"] == keys["12345"] == ours
