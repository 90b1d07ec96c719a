"""Every place that objects may lie in does the same: a folder, any fsspec URL, S3, Azure."""

from __future__ import annotations

import os
import threading
import time

import pytest

from store.bucket import Bucket
from store.errors import Unacceptable, Unreachable
from store.filesystem import FileSystem
from store.numbered import Numbered
from store.objects import LocalObjects

PLACES = ("folder", "memory", "file", "s3", "azure")


@pytest.fixture(params=PLACES)
def objects(request, tmp_path):
    match request.param:
        case "folder":
            return LocalObjects(tmp_path)
        case "memory":
            return FileSystem(f"memory://{os.urandom(4).hex()}/cache")
        case "file":
            return FileSystem(f"file://{tmp_path}")
        case name:
            return Bucket(request.getfixturevalue(name).url)


def test_what_is_written_is_read_listed_walked_and_deleted(objects):
    data = os.urandom(5000)
    objects.write("cas/ab/one", b"first")
    objects.write("cas/ab/one", data)
    objects.write("cas/cd/two", b"")
    assert objects.read("cas/ab/one") == data and objects.read("cas/cd/two") == b""
    assert objects.exists("cas/ab/one") and not objects.exists("cas/ab/on")
    assert sorted(objects.list("cas")) == ["ab", "cd"] and objects.list("cas/ab") == ["one"]
    assert sorted((found.name, found.size) for found in objects.walk("cas")) == [
        ("cas/ab/one", 5000),
        ("cas/cd/two", 0),
    ]
    objects.delete("cas/ab/one")
    objects.delete("cas/ab/one")
    assert not objects.exists("cas/ab/one") and [found.name for found in objects.walk("cas")] == ["cas/cd/two"]


def test_what_is_not_there_says_so(objects):
    with pytest.raises(FileNotFoundError):
        objects.read("cas/ab/none")
    assert objects.list("nowhere") == [] and list(objects.walk("nowhere")) == []


def test_a_prefix_of_a_name_is_no_folder(objects):
    objects.write("refs/pools/a", b"1")
    objects.write("refs/pools2/b", b"2")
    assert objects.list("refs/pool") == [] and sorted(objects.list("refs")) == ["pools", "pools2"]
    assert [found.name for found in objects.walk("refs/pools")] == ["refs/pools/a"]


def test_only_the_first_creates(objects):
    assert objects.create("leases/a/1", b"mine")
    assert not objects.create("leases/a/1", b"yours")
    assert objects.read("leases/a/1") == b"mine"


def test_more_bytes_than_are_wanted_are_not_read(objects):
    objects.write("manifests/ab/x", bytes(2000))
    assert len(objects.read("manifests/ab/x", 2000)) == 2000
    with pytest.raises(Unacceptable, match="1999"):
        objects.read("manifests/ab/x", 1999)


@pytest.mark.parametrize("objects", ["folder", "memory", "s3", "azure"], indirect=True)
def test_of_many_who_create_a_number_at_once_one_wins(objects):
    won: list[tuple[int, bytes]] = []
    barrier = threading.Barrier(8)

    def create(name: int) -> None:
        numbered = Numbered(objects, "leases")
        barrier.wait()
        for n in range(1, 6):
            if numbered.create_at("key", n, b"%d" % name):
                won.append((n, b"%d" % name))

    threads = [threading.Thread(target=create, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(n for n, _ in won) == [1, 2, 3, 4, 5]
    assert list(Numbered(objects, "leases").newest("key")) == sorted(won, reverse=True)


def test_large_objects_go_up_in_parts_and_come_back(s3):
    objects, data = Bucket(s3.url), os.urandom(70 << 20)
    objects.write("cas/ab/large", data)
    assert objects.read("cas/ab/large") == data and s3.requests["POST"] >= 2


FAULTS = {
    "500": lambda method, path, n: 500 if n < 3 else None,
    "503": lambda method, path, n: 503 if n < 3 else None,
    "slow": lambda method, path, n: "slow" if n < 3 else None,
    "cut in mid-upload": lambda method, path, n: "cut" if method == "PUT" and n < 3 else None,
    "answer lost": lambda method, path, n: "lost" if n < 3 else None,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_fails_for_a_while_loses_nothing(s3, fault):
    objects, data, n_harmed = Bucket(s3.url), os.urandom(1 << 20), 0
    for step in (
        lambda: objects.write("cas/ab/x", data),
        lambda: objects.create("actions/ab/1", b"record"),
        lambda: objects.exists("cas/ab/x"),
        lambda: objects.list("cas/ab") == ["x"],
        lambda: objects.read("cas/ab/x") == data,
    ):
        s3.forget()
        s3.harm = FAULTS[fault]
        assert step() in (None, True)
        n_harmed += any(FAULTS[fault](line.split()[0], "", n + 1) for n, line in enumerate(s3.log))
    assert n_harmed >= 2
    assert not objects.create("actions/ab/1", b"another")
    assert objects.read("actions/ab/1") == b"record"


def test_a_server_that_only_fails_is_unreachable_in_one_line(s3):
    s3.harm = lambda method, path, n: 500
    for step in (
        lambda o: o.read("x"),
        lambda o: o.write("x", b""),
        lambda o: o.list("x"),
        lambda o: list(o.walk("x")),
    ):
        with pytest.raises(Unreachable) as caught:
            step(Bucket(s3.url))
        assert str(caught.value).startswith(f"store {s3.url}: ") and "\n" not in str(caught.value)


def test_nobody_there_and_no_permission_are_told_apart(s3, monkeypatch):
    s3.harm = lambda method, path, n: 403
    with pytest.raises(PermissionError, match="permission denied"):
        Bucket(s3.url).write("x", b"")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(Unreachable):
        Bucket(s3.url).read("x")


@pytest.mark.parametrize("url", ["s4://team/cache", "s3://", "nope://x"])
def test_a_url_that_nobody_knows_is_refused(url):
    with pytest.raises(Unacceptable, match=url.split(":")[0]):
        Bucket(url) if url.startswith("s") else FileSystem(url)


def test_what_is_touched_is_new_and_what_is_new_is_not_deleted(objects):
    objects.write("cas/ab/one", b"first")
    (written,) = objects.walk("cas")
    assert not objects.delete("cas/ab/one", before=written.modified)
    time.sleep(1.1)  # a second is as much as S3 tells
    assert objects.touch("cas/ab/one") and not objects.touch("cas/ab/none")
    (touched,) = objects.walk("cas")
    assert touched.modified >= written.modified + 1
    assert not objects.delete("cas/ab/one", before=touched.modified) and objects.read("cas/ab/one") == b"first"
    assert objects.delete("cas/ab/one", before=touched.modified + 1) and not objects.exists("cas/ab/one")
    assert objects.delete("cas/ab/one", before=0)


def test_folders_that_are_empty_go_with_what_was_in_them(tmp_path):
    objects = LocalObjects(tmp_path)
    objects.write("actions/ab/key/local/1", b"")
    objects.write("actions/ab/other/local/1", b"")
    objects.delete("actions/ab/key/local/1")
    assert objects.list("actions/ab") == ["other"]
    objects.delete("actions/ab/other/local/1", before=time.time() + 1)
    assert objects.list("actions") == [] and sorted(objects.list("")) == ["actions", "tmp"]


def test_writing_beside_somebody_who_removes_empty_folders_never_fails(tmp_path):
    objects, is_over = LocalObjects(tmp_path), threading.Event()

    def remove() -> None:
        while not is_over.is_set():
            objects.delete("cas/ab/x")

    thread = threading.Thread(target=remove)
    thread.start()
    try:
        for _ in range(3000):
            objects.write("cas/ab/x", b"")
    finally:
        is_over.set()
        thread.join()
    objects.write("cas/ab/x", b"still")
    assert objects.read("cas/ab/x") == b"still"


def test_a_touch_beside_a_deletion_is_never_lost(tmp_path):
    objects = LocalObjects(tmp_path)
    for n in range(300):
        objects.write("cas/ab/x", b"")
        os.utime(tmp_path / "cas/ab/x", (n, n))
        thread = threading.Thread(target=objects.delete, args=("cas/ab/x", 1e6))
        thread.start()
        is_there = objects.touch("cas/ab/x")
        thread.join()
        assert objects.exists("cas/ab/x") >= is_there


def test_a_touch_that_meets_the_file_when_a_deletion_has_moved_it_away_finds_nothing(tmp_path, monkeypatch):
    objects = LocalObjects(tmp_path)
    objects.write("cas/ab/x", b"")
    os.utime(tmp_path / "cas/ab/x", (1, 1))
    utime = os.utime

    def found_and_then_touched(path):
        """The system's call, which looks up the file first: what happens in between, happens here."""
        file = os.open(path, os.O_RDONLY)
        assert objects.delete("cas/ab/x", before=1e6)
        utime(file)
        os.close(file)

    monkeypatch.setattr(os, "utime", found_and_then_touched)
    assert not objects.touch("cas/ab/x")
