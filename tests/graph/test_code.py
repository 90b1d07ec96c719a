"""Code identity as it is read: every way to write an import, what is refused, what is remembered."""

from __future__ import annotations

import importlib.metadata
import os
import shutil

import pytest

from graph.code import read_code, refresh_project
from graph.distributions import NotInstalled, major_minor, versions
from graph.errors import KindError

# Each way to write an import of `helper.inner`, in a function or around it, and to ask it for `g`.
IMPORTS = [
    "import helper.inner\ndef f(): return helper.inner.g()",
    "import os, helper.inner as h\ndef f(): return h.g()",
    "from helper.inner import g\ndef f(): return g()",
    "from helper.inner import(g as k)\ndef f(): return k()",
    "from helper import inner\ndef f(): return inner.g()",
    "from helper.inner import *\ndef f(): return g()",
    "from helper import *\ndef f(): return passed()",
    "def f():\n    import helper.inner\n    return helper.inner.g()",
    "def f():\n    from helper.inner import g\n    return g()",
    "def f(): import helper.inner as h; return h.g()",
    "x = 1; import helper.inner as h\ndef f(): return h.g()",
    "if True: import helper.inner as h\ndef f(): return h.g()",
    "try: from helper.inner import g\nexcept ImportError: g = None\ndef f(): return g()",
    "try:\n    import no_such_module\nexcept ImportError:\n    import helper.inner as h\ndef f(): return h.g()",
    "from \\\n    helper.inner import g\ndef f(): return g()",
    "import\thelper.inner\ndef f(): return helper.inner.g()",
    "import helper\ndef f(): return helper.passed()",
    "import importlib\ndef f(): return importlib.import_module('helper.inner').g()",
    "from importlib import import_module as load\ndef f(): return load('.inner', 'helper').g()",
    "def f(): return __import__('helper.inner').inner.g()",
    "from helper.inner import g\nh = g\ndef f(): return h()",
    "from helper.inner import g\nimport functools\nh = functools.partial(g)\ndef f(x=h): return x()",
    "from helper.inner import g\nTABLE = {'g': g}\ndef f(): return TABLE['g']()",
    "import helper.inner\ndef f(): return getattr(helper.inner, 'g')()",
    "import helper.inner as h\ndef f(name): return getattr(h, name)()",
    "import helper.inner\nimport sys\ndef f(): return sys.modules['helper.inner'].g()",
    "from helper.inner import g\ndef f(): return globals()['g']()",
    "from helper.inner import g\ndef f():\n    def inner():\n        return [g() for _ in 'x']\n    return inner",
    "from helper.inner import g\nclass C:\n    run = staticmethod(g)\ndef f(): return C.run()",
    "import helper.inner\ndef f(): return eval('helper.inner.g()')",
]

# What no text tells, in the body of `f`; the names are imported above it.
HIDDEN = [
    "importlib.import_module(name)",
    "load(name)",
    "__import__(f'a{name}')",
    "exec(name)",
    "eval(name)",
    "builtins.exec(name)",
    "runpy.run_path('x.py')",
    "pickle.loads(name)",
    "map(exec, name)",
    "sys.path.append(name)",
    "importlib.util.spec_from_file_location('x', name)",
    "importlib.metadata.entry_points(group='x')",
]

HIDING = """
import builtins, importlib, importlib.util, importlib.metadata, pickle, runpy, sys
from importlib import import_module as load

def f(name):
    return {}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder on the search path with `kinds.py` and a package `helper`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "project"
    (folder / "helper").mkdir(parents=True)
    (folder / "helper" / "__init__.py").write_text("from helper.inner import g as passed\n")
    (folder / "helper" / "inner.py").write_text("def g():\n    return 1\n")
    (folder / "kinds.py").write_text("from helper.inner import g\n\ndef f():\n    return g()\n")
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    monkeypatch.undo()
    refresh_project()


def identity(attribute="f"):
    """Return the code identity of a function of `kinds`, read anew."""
    refresh_project()
    return read_code("kinds", attribute)


@pytest.mark.parametrize("text", IMPORTS)
def test_every_way_to_write_an_import_is_followed(project, text):
    (project / "kinds.py").write_text(f"{text}\n")
    before = identity()
    (project / "helper" / "inner.py").write_text("def g():\n    return 2\n")
    assert identity().digest != before.digest


@pytest.mark.parametrize("text", HIDDEN)
def test_what_no_text_tells_is_refused(project, text):
    (project / "kinds.py").write_text(HIDING.format(text))
    with pytest.raises(
        KindError, match=r"kinds\.py:6: `.*` runs what no text tells: name what it reaches in .*depends"
    ):
        identity()


def test_what_no_text_tells_is_accepted_where_depends_names_what_it_reaches(project):
    (project / "kinds.py").write_text(
        "import importlib\nfrom graph.node import node\nimport helper.inner\n\n"
        "@node('k', version=1, depends=[helper.inner, 'table.csv'])\ndef f(): return importlib.import_module(name)\n"
    )
    with pytest.raises(KindError, match=r"depends names .*table\.csv: no such file"):
        identity()
    (project / "table.csv").write_text("1")
    digests = [identity().digest]
    (project / "helper" / "inner.py").write_text("def g():\n    return 2\n")
    digests.append(identity().digest)
    (project / "table.csv").write_text("2")
    digests.append(identity().digest)
    assert len(set(digests)) == 3


def test_depends_that_is_not_written_out_is_refused(project):
    (project / "kinds.py").write_text(
        "from graph.node import node\nNAMES = ['a']\n@node('k', version=1, depends=NAMES)\ndef f(): return 1\n"
    )
    with pytest.raises(KindError, match=r"kinds\.py:3: depends= is read, not run"):
        identity()


def test_file_that_is_not_python_is_told_with_its_line(project):
    (project / "helper" / "inner.py").write_text("x = 1\ndef g(:\n")
    with pytest.raises(KindError, match=r"inner\.py:2: not Python: "):
        identity()


def test_name_that_is_not_there_is_told_with_the_nearest(project):
    (project / "kinds.py").write_text("def first(): return 1\n")
    with pytest.raises(KindError, match=r"kinds\.py defines no 'frist' at its top level; did you mean 'first'\?"):
        identity("frist")


def test_units_are_named_by_file_and_definition(project):
    (project / "helper" / "inner.py").write_text(
        "LEAST = 1\n\ndef g():\n    return LEAST\n\ndef unused():\n    return 0\n"
    )
    units = identity().units
    assert list(units) == ["helper/inner.py:LEAST", "helper/inner.py:g", "kinds.py:f"]
    assert (units["helper/inner.py:g"].first, units["helper/inner.py:g"].last) == (3, 4)


def test_moved_copy_has_the_same_digest(project, tmp_path, monkeypatch):
    before = identity().digest
    shutil.move(project, tmp_path / "moved")
    monkeypatch.syspath_prepend(str(tmp_path / "moved"))
    assert identity().digest == before


def test_names_that_are_bound_twice_are_what_the_later_one_says(project):
    texts = [
        "def f(): return g()\ndef g(): return 1\ndef g(): return 2\n",
        "def f(): return g()\ndef g(): return 2\ndef g(): return 1\n",
        "from helper.inner import g\ndef g(): return 3\ndef f(): return g()\n",
        "def g(): return 3\nfrom helper.inner import g\ndef f(): return g()\n",
        "def f(): return Y\nX = 1\nY = X\nX = 2\n",
        "def f(): return Y\nX = 1\nX = 2\nY = X\n",
        "def f(): return X\nX = 1\ndel X\nX = 2\n",
        "def f(): return X\nX = 1\nX = 2\ndel X\n",
    ]
    digests = []
    for text in texts:
        (project / "kinds.py").write_text(text)
        digests.append(identity().digest)
    assert len(set(digests)) == len(texts)


def test_overloads_are_for_type_checkers(project):
    plain = "from typing import overload\n\ndef f(x):\n    return x\n"
    (project / "kinds.py").write_text(plain)
    before = identity().digest
    stubs = "@overload\ndef f(x: int) -> int: ...\n@overload\ndef f(x: str) -> str: ...\n"
    (project / "kinds.py").write_text(plain.replace("def f", f"{stubs}def f"))
    assert identity().digest == before


@pytest.mark.parametrize("text", ["pass", "if True:\n    pass", "try:\n    'x'\nfinally:\n    pass", "1"])
def test_statement_that_does_nothing_counts_for_nothing(project, text):
    before = identity().digest
    (project / "helper" / "inner.py").write_text(f"{text}\n\ndef g():\n    return 1\n")
    assert identity().digest == before


def test_a_branch_that_only_binds_names_counts_for_those_who_ask_for_them(project):
    text = "try:\n    from fast import g\nexcept ImportError:\n    SPEED = 1\n    def g(): return SPEED\n\n"
    (project / "kinds.py").write_text(f"{text}def f(): return g()\ndef other(): return 1\n")
    before = identity("f").digest, identity("other").digest
    (project / "kinds.py").write_text(
        f"{text}def f(): return g()\ndef other(): return 1\n".replace("SPEED = 1", "SPEED = 2")
    )
    assert identity("f").digest != before[0] and identity("other").digest == before[1]


def test_code_that_reads_its_own_text_counts_to_the_letter(project):
    text = "import inspect\n\ndef g():\n    return 1  # one\n\ndef f():\n    return inspect.getsource(g)\n"
    (project / "kinds.py").write_text(text)
    before = identity().digest
    (project / "kinds.py").write_text(text.replace("# one", "# 1"))
    assert identity().digest != before


def test_docstring_of_a_tool_is_part_of_the_prompt(project):
    text = "def g():\n    'Look.'\n\ndef f(processor):\n    return processor.apply_chat_template([], tools=[g])\n"
    (project / "kinds.py").write_text(text)
    before = identity().digest
    (project / "kinds.py").write_text(text.replace("Look", "Look up"))
    assert identity().digest != before


def test_code_that_asks_where_it_lies_takes_its_package_s_data_in(project):
    (project / "helper" / "inner.py").write_text(
        "from pathlib import Path\ndef g(): return Path(__file__).with_name('t')\n"
    )
    digests = [identity().digest]
    for text in ("1", "2"):
        (project / "helper" / "table.json").write_text(text)
        digests.append(identity().digest)
    assert len(set(digests)) == 3
    (project / "helper" / "inner.py").write_text("def g(): return open(__file__ + '/../../other')\n")
    with pytest.raises(KindError, match="asks for files outside of its package"):
        identity()


def test_memo_answers_for_equal_files_and_for_no_others(project, tmp_path, monkeypatch):
    before = identity()
    monkeypatch.setattr("graph.code.read_facts", lambda text: pytest.fail("read again"))
    monkeypatch.setattr("graph.code.Closure", lambda *_: pytest.fail("followed again"))
    assert identity() == before
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(project))
    (project / "helper" / "inner.py").write_text("def g():\n    return 2\n")
    assert identity().digest != before.digest
    for memo in (tmp_path / "cache").rglob("*"):
        if memo.is_file():
            memo.write_bytes(b"torn")
    (project / "helper" / "inner.py").write_text("def g():\n    return 1\n")
    assert identity() == before


def test_file_that_takes_the_place_of_an_installed_module_counts(project):
    (project / "kinds.py").write_text("import colorsys\ndef f(): return colorsys.ONE_THIRD\n")
    before = identity()
    (project / "colorsys.py").write_text("ONE_THIRD = 1\n")
    shadowed = identity()
    assert shadowed.digest != before.digest and "colorsys" in shadowed.sources
    (project / "colorsys.py").unlink()
    assert identity() == before


def test_installed_distributions_are_named_and_not_read(project):
    (project / "kinds.py").write_text(
        "import numpy as np\nfrom PIL import Image\nimport json, graph.node, store\ndef f(): return np, Image, json\n"
    )
    assert identity().foreign == ("PIL", "numpy") and list(identity().sources) == ["kinds"]
    assert list(versions(identity().foreign, ())) == ["numpy", "pillow"]


def test_versions_are_major_minor_unless_asked_for_exactly():
    numpy = importlib.metadata.version("numpy")
    assert major_minor("2.13.0+cpu") == "2.13"
    assert versions(("numpy", "pytest"), ()) == {
        "numpy": major_minor(numpy),
        "pytest": major_minor(importlib.metadata.version("pytest")),
    }
    assert versions(("numpy",), ("numpy",)) == {"numpy": numpy}
    with pytest.raises(NotInstalled, match="no-such-thing"):
        versions((), ("no-such-thing",))


def test_nothing_is_imported(project):
    (project / "helper" / "inner.py").write_text(f"import os\nos.mkdir({str(project / 'made')!r})\ndef g(): return 1\n")
    identity()
    assert not os.path.exists(project / "made")
