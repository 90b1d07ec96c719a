"""Records, refs and numbers of a hostile writer: what is no record is a miss, never a crash."""

from __future__ import annotations

import json
import os

import pytest

from store.digest import digest
from store.errors import Unacceptable
from store.numbered import Numbered
from store.records import Record, Records

KEY, OUTPUT = "1" * 64, "2" * 64
GOOD = {"key": KEY, "output": OUTPUT, "size": 30, "type": "thing/1", "action": {"kind": "k"}, "ran": {"seconds": 1.5}}


def plant(store, payload: bytes, n=1, folder=f"actions/11/{KEY}/local"):
    store.objects.write(f"{folder}/{n}", digest(payload).encode() + b"\n" + payload)


def record(**values):
    return json.dumps({**GOOD, **values}).encode()


DEEP = b"[" * 100_000 + b"]" * 100_000
RECORDS = {
    "another key": record(key="3" * 64),
    "output no digest": record(output="../../../etc/passwd"),
    "output a list": record(output=[]),
    "size below 0": record(size=-1),
    "size of 2**63": record(size=1 << 63),
    "size a text": record(size="30"),
    "action a list": record(action=[]),
    "kind a number": record(action={"kind": 1}),
    "inputs a text": record(action={"inputs": "x"}),
    "inputs of numbers": record(action={"inputs": {"a": 1}}),
    "params a number": record(action={"params": 1}),
    "packages a list": record(action={"packages": []}),
    "is_map a text": record(action={"is_map": "no"}),
    "ran a number": record(ran=1),
    "seconds a text": record(ran={"seconds": "1"}),
    "elements a text": record(ran={"elements": "many"}),
    "elements below 0": record(ran={"elements": -1}),
    "log of another form": record(ran={"log": [1]}),
    "log elsewhere": record(ran={"log": ["../../x", 1]}),
    "source no digest": record(source="../../../dev/zero"),
    "terminal in its type": record(type="\x1b[2J"),
    "deep action": json.dumps(GOOD).encode().replace(b'"k"', DEEP),
    "deep ran": json.dumps(GOOD).encode().replace(b"1.5", DEEP),
    "huge action": record(action={"x": "y" * (1 << 20)}),
    "no JSON": b"\x80\x04\x95.",
    "NaN": json.dumps(GOOD).encode().replace(b"1.5", b"NaN"),
}


@pytest.mark.parametrize("payload", RECORDS.values(), ids=RECORDS.keys())
def test_record_that_is_none_is_passed_over(forge, payload):
    plant(forge.store, record(), 1)
    plant(forge.store, payload, 2)
    assert forge.store.records.find(KEY) == Record(**GOOD)


def test_whole_record_is_taken(forge):
    action = {"kind": "k", "version": 1, "code": "c", "params": {"a": [1]}, "inputs": {"a": None}, "is_map": False}
    ran = {"started": "2026", "seconds": 1, "host": "h", "elements": 3, "log": [OUTPUT, 12], "more": [1]}
    plant(forge.store, record(action={**action, "element": None, "more": {}}, ran=ran, source=OUTPUT))
    assert forge.store.records.find(KEY).ran == ran


def test_record_too_large_to_be_read_is_not_written(forge):
    with pytest.raises(Unacceptable, match=r"of 10\d{5} bytes: at most 1048576"):
        forge.store.commit(Record(**{**GOOD, "action": {"x": "y" * (1 << 20)}}))


def test_record_of_a_terabyte_is_not_read(forge):
    plant(forge.store, record(), 1)
    path = forge.store.objects.root / f"actions/11/{KEY}/local/2"
    with open(path, "wb") as file:
        os.truncate(file.fileno(), 1 << 40)
    said, peak = forge.attack(f"store.records.find('{KEY}').output")
    assert said == OUTPUT and peak < 60


@pytest.mark.parametrize("name", ["007", "0", "-1", "1_0", "٣", "9" * 19, "9" * 255, "2 ", "+2"])
def test_name_that_is_no_number_is_passed_over(forge, name):
    folder = forge.store.objects.root / f"actions/11/{KEY}/local"
    plant(forge.store, record(), 1)
    (folder / name).write_bytes(b"x")
    assert forge.store.records.find(KEY).output == OUTPUT
    assert Numbered(forge.store.objects, "actions").create(f"11/{KEY}/local", b"new")[0] == 2


@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_number_that_is_no_file_is_passed_over(forge, kind):
    plant(forge.store, record(), 1)
    path = forge.store.objects.root / f"actions/11/{KEY}/local/2"
    os.mkfifo(path) if kind == "fifo" else path.mkdir()
    assert forge.store.records.find(KEY).output == OUTPUT
    assert Numbered(forge.store.objects, "actions").create(f"11/{KEY}/local", b"new")[0] == 3


@pytest.mark.parametrize("text", [b"../x", b"A" * 64, b"\xff" * 64, b"1" * (1 << 21), b""])
def test_ref_to_no_digest_is_passed_over(forge, text):
    forge.store.refs.move("pool", OUTPUT)
    plant(forge.store, text, 2, "refs/pool")
    assert forge.store.refs.find("pool") == OUTPUT


def test_record_of_a_lying_size_is_replaced_by_a_true_one(forge):
    output, size = forge.store.manifests.put("thing/1", [])
    plant(forge.store, record(output=output, size=5))
    made = Record(**{**GOOD, "output": output, "size": size})
    assert forge.store.commit(made) == made
    assert Records(forge.store.objects).find(KEY) == made


def test_collision_of_keys_is_no_way_out_of_the_folder(forge):
    assert forge.store.records.find("../" * 21) is None
