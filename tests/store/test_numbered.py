"""Numbered objects and what stands on them: the first writer of a number wins, torn ones are passed over."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from store.errors import Unacceptable
from store.numbered import Numbered
from store.objects import LocalObjects
from store.records import Record, Records
from store.refs import Refs

ONE, TWO = "1" * 64, "2" * 64


def record(output, key="ab" * 32):
    return Record(key, output, 10, "numbers/1", {"kind": "toy"}, {"seconds": 0.1})


@pytest.fixture
def objects(tmp_path):
    return LocalObjects(tmp_path)


def test_numbers_count_up_and_the_highest_is_newest(objects):
    numbered = Numbered(objects, "things")
    assert [numbered.create("a", payload) for payload in (b"x", b"y")] == [(1, b"x"), (2, b"y")]
    assert list(numbered.newest("a")) == [(2, b"y"), (1, b"x")]
    assert list(numbered.newest("b")) == []


def test_torn_object_is_passed_over(objects):
    numbered = Numbered(objects, "things")
    numbered.create("a", b"first")
    numbered.create("a", b"second")
    path = objects.root / "things/a/2"
    for torn in (b"", path.read_bytes()[:-1], path.read_bytes()[:70], b"second"):
        path.write_bytes(torn)
        assert next(numbered.newest("a")) == (1, b"first")
    assert numbered.create("a", b"third") == (3, b"third")


def test_strange_names_in_the_folder_are_passed_over(objects):
    numbered = Numbered(objects, "things")
    numbered.create("a", b"first")
    (objects.root / "things/a/notes.txt").write_text("not a number")
    assert next(numbered.newest("a")) == (1, b"first")


def test_loser_of_a_race_gets_the_winners_payload(objects):
    # The loser has counted the numbers before the winner wrote: what a race comes to.
    late = Numbered(objects, "things")
    late._numbers = lambda folder: []
    assert Numbered(objects, "things").create("a", b"winner") == (1, b"winner")
    assert late.create("a", b"loser") == (1, b"winner")
    assert list(Numbered(objects, "things").newest("a")) == [(1, b"winner")]


def test_threads_racing_for_one_name_have_one_winner(objects):
    start = threading.Barrier(8)
    won = []

    def create(n):
        start.wait()
        if objects.create("folder/name", str(n).encode()):
            won.append(n)

    threads = [threading.Thread(target=create, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert objects.read("folder/name") == str(won[0]).encode()
    assert objects.list("tmp") == []


RACER = """
import sys, time
from pathlib import Path
from store.objects import LocalObjects
from store.records import Record, Records
root, name = Path(sys.argv[1]), sys.argv[2]
records = Records(LocalObjects(root))
(root / f"ready-{name}").touch()
while not (root / "go").exists():
    pass
for n in range(200):
    # Both count the numbers of a folder that nobody has written to yet.
    records.numbered._numbers = lambda folder: []
    held = records.add(Record(f"{n:064x}", name * 64, 1, "t/1", {}, {}))
    print(held.output[0])
"""


def test_processes_racing_for_records_agree_on_every_winner(tmp_path):
    root = Path(__file__).parents[2]
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(tmp_path), name], stdout=subprocess.PIPE, text=True, cwd=root
        )
        for name in "ab"
    ]
    while not all((tmp_path / f"ready-{name}").exists() for name in "ab"):
        pass
    (tmp_path / "go").touch()
    first, second = (racer.communicate(timeout=60)[0].split() for racer in racers)
    assert len(first) == 200 and first == second


def test_record_comes_back_and_a_newer_one_holds(objects):
    records = Records(objects)
    assert records.find("ab" * 32) is None
    records.add(record(ONE))
    assert records.find("ab" * 32) == record(ONE)
    records.add(record(TWO))
    assert records.find("ab" * 32).output == TWO


def test_record_of_another_key_or_layout_is_a_miss(objects):
    records = Records(objects)
    folder = f"ab/{'ab' * 32}/local"
    records.numbered.create(folder, b'{"key":"' + b"cd" * 32 + b'"}')
    records.numbered.create(folder, b"not even json")
    records.numbered.create(folder, msgspec.json.encode(record(ONE, key="cd" * 32)))
    records.numbered.create(folder, msgspec.json.encode(record("../../etc/passwd")))
    assert records.find("ab" * 32) is None


def test_ref_moves_and_older_numbers_stay(objects):
    refs = Refs(objects)
    assert refs.find("pools/indoor-v3") is None
    for target in (ONE, TWO, TWO, ONE):
        refs.move("pools/indoor-v3", target)
        assert refs.find("pools/indoor-v3") == target
    assert sorted(objects.list("refs/pools/indoor-v3")) == ["1", "2", "3"]  # moving to where it is writes nothing


@pytest.mark.parametrize("name", ["", "../x", "/abs", "a//b", "a/", ".hidden", "a b", "a/../b", "pools/3", "ü"])
def test_unsafe_ref_names_are_refused(objects, name):
    with pytest.raises(Unacceptable, match="ref name"):
        Refs(objects).move(name, ONE)


def test_ref_that_holds_no_digest_is_not_believed(objects):
    Refs(objects).move("pool", ONE)
    Numbered(objects, "refs").create("pool", b"../../etc/passwd")
    assert Refs(objects).find("pool") == ONE
