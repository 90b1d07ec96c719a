"""Closures, hole by hole: edits that might slip through, that might count without need, code refused or not."""

from __future__ import annotations

import pytest

from graph.errors import KindError
from graph.lookup import Lookup
from graph.rounds import unroll


def test_folder_that_becomes_a_package_with_code_of_its_own_counts(files):
    files.write("import a.b\ndef f():\n    return a.b.x\n", **{"a.b": "x = 1\n"})
    before = files.digest()
    (files.folder / "a" / "__init__.py").write_text("import a.b\na.b.x = 3\n")
    assert files.digest() != before


REGISTER = "NAMES = []\ndef cache(function):\n    NAMES.append(function.__name__)\n    return function\n"


def test_import_inside_a_function_is_not_what_a_decorator_above_stands_for(files):
    files.write(
        "import e, d\ndef f():\n    return d.NAMES\n",
        d=REGISTER,
        e="from d import cache\n@cache\ndef g(): ...\ndef z():\n    from functools import cache\n",
    )
    assert files.counts("e.py", "def g", "def h")


def test_decorator_that_may_come_from_two_modules_may_register(files):
    files.write(
        "import e, d\ndef f():\n    return d.NAMES\n",
        d=REGISTER,
        e="try:\n    from d import cache\nexcept ImportError:\n    from functools import cache\n@cache\ndef g(): ...\n",
    )
    assert files.counts("e.py", "def g", "def h")


def test_import_that_another_function_repeats_still_hides(files):
    files.write(
        """
        from importlib import import_module
        def f(name):
            return import_module(name)
        def z():
            from d import import_module
        """,
        d="def import_module(name): ...\n",
    )
    with pytest.raises(KindError, match="runs what no text tells"):
        files.digest()


def test_override_of_either_typing_module_stays_harmless(files):
    files.write(
        "from d import x\ndef f():\n    return x\n",
        d="""
        try:
            from typing import override
        except ImportError:
            from typing_extensions import override
        x = 1
        class A:
            @override
            def g(self): return 1
        """,
    )
    assert not files.counts("d.py", "return 1", "return 2")


def test_what_a_class_imports_into_its_body_counts(files):
    files.write("class A:\n    from d import g\ndef f():\n    return A.g()\n", d="def g():\n    return 1\n")
    assert files.counts("d.py", "1", "2")


@pytest.mark.parametrize("base", ["*d.ALL", "d.B if d.ALL else object", "d.Outer.B", "d.Outer.Inner"])
def test_class_whose_base_is_no_plain_name_may_be_registered(files, base):
    files.write(
        "import e, d\ndef f():\n    return d.FOUND\n",
        d="""
        FOUND = []
        class B:
            def __init_subclass__(cls): FOUND.append(cls.x)
        class Outer:
            B = B
            class Inner:
                def __init_subclass__(cls): FOUND.append(cls.x)
        ALL = [B]
        """,
        e=f"import d\nclass C({base}):\n    x = 1\n",
    )
    assert files.counts("e.py", "1", "2")


def test_setter_of_what_a_star_import_brings_may_register(files):
    files.write(
        "import e, d\ndef f():\n    return d.registry.found\n",
        d="class Registry:\n    found = []\n    def setter(self, g): self.found.append(g)\nregistry = Registry()\n",
        e="from d import *\n@registry.setter\ndef g():\n    return 1\n",
    )
    assert files.counts("e.py", "1", "2")


def test_setter_of_a_property_is_harmless(files):
    text = "x = 1\nclass A:\n    @property\n    def y(self): return 1\n    @y.setter\n    def y(self, y: int): ...\n"
    files.write("from d import x\ndef f():\n    return x\n", d=text)
    assert not files.counts("d.py", "return 1", "return 2")


@pytest.mark.parametrize(
    "alias", ["Union['A', 'B']", "dict[str, 'A']", "Optional[list['A']]", "list['tuple[\"A\", int]']", "'list[\"A\"]'"]
)
def test_class_that_only_text_within_a_type_names_counts(files, alias):
    files.write(
        f"""
        from typing import Optional, Union
        from msgspec import Struct
        class A(Struct, tag=True):
            x: float
        class B(Struct, tag=True):
            y: float
        T = {alias}
        class C(Struct):
            a: T
            b: {alias}
        def f():
            return C
        """
    )
    assert files.counts("kinds.py", "x: float", "x: int")


def test_text_of_a_literal_names_nothing(files):
    files.write(
        """
        from typing import Literal
        MODES = Literal["train", "test"]
        class P:
            mode: Literal["train", "test"] = "test"
        def train():
            return 1
        def f():
            return P, MODES
        """
    )
    assert not files.counts("kinds.py", "return 1", "return 2")


def test_module_that_imports_the_function_and_patches_counts(files):
    files.write("import e\ne.x = 5\nfrom d import f\n", d="import e\ndef f():\n    return e.x\n", e="x = 1\n")
    assert files.counts("kinds.py", "5", "6")


def test_function_that_moves_keeps_its_digest_where_its_module_imports_it(files):
    files.write("X = 1\ndef f(x: int = 3):\n    return X\n")
    before = files.digest()
    files.write("from d import f\n", d="X = 1\ndef f(x=3):\n    return X\n")
    assert files.digest() == before


PATCHED = {"c": "A = [1]\n", "p": "import c\nc.A[0] = 3\n"}


def test_import_that_moves_above_what_reads_a_patched_value_counts(files):
    files.write("import c\nB = c.A[0]\nimport p\ndef f():\n    return B\n", **PATCHED)
    before = files.digest()
    files.write("import c\nimport p\nB = c.A[0]\ndef f():\n    return B\n")
    assert files.digest() != before


def test_imports_at_the_head_may_be_sorted(files):
    files.write("import p\nimport c\nB = c.A[0]\ndef f():\n    return B\n", **PATCHED)
    before = files.digest()
    files.write("import c\nimport p\nB = c.A[0]\ndef f():\n    return B\n")
    assert files.digest() == before


@pytest.mark.parametrize("call", ["u.importlib.import_module(name)", "load(name)", "u.b.eval(name)"])
def test_what_hides_is_found_by_way_of_another_module(files, call):
    files.write(
        f"import u\nfrom u import load\ndef f(name):\n    return {call}\n",
        u="import importlib\nimport builtins as b\nfrom importlib import import_module as load\n",
    )
    with pytest.raises(KindError, match=r"kinds\.py:3: .* runs what no text tells"):
        files.digest()


def test_what_reads_annotations_is_found_by_way_of_another_module(files):
    files.write(
        "import u\ndef g(x: int): ...\ndef f():\n    return u.signature(g)\n", u="from inspect import signature\n"
    )
    assert files.counts("kinds.py", "x: int", "x: str")


@pytest.mark.parametrize(
    "code",
    [
        "import importlib\ndef f(name):\n    return getattr(importlib, 'import_module')(name)\n",
        "def f(name):\n    return __builtins__['eval'](name)\n",
        "def f(text):\n    return compile(text, '', 'exec')\n",
    ],
)
def test_roundabout_ways_to_hide_are_refused(files, code):
    files.write(code)
    with pytest.raises(KindError, match="runs what no text tells"):
        files.digest()


@pytest.mark.parametrize(
    "code",
    [
        "def g(eval=False):\n    return 1 if eval else 2\ndef f():\n    return g(eval=True)\n",
        "class A:\n    compile: bool = True\ndef f():\n    return A.compile\n",
        "def f(names):\n    for exec in names:\n        print(exec)\n",
        "import re\ndef f(model):\n    return model.compile(), re.compile('a')\n",
    ],
)
def test_own_names_that_builtins_have_too_hide_nothing(files, code):
    files.write(code)
    assert files.digest()


@pytest.mark.parametrize("call", ["inspect.getmembers(g)", "torch.jit.script(g)", "getattr(inspect, 'getdoc')(g)"])
def test_what_reads_annotations_and_docstrings_is_known(files, call):
    files.write(f"import inspect\nimport torch\ndef g(x: int):\n    ...\ndef f():\n    return {call}\n")
    assert files.counts("kinds.py", "x: int", "x: str")


def test_submodule_that_takes_the_place_of_its_namesake_counts(files):
    files.write(
        "import pk\nimport pk.a\ndef f():\n    return pk.a.x\n", **{"pk.__init__": "a = 3\n", "pk.a": "x = 1\n"}
    )
    assert files.counts("pk/a.py", "1", "2")


def test_function_by_the_name_of_its_module_is_that_function_alone(files):
    files.write(
        "from pk import a\ndef f():\n    return a()\n",
        **{"pk.__init__": "from .a import a\n", "pk.a": "def a():\n    return 1\ndef b():\n    return 2\n"},
    )
    assert not files.counts("pk/a.py", "return 2", "return 3")


def test_function_that_loses_an_annotation_behind_a_loud_statement_keeps_its_digest(files):
    files.write("from d import g\ndef f():\n    return g(1)\n", d="print()\ndef g(x: int) -> int:\n    return x\n")
    assert not files.counts("d.py", "x: int", "x")


NAMING = """
from __future__ import annotations
from collections.abc import Callable
from graph.node import Named, node
from msgspec import Struct
from store.artifact import Artifact
class Text(Artifact):
    type = "named-text/1"
    def write(self, w): w.attrs = {"text": "a"}
class P(Struct, frozen=True):
    rule: Named[Callable]
@node("named.use", version=1)
def f(*, params: P) -> Text:
    return Text()
"""


def test_version_of_what_only_a_named_object_reaches_enters_the_key(lab, files):
    files.write(NAMING, rule="def plain(x):\n    return x\ndef g(x):\n    import networkx\n    return networkx\n")
    spec = '[experiment]\nname = "a"\nseed = 1\n[nodes.a]\nkind = "kinds:f"\nparams = {{ rule = "rule:{}" }}\n'

    def packages(rule):
        loaded = lab.load(spec.format(rule))
        instances = unroll(loaded)
        return Lookup(loaded, lab.store, instances).work(instances["a"]).action.packages

    assert "networkx" in packages("g")
    assert "networkx" not in packages("plain")


@pytest.mark.parametrize(
    "line",
    [
        "log = logging.getLogger(__name__)",
        "COUNTS = collections.defaultdict(int)",
        "WORDS = 'a b c'.split()",
        "ANGLE = math.radians(30)",
        "MEAN = np.array([1.0, 2.0])",
        "class Net(nn.Module): ...",
    ],
)
def test_everyday_line_in_a_shared_module_makes_no_difference(files, line):
    head = "import collections, logging, math\nimport numpy as np\nfrom torch import nn\n"
    files.write("from d import g\ndef f():\n    return g()\n", d=f"{head}def g():\n    return 1\n")
    assert not files.counts("d.py", "def g", f"{line}\ndef g")


@pytest.mark.parametrize(
    "call", ["import_module('.d', package=__package__)", "import_module(name='pk.d')", "import_module('.d', 'pk')"]
)
def test_import_by_call_may_name_its_arguments(files, call):
    text = f"from importlib import import_module\ndef f():\n    return {call}.x\n"
    files.write("", **{"pk.__init__": "", "pk.k": text, "pk.d": "x = 1\n"})
    assert files.counts("pk/d.py", "1", "2", "pk.k")


def test_import_of_a_submodule_by_dunder_call_gives_its_package(files):
    files.write("def f():\n    return __import__('pk.d').x\n", **{"pk.__init__": "x = 1\n", "pk.d": ""})
    assert files.counts("pk/__init__.py", "1", "2")
