"""Data files beside code, and programs that it starts: what counts, what must be declared, what is refused."""

from __future__ import annotations

import pytest

from graph.errors import KindError


@pytest.mark.parametrize(
    "lines",
    [
        "ROOT = Path(__file__).parent\ndef f():\n    return ROOT.parent / 'x'",
        "from pk.places import ROOT\ndef f():\n    return ROOT.parent / 'x'",
        "def f(path=Path(__file__)):\n    while not path.exists():\n        path = path.parent",
        "def f():\n    import pk\n    return Path(pk.__file__).parent.parent",
        "def f():\n    return [path for path in Path(__file__).parents]",
        "def f():\n    return os.path.split(os.path.split(__file__)[0])[0]",
        "ROOT = os.path.dirname(__file__)\ndef f():\n    return os.path.dirname(ROOT)",
    ],
)
def test_way_out_of_the_package_is_seen(files, lines):
    files.write("", **{"pk.__init__": "", "pk.places": "from pathlib import Path\nROOT = Path(__file__).parent\n"})
    files.write("", **{"pk.k": f"import os\nfrom pathlib import Path\n{lines}\n"})
    with pytest.raises(KindError, match="outside of its package"):
        files.digest("pk.k")


@pytest.mark.parametrize(
    "lines",
    [
        "def f():\n    return [path.parent.name for path in (ROOT / 'data').glob('*')]",
        "def f(out):\n    Path(out).parent.parent.mkdir()\n    return ROOT",
        "def f():\n    return Path(__file__).parents[0] / 'x'",
    ],
)
def test_way_that_does_not_lead_out_of_the_package_is_free(files, lines):
    text = f"from pathlib import Path\nROOT = Path(__file__).parent\n{lines}\n"
    files.write("", **{"pk.__init__": "", "pk.k": text})
    assert files.digest("pk.k")


@pytest.mark.parametrize(
    "expression",
    ["files('pk') / 'words'", "files(pk) / 'words'", "Path(pk.__file__).parent", "pkgutil.get_data('pk', 'words')"],
)
def test_file_outside_of_packages_may_read_data_of_one(files, expression):
    text = "import pkgutil\nfrom pathlib import Path\nfrom importlib.resources import files\nimport pk\n\n"
    files.write(text + f"def f():\n    return {expression}\n", **{"pk.__init__": ""})
    (files.folder / "pk" / "words").write_text("a")
    assert files.counts("pk/words", "a", "b")


def test_question_whether_a_distribution_is_there_asks_for_no_files(files):
    files.write("import importlib.util\ndef f():\n    return importlib.util.find_spec('cupy') is None\n")
    assert files.digest()


@pytest.mark.parametrize(
    "expression", ["inspect.getfile(f)", "f.__code__.co_filename", "globals()['__file__']", "find_spec('pk').origin"]
)
def test_place_is_asked_for_in_other_words(files, expression):
    text = f"import inspect\nfrom importlib.util import find_spec\ndef f():\n    return {expression}\n"
    files.write("", **{"pk.__init__": "", "pk.k": text})
    (files.folder / "pk" / "words").write_text("a")
    assert files.counts("pk/words", "a", "b", "pk.k")


@pytest.mark.parametrize("lines", ["HERE / 'words.py'", "open(__file__)", "list(HERE.glob('*.py'))"])
def test_source_that_is_read_as_a_file_counts(files, lines):
    text = f"from pathlib import Path\nHERE = Path(__file__).parent\ndef f():\n    return {lines}\n"
    files.write("", **{"pk.__init__": "", "pk.k": text, "pk.words": "# a\n"})
    assert files.counts("pk/words.py", "a", "b", "pk.k")


@pytest.mark.parametrize(
    "lines",
    ["subprocess.run(['python3', 'x.py'])", "os.system('torchrun -m x')", "subprocess.run(f'/usr/bin/python {1}')"],
)
def test_python_in_another_process_is_refused(files, lines):
    files.write(f"import os\nimport subprocess\ndef f():\n    return {lines}\n")
    with pytest.raises(KindError, match="runs what no text tells"):
        files.digest()


def test_other_programs_are_free(files):
    files.write("import subprocess\ndef f():\n    return subprocess.run(['nvidia-smi', '-L'])\n")
    assert files.digest()
