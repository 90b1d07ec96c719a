"""Pages and plain forms by name: `dataflow show NODE --html`, `dataflow export NODE DIR --format NAME`."""

from __future__ import annotations

import pytest

KINDS = """
from msgspec import Struct
from graph.node import node
from store.artifact import Artifact
from store.collection import Collection

class Seed(Artifact):
    type = "seed/1"
    def __init__(self, name): self.name = name
    def write(self, w): w.attrs = {"name": self.name}
    @classmethod
    def open(cls, r): return cls(**r.attrs)

class Plant(Seed):
    type = "plant/1"
    plain = ":write_names"
    forms = {"loud": ":write_loud", "bad": ":write_bad"}
    page = ":draw"

class P(Struct, frozen=True):
    names: tuple[str, ...] = ("fern", "moss")

def write_names(plants, folder):
    folder.mkdir()
    (folder / "names.txt").write_text(" ".join(plant.name for plant in plants.values()))

def write_loud(plants, folder):
    folder.mkdir()
    (folder / "loud.txt").write_text(" ".join(plant.name.upper() for plant in plants.values()))

def write_bad(plants, folder):
    raise ValueError("no ink")

def draw(plants, find, n, title):
    seeds = find(Seed)
    told = [f"{key or 'itself'}={seeds[key].name}" for key in seeds]
    return f"<p>{title} {n} {' '.join(plant.name for plant in plants.values())} from {' '.join(told) or 'nothing'}</p>"

@node("toy.seeds", version=1)
def seeds(*, params: P) -> Collection[Seed]:
    return Collection(Seed, {name: Seed(name + " seed") for name in params.names})

@node("toy.plants", version=1, each="seed")
def plants(seed: Seed) -> Plant:
    return Plant(seed.name.removesuffix(" seed"))

@node("toy.fragile", version=1, each="seed")
def fragile(seed: Seed, soil: Seed | None) -> Plant:
    if seed.name.startswith("moss"):
        raise ValueError("no water")
    return Plant(seed.name.removesuffix(" seed"))

@node("toy.sold", version=1)
def sold(plants: Collection[Plant]) -> Collection[Plant]:
    return Collection(Plant, {key: plants[key] for key in list(plants)[:1]})
"""
SPEC = """
[experiment]
name = "garden"
[nodes.seeds]
kind = "kinds.py:seeds"
[nodes.plants]
kind = "kinds.py:plants"
inputs = { seed = "seeds" }
[nodes.sold]
kind = "kinds.py:sold"
inputs = { plants = "plants" }
"""


@pytest.fixture
def spec(lab):
    (lab.folder / "kinds.py").write_text(KINDS)
    spec = lab.write(SPEC)
    assert lab.command("run", spec).returncode == 0
    return spec


def drawn(lab, *arguments):
    path = lab.folder / "page.html"
    done = lab.command("show", *arguments, "--html", "--out", path)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith(f"{path}  ")
    return path.read_text()


def test_page_is_drawn_by_the_type_with_what_it_was_made_from(lab, spec):
    assert drawn(lab, spec, "plants") == "<p>plants 40 fern moss from fern=fern seed moss=moss seed</p>"
    assert drawn(lab, spec, "sold", "--sample", "3") == "<p>sold 3 fern from fern=fern seed moss=moss seed</p>"


@pytest.mark.parametrize("names", [["fern", "moss"], ["fern", "ivy", "moss"]])
def test_map_that_lost_elements_is_drawn_with_what_the_rest_was_made_from(lab, names):
    (lab.folder / "kinds.py").write_text(KINDS)
    text = SPEC.replace('"kinds.py:plants"', '"kinds.py:fragile"\nmay_fail = 1')
    text = text.replace(
        "[nodes.plants]",
        """[nodes.fewer]
kind = "kinds.py:seeds"
params = { names = ["ivy", "palm"] }
[nodes.plants]""",
    )
    spec = lab.write(text.replace('seeds"\n', f'seeds"\nparams = {{ names = {names} }}\n', 1))
    assert lab.command("run", spec).returncode == 0
    seeds = " ".join(f"{name}={name} seed" for name in names)
    assert drawn(lab, spec, "plants") == f"<p>plants 40 {' '.join(names[:-1])} from {seeds}</p>"
    assert drawn(lab, spec, "sold") == f"<p>sold 40 fern from {seeds}</p>"


def test_entry_is_drawn_from_its_own_origin(lab, spec):
    assert drawn(lab, spec, "plants.moss") == "<p>plants.moss 40 moss from itself=moss seed</p>"


def test_digest_and_name_are_drawn_too(lab, spec, tmp_path):
    digest = next(word for word in lab.command("show", spec, "plants").stdout.split() if len(word) == 64)
    assert drawn(lab, spec, digest) == f"<p>{digest[:12]} 40 fern moss from fern=fern seed moss=moss seed</p>"
    lab.command("export", spec, "plants", tmp_path / "out")
    assert lab.command("import", spec, tmp_path / "out", "--as", "garden/best").returncode == 0
    assert drawn(lab, spec, "garden/best").startswith("<p>garden/best 40 fern moss from fern=fern seed")


def test_origin_is_found_in_the_records_where_no_run_tells_of_it(lab, spec):
    digest = next(word for word in lab.command("show", spec, "plants").stdout.split() if len(word) == 64)
    text = (lab.folder / "toy.toml").read_text()
    again = f'{text.partition("[nodes.seeds]")[0]}[nodes.given]\nartifact = "{digest}"\n[nodes.sold]'
    again += text.partition("[nodes.sold]")[2].replace('"plants"', '"given"')
    assert lab.command("run", lab.write(again, "again.toml")).returncode == 0
    assert drawn(lab, lab.folder / "again.toml", "sold") == ("<p>sold 40 fern from fern=fern seed moss=moss seed</p>")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["seeds"], "seeds is collection of seed/1, which has no page"),
        (["plnts"], "did you mean 'plants'?"),
        (["plants", "--sample", "0"], "expected a number from 1 on"),
        (["plants", "--out", "FOLDER"], "expected a file's name, it is a folder"),
        (["plants", "--out", "none/there.html"], "No such file"),
    ],
)
def test_page_that_cannot_be_is_said_in_a_line(lab, spec, arguments, said):
    arguments = [str(lab.folder) if word == "FOLDER" else word for word in arguments]
    done = lab.command("show", spec, *arguments, "--html")
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
    assert not list(lab.folder.glob("*.html*"))


def test_form_is_written_by_its_name_alone(lab, spec, tmp_path):
    done = lab.command("export", spec, "plants", tmp_path / "out", "--format", "loud")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file()) == [
        "artifact.json",
        "loud.txt",
    ]
    assert (tmp_path / "out/plain/loud.txt").read_text() == "FERN MOSS"


@pytest.mark.parametrize(
    ("node", "form", "said"),
    [
        ("plants", "lod", "has no form 'lod': it has bad, loud; did you mean 'loud'?"),
        ("seeds", "loud", "has no form 'loud': it has none by name"),
        ("plants", "bad", "plain form of plant/1 by :write_bad: ValueError: no ink"),
    ],
)
def test_form_that_is_not_there_is_refused(lab, spec, tmp_path, node, form, said):
    done = lab.command("export", spec, node, tmp_path / "out", "--format", form)
    assert done.returncode == 2 and said in done.stderr and not (tmp_path / "out").exists()


def test_drawers_enter_no_key(lab, spec):
    text = (lab.folder / "kinds.py").read_text()
    (lab.folder / "kinds.py").write_text(text.replace("<p>", "<b>").replace("loud.txt", "louder.txt"))
    assert lab.command("plan", spec, "--check").returncode == 0
