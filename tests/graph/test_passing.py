"""Passing on by hand: push, pull, publish and pin, as commands, between two people and a bucket."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from graph.cli import main
from store.errors import Unacceptable
from store.open import open_store
from store.places import open_objects
from store.trust import Keyring

NAMED = """
[experiment]
name = "reader"
[nodes.pool]
artifact = "pools/indoor-v3"
[nodes.sum]
kind = "TOYS:total"
inputs = { items = "pool" }
params = { tag = "by name" }
"""

LICENSED = """
[experiment]
name = "licensed"
[nodes.raw]
kind = "TOYS:scan"
[nodes.count]
kind = "TOYS:measure"
inputs = { scan = "raw" }
"""


class Desk:
    """The command line as one of two people uses it."""

    def __init__(self, lab, monkeypatch, capsys, url) -> None:
        self.lab, self.patch, self.capsys, self.url = lab, monkeypatch, capsys, url

    def sit(self, name, settings="") -> None:
        """Be somebody: her settings, keys and store."""
        config = self.lab.folder / name / "config"
        (config / "dataflow").mkdir(parents=True, exist_ok=True)
        shared = settings or f'"{self.url}"'
        (config / "dataflow" / "config.toml").write_text(f"[store]\nshared = [{shared}]\n")
        self.patch.setenv("XDG_CONFIG_HOME", str(config))
        self.patch.setenv("DATAFLOW_STORE", str(self.lab.folder / name / "store"))
        if not (config / "dataflow" / "keys").exists():
            self("keys", "new", "--name", name)
        self.store_url = str(self.lab.folder / name / "store")

    def __call__(self, *words, status=0):
        """Run a command; return what it printed and said."""
        self.lab.forget()
        self.capsys.readouterr()
        assert main([str(word) for word in words]) == status
        said = self.capsys.readouterr()
        return said.out + said.err

    def key(self, name) -> str:
        return Keyring.load(self.lab.folder / name / "config" / "dataflow" / "keys").own


@pytest.fixture
def desk(lab, monkeypatch, capsys, s3):
    desk = Desk(lab, monkeypatch, capsys, s3.url)
    desk.sit("ann")
    desk.sit("ben")
    desk("keys", "trust", desk.key("ann"), "--name", "ann")
    desk.sit("ann")
    return desk


def test_a_published_pool_is_read_by_its_name(desk, lab, loop):
    desk("run", lab.write(loop))
    said = desk("publish", "scaled", "--as", "pools/indoor-v3")
    digest = re.search("[0-9a-f]{64}", said)[0]
    desk.sit("ben")
    spec = lab.write(NAMED, "named.toml")
    assert " 1 computed" in desk("run", spec) and lab.executed == {"sum": 1}
    assert "all of it is here" in desk("pull", "pools/indoor-v3")
    store = open_store(desk.store_url)
    assert store.reader(digest).artifacts()
    root = next(found for found in store.objects.walk("runs") if found.name.endswith("root.json"))
    assert digest.encode() in store.objects.read(root.name)  # what the name stood for is in the run


def test_a_published_name_never_moves(desk, lab, loop):
    desk("run", lab.write(loop))
    desk("publish", "scaled", "--as", "pools/indoor-v3")
    assert "signed by" in desk("publish", "scaled", "--as", "pools/indoor-v3")  # the same again is no harm
    said = desk("publish", "sum", "--as", "pools/indoor-v3", status=2)
    assert "a published name never moves" in said and said.count("\n") == 1
    desk.sit("ben")
    desk("run", lab.write(loop))
    assert "a published name never moves" in desk("publish", "sum", "--as", "pools/indoor-v3", status=2)
    desk.sit("ann")
    assert "is published" in desk("run", lab.write(loop.replace('"toy"', '"pools/indoor-v3"'), "x.toml"), status=2)


def test_a_published_name_stays_what_it_was_when_the_bucket_says_another(desk, lab, loop, s3):
    desk("run", lab.write(loop))
    desk("publish", "scaled", "--as", "pools/indoor-v3")
    desk.sit("ben")
    spec = lab.write(NAMED, "named.toml")
    first = desk("run", spec)
    bucket = open_objects(s3.url)
    bucket.delete("refs/pools/indoor-v3/1")
    desk.sit("ann")
    bucket_only = open_store(desk.store_url).objects.root / "refs/pools/indoor-v3/1"
    bucket_only.unlink()
    desk("publish", "data", "--as", "pools/indoor-v3")
    desk.sit("ben")
    again = desk("run", spec)
    assert re.search("^result (.*)$", again, re.M)[1] == re.search("^result (.*)$", first, re.M)[1]


def test_an_untrusted_name_says_who_gave_it(desk, lab, loop):
    desk("run", lab.write(loop))
    desk("publish", "scaled", "--as", "pools/indoor-v3")
    desk.sit("eve")
    said = desk("run", lab.write(NAMED, "named.toml"), status=2)
    assert desk.key("ann")[:8] in said and "dataflow keys trust" in said and said.count("\n") == 1


def test_a_name_that_nobody_gave_is_told_with_the_nearest(desk, lab, loop):
    desk("run", lab.write(loop))
    desk("publish", "scaled", "--as", "pools/indoor-v3")
    desk.sit("ben")
    said = desk("run", lab.write(NAMED.replace("indoor-v3", "indor-v3"), "named.toml"), status=2)
    assert "did you mean 'pools/indoor-v3'?" in said
    assert "did you mean 'pools/indoor-v3'?" in desk("pull", "pools/indoor-3", status=2)


def test_push_sends_what_is_missing_and_pull_brings_it_whole(desk, lab, big_loop, s3):
    desk("run", lab.write(big_loop), "--offline")
    assert not list(open_objects(s3.url).walk("actions"))
    first = desk("push")
    assert re.search(r"9 records, \d+ objects, [\d.]+ kB sent", first)
    assert " 0 bytes sent" in desk("push")
    desk.sit("ben")
    assert " 0 computed" in desk("run", lab.write(big_loop))
    assert "all of it is here" in desk("pull")
    assert " 0 computed" in desk("run", lab.write(big_loop), "--offline")


def test_push_of_one_node_sends_that_node(desk, lab, big_loop, s3):
    desk("run", lab.write(big_loop), "--offline")
    assert "scaled to s3://" in desk("push", "scaled")
    desk.sit("ben")
    assert " 5 computed" in desk("run", lab.write(big_loop)) and "scale" not in lab.executed


def test_without_a_store_or_a_key_push_says_what_is_missing(desk, lab, loop, monkeypatch):
    desk("run", lab.write(loop), "--offline")
    assert "'s3://other/x' is not in [store] shared" in desk("push", "--to", "s3://other/x", status=2)
    for path in (lab.folder / "ann" / "config" / "dataflow" / "keys").iterdir():
        path.unlink()
    assert "`dataflow keys new`" in desk("push", status=2)


def test_licensed_data_stays_and_what_was_made_of_it_goes(desk, lab, s3):
    spec = lab.write(LICENSED, "licensed.toml")
    said = desk("run", spec)
    assert "not passed on: raw, by the terms of ScanNet: research only" in said
    assert "by the terms of ScanNet" in desk("push", status=1)
    assert "may not be passed on: ScanNet" in desk("publish", "raw", "--as", "raw/v1", status=2)
    desk.sit("ben")
    assert " 0 computed" in desk("run", spec)  # the record of raw leads on, without its bytes
    store = open_store(desk.store_url)
    held = [store.reader(found.name.rpartition("/")[2]).type for found in store.objects.walk("manifests")]
    assert sorted(held) == ["numbers/1", "run/1"]
    desk("run", spec, "--set", "nodes.count.params.times=2")
    assert lab.executed == {"scan": 1, "measure": 1}  # needed, and made again


def test_licensed_data_goes_where_the_owner_allows_it(desk, lab, s3):
    desk.sit("ann", f'{{ url = "{s3.url}", allow = ["ScanNet"] }}')
    spec = lab.write(LICENSED, "licensed.toml")
    assert "not passed on" not in desk("run", spec)
    desk.sit("ben")
    desk("run", spec, "--set", "nodes.count.params.times=2")
    assert lab.executed == {"measure": 1}


def test_settings_that_mean_nothing_are_one_line(desk, lab, loop):
    desk.sit("ann", '{ url = "s3://x", trsut = "any" }')
    said = desk("run", lab.write(loop), status=2)
    assert "config.toml: [store] shared" in said and "trsut" in said and said.count("\n") == 1
    spec = lab.write(loop + '[store]\nshared = [{ url = "s3://x", trust = "any" }]\n')
    assert "whom to believe there is the user's to say" in desk("run", spec, status=2)


def test_a_store_that_only_a_spec_names_is_read_and_nothing_is_sent_there(desk, lab, loop, s3):
    desk("run", lab.write(loop))
    desk.sit("ben", '"s3://other/cache"')
    spec = lab.write(loop + f'[store]\nshared = ["{s3.url}"]\n', "named.toml")
    assert " 0 computed" in desk("run", spec)
    s3.forget()
    assert " 7 computed" in desk("run", spec, "--set", "nodes.scaled.params.factor=3")
    assert not s3.requests["PUT"]


def test_pins_are_set_and_taken_out(desk, lab, loop):
    desk("run", lab.write(loop))
    said = desk("pin", "scaled")
    digest = re.search("[0-9a-f]{64}", said)[0]
    store = open_store(desk.store_url)
    assert store.refs.find(f"pins/{digest}") == digest
    desk("pin", "scaled", "--off")
    assert store.refs.find(f"pins/{digest}") is None
    with pytest.raises(Unacceptable):
        store.refs.find("../x")


def test_a_thousand_cached_nodes_over_s3_cost_a_handful_of_requests(desk, lab, s3):
    text = '[experiment]\nname = "wide"\n' + "".join(
        f'[nodes.n{n}]\nkind = "TOYS:make_list"\nparams = {{ first = {n} }}\n' for n in range(200)
    )
    spec = lab.write(text, "wide.toml")
    desk("run", spec)
    desk.sit("ben")
    s3.forget()
    assert " 200 found" in desk("run", spec) and s3.n < 10
    s3.forget()
    assert " 200 found" in desk("run", spec) and s3.n < 10


def test_a_name_that_means_something_here_is_not_published(desk, lab, loop, s3):
    desk("run", lab.write(loop))
    said = desk("publish", "scaled", "--as", "toy", status=2)  # the experiment's own
    assert "the name 'toy' stands for something else" in said and said.count("\n") == 1
    assert not list(open_objects(s3.url).walk("refs"))


def test_of_two_who_publish_a_name_at_once_one_has_it(desk, lab, loop, s3):
    from store.published import Published, Title

    desk("run", lab.write(loop))
    keys = [Keyring.load(lab.folder / name / "config" / "dataflow" / "keys") for name in ("ann", "ben")]
    titles = [Title("pools/v1", digest * 64, "x/1") for digest in "ab"]
    with ThreadPoolExecutor(2) as pool:
        published = [Published(open_objects(s3.url), key, "any") for key in keys]
        futures = [pool.submit(one.give, title) for one, title in zip(published, titles)]
    lost = [str(future.exception()) for future in futures if future.exception()]
    assert len(lost) == 1 and "a published name never moves" in lost[0]


def test_a_name_whose_bytes_are_gone_is_one_line(desk, lab, loop, s3):
    desk("run", lab.write(loop))
    desk("publish", "scaled", "--as", "pools/indoor-v3")
    bucket = open_objects(s3.url)
    names = [found.name for found in bucket.walk("manifests")]
    desk.sit("ben")
    spec = lab.write(NAMED, "named.toml")
    digest = re.search("[0-9a-f]{64}", bucket.read("refs/pools/indoor-v3/1").split(b"digest")[1].decode())[0]
    for name in names:
        if digest not in name:
            bucket.delete(name)
    said = desk("run", spec, status=1)
    assert "is not in this store" in said and "Traceback" not in said
    bucket.delete(f"manifests/{digest[:2]}/{digest}")
    desk.sit("cora")
    desk("keys", "trust", desk.key("ann"))
    said = desk("run", spec, status=2)
    assert "artifact = 'pools/indoor-v3': not in this store" in said and said.count("\n") == 1


def test_a_digest_that_only_the_bucket_has_stands_for_a_node(desk, lab, loop):
    desk("run", lab.write(loop))
    digest = re.search("[0-9a-f]{64}", desk("publish", "scaled", "--as", "pools/v9"))
    desk.sit("ben")
    spec = lab.write(NAMED.replace("pools/indoor-v3", digest[0]), "named.toml")
    assert " 1 computed" in desk("run", spec)


def test_a_name_asked_of_a_store_that_does_not_answer_says_that(desk, lab, s3):
    s3.harm = lambda method, path, n: 403
    said = desk("run", lab.write(NAMED, "named.toml"), status=2)
    assert "not in this store: " in said and "ermission denied" in said and said.count("\n") == 1


def test_a_stray_file_among_the_records_is_no_record(desk, lab, loop):
    desk("run", lab.write(loop), "--offline")
    store = open_store(desk.store_url)
    name = next(found.name for found in store.objects.walk("actions"))
    store.objects.write(f"{name.rpartition('/')[0]}/.nfs000001", b"x")
    assert "9 records" in desk("push")


def test_what_cannot_be_said_of_a_bucket_is_one_line(desk, lab, loop, s3, monkeypatch):
    desk("run", lab.write(loop), "--set", "nodes.data.params.size=5000")
    for words in (["publish", "sum", "--as", "../x"], ["pull", "../x"], ["publish", "sum", "--as", "pools/3"]):
        assert "ref name" in desk(*words, status=2)
    for command in ("run", "push", "pull"):  # a user's own store in a bucket
        monkeypatch.setenv("DATAFLOW_STORE", s3.url.replace("team-", "nobody-"))
        words = [command, lab.write(loop)] if command == "run" else [command]
        said = desk(*words, status=2)
        assert said.count("\n") == 1 and ("no such bucket" in said or "a store on this machine" in said)


def test_pull_says_which_store_did_not_answer_and_looks_when_it_is_to_ask_none(desk, lab, big_loop, s3):
    desk("run", lab.write(big_loop))
    desk.sit("ben")
    desk("run", lab.write(big_loop))
    assert "is not in this store" in desk("pull", "--offline", status=2)
    s3.harm = lambda method, path, n: 403
    said = desk("pull", status=2)
    assert "is not in this store; " in said and "ermission denied" in said and said.count("\n") == 1
    assert f"store {s3.url}: permission denied" in desk("push", status=2)
    s3.harm = lambda method, path, n: None
    assert "all of it is here" in desk("pull") and "all of it is here" in desk("pull", "--offline")


def test_a_disk_that_fills_in_a_pull_is_one_line(desk, lab, big_loop, s3):
    import resource

    desk("run", lab.write(big_loop))
    desk.sit("ben")
    desk("run", lab.write(big_loop))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        said = desk("pull", status=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert said == f"{desk.store_url}: File too large\n"
    assert "all of it is here" in desk("pull")
