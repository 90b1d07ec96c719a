"""The importer: what is imported is what was read; what no edit reaches stays as it is."""

from __future__ import annotations

import sys

import pytest

from graph.code import refresh_project
from graph.registry import find_code, load_object

FILES = {
    "imported_far": "def g():\n    return 1\n",
    "imported_near": "from imported_far import g\nclass A: ...\ndef f():\n    return g()\n",
    "imported_other": "class B: ...\ndef f():\n    return 1\n",
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder on the search path with three modules, of which one imports another; all have been imported."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, text in FILES.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [load(name)() for name in ("imported_near", "imported_other")] == [1, 1]
    yield tmp_path
    for name in FILES:
        sys.modules.pop(name, None)
    monkeypatch.undo()
    refresh_project()


def load(module):
    """Read a module and what it reaches anew, then import it."""
    refresh_project()
    find_code(module, "f")
    return load_object(module, "f")


def test_edit_is_imported_by_all_who_execute_it_and_others_stay(project):
    near, other = sys.modules["imported_near"], sys.modules["imported_other"]
    (project / "imported_far.py").write_text("def g():\n    return 2\n")
    assert load("imported_near")() == 2
    assert sys.modules["imported_near"] is not near and sys.modules["imported_other"] is other


def test_module_that_is_read_later_does_not_keep_what_an_edit_replaced(project):
    (project / "imported_far.py").write_text("def g():\n    return 2\n")
    refresh_project()
    find_code("imported_far", "g")
    assert load_object("imported_far", "g")() == 2
    find_code("imported_near", "f")
    assert load_object("imported_near", "f")() == 2


def test_broken_file_that_nothing_asks_for_disturbs_nobody(project):
    (project / "imported_far.py").write_text("def g():\n    return 2\n")
    (project / "imported_other.py").write_text("def (:\n")
    assert load("imported_near")() == 2


def test_what_is_imported_is_what_was_read_and_not_what_the_file_says_by_now(project):
    (project / "imported_far.py").write_text("def g():\n    return 2\n")
    refresh_project()
    find_code("imported_near", "f")
    (project / "imported_far.py").write_text("def g():\n    return 3\n")
    assert load_object("imported_near", "f")() == 2
