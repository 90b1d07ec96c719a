"""Settings: where artifacts lie and where nodes run, and who has the last word."""

from __future__ import annotations

import pytest

from graph.errors import SpecError
from graph.settings import Compute, open_stores, store_url

SPEC = """
[experiment]
name = "one"
[nodes.data]
kind = "TOYS:make_list"
"""


def compute(lab, text="", *settings):
    return lab.load(SPEC + text, *settings).compute


def mistakes(lab, text, *settings):
    with pytest.raises(SpecError) as caught:
        lab.load(SPEC + text, *settings)
    return [line.replace(str(lab.folder), "DIR") for line in caught.value.mistakes]


def write_user_file(lab, text):
    path = lab.folder / "config" / "dataflow" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_compute_is_of_the_spec_then_of_the_environment_then_of_the_user(lab, monkeypatch):
    assert compute(lab) == Compute()
    write_user_file(lab, '[compute]\nexecutor = "local"\nworkers = 8\nresources = { GPU = 2 }')
    assert compute(lab) == Compute("local", 8, "", {"GPU": 2.0})
    monkeypatch.setenv("DATAFLOW_ADDRESS", "tcp://host:8786")
    assert compute(lab).executor == "remote" and compute(lab).address == "tcp://host:8786"
    assert compute(lab, '[compute]\nexecutor = "inline"').executor == "inline"
    assert compute(lab, '[compute]\naddress = "tcp://other:1"').address == "tcp://other:1"
    assert compute(lab, "[compute]\nworkers = 4").address == "tcp://host:8786"


def test_spec_that_runs_locally_takes_what_it_does_not_say_from_the_user(lab):
    write_user_file(lab, '[compute]\naddress = "tcp://host:8786"\nworkers = 8')
    found = compute(lab, '[compute]\nexecutor = "local"\nresources = { GPU = 1 }')
    assert found == Compute("local", 8, "", {"GPU": 1.0})


def test_command_line_decides_executor_and_address_together(lab):
    local, remote = '[compute]\nexecutor = "local"\nworkers = 3', '[compute]\naddress = "tcp://host:8786"'
    assert compute(lab, local, "compute.address=tcp://host:1") == Compute("remote", 3, "tcp://host:1")
    assert compute(lab, remote, "compute.executor=local") == Compute("local")


def test_contradictions_are_mistakes(lab):
    both = '[compute]\nexecutor = "local"\naddress = "tcp://host:8786"'
    assert mistakes(lab, both) == [
        "DIR/toy.toml: [compute] address = 'tcp://host:8786': executor = 'local' starts its own workers: "
        "expected executor = 'remote', or none"
    ]
    assert mistakes(lab, '[compute]\nexecutor = "remote"') == [
        "DIR/toy.toml: [compute] executor = 'remote': expected an address as well, here or in DATAFLOW_ADDRESS"
    ]


def test_resource_that_no_local_worker_has_is_a_mistake(lab):
    node = '[nodes.more]\nkind = "TOYS:make_list"\nresources = { GPU = 1, memory = 4 }\n'
    local = '[compute]\nexecutor = "local"\n'
    assert mistakes(lab, node + local + "resources = { GPUS = 1, memory = 2 }") == [
        "DIR/toy.toml: [nodes.more] resources.GPU = 1: a worker has none: expected it in [compute] resources; "
        "did you mean 'GPUS'?",
        "DIR/toy.toml: [nodes.more] resources.memory = 4: a worker has 2: expected it in [compute] resources",
    ]
    spec = lab.load(SPEC + node + local + "resources = { GPU = 1, memory = 4 }")
    assert spec.nodes["more"].resources == {"GPU": 1.0, "memory": 4.0}
    lab.load(SPEC + node)  # one process has what it has


def test_mistake_in_the_user_file_names_it(lab):
    path = write_user_file(lab, "[compute]\nworkers = 0")
    assert mistakes(lab, "") == [f"{path}: [compute] workers = 0: expected int >= 1".replace(str(lab.folder), "DIR")]
    write_user_file(lab, "[compute")
    assert mistakes(lab, "")[0].startswith("DIR/config/dataflow/config.toml: expected TOML")
    write_user_file(lab, "compute = 5")
    assert mistakes(lab, "") == ["DIR/config/dataflow/config.toml: compute = 5: expected a table"]


def test_store_is_of_the_command_line_the_spec_the_environment_the_user_in_this_order(lab, monkeypatch):
    path = write_user_file(lab, '[store]\nurl = "/user"')
    assert store_url("/line", "/spec") == "/line"
    assert store_url(None, "/spec") == "/spec"
    assert store_url(None, None) == lab.store.url
    monkeypatch.delenv("DATAFLOW_STORE")
    assert store_url(None, None) == "/user"
    path.write_text("store = 5")
    with pytest.raises(SpecError, match=r"config.toml: \[store\] 5: expected url"):
        store_url(None, None)
    path.unlink()
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert store_url(None, None) == "/data/dataflow"


@pytest.mark.parametrize(
    "text",
    [
        'shared = "s3://team/cache"',  # no list: its letters are no stores
        'shared = [""]',
        'shared = ["/a", "/a/"]',
        'shared = ["/a", { url = "file:///a", trust = "own" }]',
        'shared = [{ url = "/a", trust = "all" }]',
        'shared = [{ trust = "any" }]',
        'shraed = ["/a"]',
        "url = 5",
        'url = ""',
    ],
)
def test_what_a_user_cannot_mean_by_a_store_is_one_line(lab, monkeypatch, text):
    monkeypatch.delenv("DATAFLOW_STORE")
    write_user_file(lab, f"[store]\n{text}\n")
    with pytest.raises(SpecError, match=r"config.toml: \[store\] ") as caught:
        open_stores(None)
    assert "\n" not in str(caught.value) and "expected" in str(caught.value)


def test_a_spec_and_a_user_mean_one_place_however_they_spell_it(lab, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for said, named in [
        ("s3://team/cache/", "s3://team/cache"),
        ("~/cache", "cache/"),
        (f"file://{tmp_path}/cache", f"{tmp_path}/cache"),
        ("../../cache", "cache"),  # paths in a file are relative to it
    ]:
        write_user_file(lab, f'[store]\nshared = [{{ url = "{said}", trust = "own", push = false }}]\n')
        spec = lab.load(SPEC + f'[store]\nshared = ["{named}", "{named}"]\n')
        (tier,) = open_stores(None, spec).tiers.all
        assert (tier.settings.trust, tier.settings.push) == ("own", False), (said, named)
