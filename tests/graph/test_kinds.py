"""Kinds: what breaks the contract is told before anything runs, in a line."""

from __future__ import annotations

import pytest

from graph.errors import RunError, SpecError


def test_two_functions_that_claim_one_kind_do_not_share_results(lab):
    kinds = lab.folder / "kinds.py"
    kinds.write_text(
        "from graph.node import node\n"
        "from store.artifact import Artifact\n"
        "class Box(Artifact):\n    type = 'box/1'\n    def __init__(self, n): self.n = n\n"
        "    def write(self, w): w.attrs['n'] = self.n\n"
        "@node('toy.box', version=1)\ndef one() -> Box: return Box(1)\n"
        "@node('toy.box', version=1)\ndef two() -> Box: return Box(2)\n"
    )
    text = '[experiment]\nname = "x"\n[nodes.a]\nkind = "kinds.py:one"\n[nodes.b]\nkind = "kinds.py:two"\n'
    outputs = lab.run(text).outputs
    assert [lab.store.reader(outputs[name]).attrs["n"] for name in "ab"] == [1, 2]


def test_body_that_returns_another_type_fails(lab):
    kinds = lab.folder / "kinds.py"
    kinds.write_text(
        "from graph.node import node\nfrom store.artifact import Artifact\n"
        "class Box(Artifact):\n    type = 'box/1'\n"
        "@node('toy.box', version=1)\ndef box() -> Box: return 5\n"
    )
    with pytest.raises(RunError, match=r"TypeError: .*kinds\.py:box returned int, expected box/1"):
        lab.run('[experiment]\nname = "x"\n[nodes.a]\nkind = "kinds.py:box"')


def test_spec_of_kinds_that_break_the_contract_is_refused(lab):
    kinds = lab.folder / "kinds.py"
    kinds.write_text(
        "from graph.node import node\nfrom store.artifact import Artifact\n"
        "class Box(Artifact):\n    type = 'box/1'\n"
        "@node('a', version=1)\ndef plain(x) -> Box: ...\n"
        "@node('a', version=1)\ndef number(x: int) -> Box: ...\n"
        "@node('a', version=1)\ndef nothing(x: Box): ...\n"
        "@node('a', version=1)\ndef extra(*, clock: float) -> Box: ...\n"
        "@node('a', version=1)\ndef params(*, params: dict) -> Box: ...\n"
        "@node('a', version=1, each='y')\ndef each(x: Box) -> Box: ...\n"
        "@node('a', version=1, each='x')\ndef absent(x: Box | None) -> Box: ...\n"
        "@node('a', version=1)\ndef many(*x: Box) -> Box: ...\n"
        "@node('a', version=1)\ndef unknown(x: 'Bx') -> Box: ...\n"
        "@node('a', version=1, packages=('no-such-thing',))\ndef package() -> Box: ...\n"
    )
    expected = {
        "plain": "parameter 'x' has no annotation",
        "number": "input 'x' is <class 'int'>, expected an artifact type",
        "nothing": "returns None, expected an artifact type",
        "extra": "keyword 'clock': expected one of params, seed, progress",
        "params": "expected a frozen msgspec Struct",
        "each": "each='y' must name an input",
        "absent": "each='x' must name an input",
        "many": "*x: ",
        "unknown": "annotations cannot be resolved: name 'Bx' is not defined",
        "package": "packages names 'no-such-thing', which is not installed",
    }
    nodes = "".join(f'[nodes.{name}]\nkind = "kinds.py:{name}"\n' for name in expected)
    with pytest.raises(SpecError) as caught:
        lab.load('[experiment]\nname = "x"\n' + nodes)
    for line, (name, text) in zip(caught.value.mistakes, expected.items(), strict=True):
        assert f"[nodes.{name}] kind = 'kinds.py:{name}': " in line and text in line


@pytest.mark.parametrize("text", ["import sys\nsys.exit('bye')", "raise ValueError('one\\ntwo')"])
def test_file_that_cannot_be_imported_is_told_in_one_line(lab, text):
    (lab.folder / "kinds.py").write_text(f"{text}\ndef a(): ...\n")
    done = lab.command("plan", lab.write('[experiment]\nname = "x"\n[nodes.a]\nkind = "kinds.py:a"'))
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "[nodes.a] kind = 'kinds.py:a': " in done.stderr and "kinds.py cannot be imported: " in done.stderr


def test_name_that_a_file_lacks_is_told_with_the_file_and_the_nearest_one(lab):
    (lab.folder / "tasks.py").write_text("def higher(): ...\ndef _heigher(): ...\n")
    kinds = "from msgspec import Struct\nfrom graph.node import Named, node\nfrom store.artifact import Artifact\n"
    kinds += "class Task: ...\nclass P(Struct, frozen=True):\n    tasks: list[Named[Task]] = []\n"
    kinds += "class Box(Artifact):\n    type = 'box/1'\n@node('a', version=1)\ndef a(*, params: P) -> Box: ...\n"
    (lab.folder / "kinds.py").write_text(kinds)
    text = '[experiment]\nname = "x"\n[nodes.a]\nkind = "kinds.py:a"\nparams = { tasks = ["tasks.py:heigher"] }'
    with pytest.raises(SpecError) as caught:
        lab.load(text)
    assert f"{lab.folder / 'tasks.py'} has no 'heigher'; did you mean 'higher'?" in str(caught.value)
