"""Importers: what may execute a module, by names alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from graph import code
from graph.importers import find_importers
from graph.registry import find_code
from graph.source import Project


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """Lay out far <- near <- top, a package whose module `late` is named after a dot, and a stranger."""
    texts = {
        "imp_far.py": "VALUE = 1\n",
        "imp_near.py": "def of():\n    import imp_far\n    return imp_far.VALUE\n",
        "imp_top.py": "from imp_near import of\n",
        "imp_pack/__init__.py": "",
        "imp_pack/late.py": "VALUE = 2\n",
        "imp_user.py": "import imp_pack\n\n\ndef ask():\n    return imp_pack.late.VALUE\n",
        "imp_stranger.py": "def late():\n    return 'late'\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def importers(folder: Path, wanted: str) -> set[str]:
    project = Project()
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder).with_suffix("").parts
        if parts[-1] == "__init__":
            project.found[".".join(parts[:-1])] = (str(path), [str(path.parent)])
        else:
            project.found[".".join(parts)] = (str(path), None)
    names = ["imp_top", "imp_near", "imp_far", "imp_pack", "imp_pack.late", "imp_user", "imp_stranger"]
    return find_importers(project, code._read_facts, names, {wanted})


def test_who_imports_it_anywhere_or_imports_who_does(modules):
    assert importers(modules, "imp_far") == {"imp_far", "imp_near", "imp_top"}


def test_who_names_it_after_a_dot_of_its_package(modules):
    assert importers(modules, "imp_pack.late") == {"imp_pack.late", "imp_user"}


def test_a_package_is_executed_by_what_is_inside(modules):
    assert importers(modules, "imp_pack") == {"imp_pack", "imp_pack.late", "imp_user"}


def test_it_never_leaves_out_what_a_closure_executes():
    executed = [name for name in find_code("nodes.update.grpo", "grpo").sources if name != "nodes.update.grpo"]
    assert "nodes.policy.policy" in executed
    for module in executed:
        assert "nodes.update.grpo" in find_importers(
            code.project(), code._read_facts, ["nodes.update.grpo"], {module}
        ), module
