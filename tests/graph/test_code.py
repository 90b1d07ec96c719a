"""Code identity: an edit of anything reachable changes it, a moved copy does not; nothing hides."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from graph.code import major_minor, read_code, settle_code, versions
from graph.errors import KindError

ROOT = Path(__file__).parents[2]

# Each way to write an import of `helper`, one file each.
IMPORTS = [
    "import helper",
    "import os, helper as h",
    "from helper import f",
    "from helper.inner import(f)",
    "def f():\n    import helper",
    "x = 1; import helper",
    "if True: import helper",
    "try: from helper import f\nexcept ImportError: pass",
    "if True: \\\n  import helper",
    "import os, \\\n    helper",
    "from \\\n    helper import f",
    "import\thelper",
    "import importlib\nimportlib.import_module('helper.inner')",
    'import importlib\nimportlib.import_module("helper", "x")',
    "__import__( 'helper' )",
]

READ = """
import sys
from pathlib import Path
from graph.code import read_code
code = read_code(Path(sys.argv[1]))
print(code.digest, *code.imported)
"""


def identity(path, *search):
    """Return the code identity of a file as another process sees it, with folders on its search path."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, search))}
    done = subprocess.run(
        [sys.executable, "-c", READ, path], capture_output=True, text=True, cwd=ROOT, env=environment, check=True
    )
    return done.stdout.split()


@pytest.fixture
def project(tmp_path):
    """A kinds' file outside of any package, and a package `helper` that it may import."""
    (tmp_path / "helper" / "inner").mkdir(parents=True)
    for name in ("__init__", "other", "inner/__init__", "inner/deep"):
        (tmp_path / "helper" / f"{name}.py").write_text("x = 1\n")
    (tmp_path / "kinds.py").write_text("import helper\n")
    return tmp_path


@pytest.mark.parametrize("text", IMPORTS)
def test_every_way_to_write_an_import_is_followed(tmp_path, monkeypatch, text):
    # A module of this name is known to the running interpreter from a folder outside of site-packages.
    name = f"helper_{abs(hash(text))}"
    (tmp_path / f"{name}.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    kinds = tmp_path / "kinds.py"
    kinds.write_text(text.replace("helper", name))
    before = read_code(kinds).digest
    (tmp_path / f"{name}.py").write_text("x = 2\n")
    assert read_code(kinds).digest != before


def test_edit_anywhere_in_an_imported_package_changes_the_digest(project):
    kinds = project / "kinds.py"
    digests = [identity(kinds, project)[0]]
    for name in ("kinds.py", "helper/other.py", "helper/inner/deep.py"):
        (project / name).write_text((project / name).read_text() + "# edited\n")
        digests.append(identity(kinds, project)[0])
    (project / "helper" / "table.json").write_text("{}")  # data of a package counts too
    digests.append(identity(kinds, project)[0])
    assert len(set(digests)) == 5


def test_imports_are_followed_through_modules(project):
    (project / "far.py").write_text("x = 1\n")
    (project / "helper" / "inner" / "deep.py").write_text("def f():\n    import far\n")
    before = identity(project / "kinds.py", project)
    (project / "far.py").write_text("x = 2\n")
    assert identity(project / "kinds.py", project) != before


def test_file_that_nothing_imports_makes_no_difference(project):
    before = identity(project / "kinds.py", project)
    (project / "stranger.py").write_text("x = 2\n")
    (project / "helper" / "__pycache__").mkdir()
    (project / "helper" / "__pycache__" / "other.pyc").write_bytes(b"x")
    assert identity(project / "kinds.py", project) == before


def test_moved_copy_has_the_same_digest(project, tmp_path_factory):
    moved = tmp_path_factory.mktemp("moved") / "elsewhere"
    shutil.copytree(project, moved)
    assert identity(project / "kinds.py", project) == identity(moved / "kinds.py", moved)


def test_whole_package_of_the_function_counts(project):
    before = identity(project / "helper" / "inner" / "deep.py")
    (project / "helper" / "other.py").write_text("x = 2\n")
    assert identity(project / "helper" / "inner" / "deep.py") != before


def test_installed_distributions_are_named_and_not_read(project):
    (project / "kinds.py").write_text("import numpy as np\nfrom PIL import Image\nimport json, graph.node, store\n")
    assert identity(project / "kinds.py")[1:] == ["numpy", "pillow"]


def test_versions_are_major_minor_unless_asked_for_exactly():
    numpy = importlib.metadata.version("numpy")
    assert major_minor("2.13.0+cpu") == "2.13"
    assert versions(("numpy", "pytest"), ()) == {
        "numpy": major_minor(numpy),
        "pytest": major_minor(importlib.metadata.version("pytest")),
    }
    assert versions(("numpy",), ("numpy",)) == {"numpy": numpy}


@pytest.mark.parametrize(
    "text", ["importlib.import_module(name)", "x = __import__(f'a{n}')", "exec(text)", "runpy.run_path('x')"]
)
def test_code_by_a_computed_name_is_refused(tmp_path, text):
    (tmp_path / "kinds.py").write_text(f"import importlib\n\n{text}\n")
    with pytest.raises(KindError, match=r"kinds\.py:3: runs code by a computed name"):
        read_code(tmp_path / "kinds.py")


def test_module_that_the_source_itself_makes_importable_counts(tmp_path):
    folder = tmp_path / "aside"
    folder.mkdir()
    (folder / "late_helper_module.py").write_text("x = 1\n")
    kinds = tmp_path / "kinds.py"
    kinds.write_text(f"import sys\nsys.path.append({str(folder)!r})\nimport late_helper_module\n")
    before = read_code(kinds)
    assert before.unknown == ("late_helper_module",)
    try:
        exec(kinds.read_text(), {})
        settled = settle_code(kinds, before)
        assert settled.unknown == () and settled.digest != before.digest
        assert read_code(kinds) == settled
    finally:
        sys.path.remove(str(folder))


def test_read_again_sees_an_edit_and_a_new_file(project, monkeypatch):
    monkeypatch.syspath_prepend(str(project))
    deep = project / "helper" / "inner" / "deep.py"
    digests = [read_code(deep).digest]
    (project / "helper" / "other.py").write_text("x = 2\n")
    digests.append(read_code(deep).digest)
    (project / "helper" / "inner" / "new.py").write_text("x = 2\n")
    digests.append(read_code(deep).digest)
    assert len(set(digests)) == 3
    (project / "helper" / "inner" / "new.py").unlink()
    assert read_code(deep).digest == digests[1]
