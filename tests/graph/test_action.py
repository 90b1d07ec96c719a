"""Identity: golden canonical bytes, keys and seeds; different values never share bytes."""

from __future__ import annotations

import datetime as dt
import math
import struct
from decimal import Decimal
from enum import IntEnum
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.action import ARTIFACT_FORMAT, KEY_FORMAT, Action, ActionKeys, action_key, action_seed, canonical
from graph.errors import UnkeyableError
from graph.node import External
from store.digest import digest


class Band(msgspec.Struct, frozen=True):
    low: float = 0.1
    n: int = 512
    names: tuple[str, ...] = ("a", "b")


class Circle(msgspec.Struct, frozen=True, tag="circle"):
    size: float


class Square(msgspec.Struct, frozen=True, tag="square"):
    size: float


ZONE = dt.timezone(dt.timedelta(hours=2))


def length(n):
    return n.to_bytes(8, "big")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, b"N" + length(0)),
        (True, b"B" + length(1) + b"\x01"),
        (False, b"B" + length(1) + b"\x00"),
        (1, b"I" + length(1) + b"1"),
        (-12, b"I" + length(3) + b"-12"),
        (1.0, b"F" + length(8) + b"\x3f\xf0\0\0\0\0\0\0"),
        (-0.0, b"F" + length(8) + b"\x80\0\0\0\0\0\0\0"),
        (math.nan, b"F" + length(8) + b"\x7f\xf8\0\0\0\0\0\0"),
        ("ü", b"S" + length(2) + b"\xc3\xbc"),
        (b"\x00", b"Y" + length(1) + b"\x00"),
        ([1, "a"], b"L" + length(20) + b"I" + length(1) + b"1" + b"S" + length(1) + b"a"),
        ({"b": 1, "a": None}, b"T" + length(39) + b"S\0\0\0\0\0\0\0\x01a" + b"N" + length(0)
         + b"S\0\0\0\0\0\0\0\x01b" + b"I" + length(1) + b"1"),
        (dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=ZONE), b"o" + length(25) + b"2026-01-02T03:04:05+02:00"),
        (dt.datetime(2026, 1, 2, 3, 4, 5), b"l" + length(19) + b"2026-01-02T03:04:05"),
        (dt.date(2026, 1, 2), b"d" + length(10) + b"2026-01-02"),
        (dt.time(3, 4), b"t" + length(8) + b"03:04:00"),
        (External(Path("/any/where"), "ab" * 32), b"X" + length(64) + b"ab" * 32),
        (Circle(1.0), b"T" + length(58) + b"S" + length(4) + b"size" + b"F" + length(8) + b"\x3f\xf0\0\0\0\0\0\0"
         + b"S" + length(4) + b"type" + b"S" + length(6) + b"circle"),
    ],
)  # fmt: skip
def test_canonical_bytes_are_golden(value, expected):
    assert canonical(value) == expected


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
    | st.dates()
    | st.datetimes()
    | st.times()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abü", max_size=3), inner, max_size=4)
)


def frozen(value):
    """Return what makes two values the same by our rules: type, float bits with one NaN, tables without order."""
    if isinstance(value, float):
        return ("float", "nan" if math.isnan(value) else struct.pack(">d", value))
    if isinstance(value, list):
        return ("list", tuple(frozen(item) for item in value))
    if isinstance(value, dict):
        return ("table", frozenset((key, frozen(item)) for key, item in value.items()))
    return (type(value).__name__, value)


@given(values, values)
def test_different_values_have_different_bytes(one, other):
    assert (canonical(one) == canonical(other)) == (frozen(one) == frozen(other))


@given(st.lists(st.text("ab", max_size=3), max_size=4), st.lists(st.text("ab", max_size=3), max_size=4))
def test_lists_do_not_run_into_each_other(one, other):
    assert (canonical(one) == canonical(other)) == (one == other)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers()))
def test_order_of_a_table_makes_no_difference(table):
    assert canonical(table) == canonical(dict(reversed(table.items())))


def test_true_one_and_one_point_zero_are_apart():
    assert len({canonical(value) for value in (True, 1, 1.0, "1", [1], b"1", dt.date(1, 1, 1))}) == 7


def test_nan_payloads_are_one_and_zeros_are_two():
    odd = struct.unpack(">d", b"\xff\xf8\0\0\0\0\0\x07")[0]
    assert canonical(odd) == canonical(math.nan)
    assert canonical(0.0) != canonical(-0.0)


def test_tagged_structs_with_equal_fields_are_apart():
    assert canonical(Circle(1.0)) != canonical(Square(1.0))


class Number(IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({1, 2}, "a set"),
        (Decimal(1), "a Decimal"),
        (Path("/x"), "PosixPath"),
        (object(), "an? object"),
        (Number.ONE, "a Number"),
        (1j, "a complex"),
        ({1: 2}, "expected text keys"),
        ([{"a": {1}}], "a set"),
        ("\ud800", "not Unicode"),
        ({"\ud800": 1}, "not Unicode"),
        (External(Path("/data")), "/data has not been digested"),
    ],
)
def test_what_has_no_canonical_form_is_refused(value, text):
    with pytest.raises(UnkeyableError, match=text):
        canonical(value)


def action(**changes):
    whole = Action(
        kind="select.band",
        version=1,
        code="c" * 64,
        params=Band(),
        inputs={"probe": "1" * 64, "feedback": None},
        element=None,
        seed=5,
        threads=None,
        packages={"numpy": "2.3", "python": "3.11"},
    )
    return msgspec.structs.replace(whole, **changes)


def test_action_key_is_golden():
    assert (KEY_FORMAT, ARTIFACT_FORMAT) == (2, 1)
    document = [
        2,
        1,
        {
            "kind": "select.band",
            "version": 1,
            "code": "c" * 64,
            "params": {"low": 0.1, "n": 512, "names": ["a", "b"]},
            "inputs": {"probe": "1" * 64, "feedback": None},
            "element": None,
            "seed": 5,
            "threads": None,
            "packages": {"numpy": "2.3", "python": "3.11"},
            "is_map": False,
        },
    ]
    assert len(canonical(document)) == 616
    assert (
        action_key(action())
        == digest(canonical(document))
        == "6c7cd2214278f0d82bdfe2db87b91f0ee69ab88575a54d07d307a9ca4873f608"
    )


def test_keys_of_elements_are_those_of_whole_actions():
    one = action(element="e1", seed=8)
    assert ActionKeys(action()).key(one.inputs, "e1", 8) == action_key(one)
    assert ActionKeys(one).key(action().inputs, None, 5) == action_key(action())


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "select.bound"},
        {"version": 2},
        {"code": "d" * 64},
        {"params": Band(low=0.2)},
        {"inputs": {"probe": "2" * 64, "feedback": None}},
        {"inputs": {"probe": "1" * 64, "feedback": "1" * 64}},
        {"element": ""},
        {"seed": None},
        {"threads": 2},
        {"packages": {"numpy": "2.4", "python": "3.11"}},
        {"is_map": True},
    ],
)
def test_every_part_of_an_action_enters_its_key(change):
    assert action_key(action(**change)) != action_key(action())


def test_path_of_an_external_does_not_enter_the_key():
    class Read(msgspec.Struct, frozen=True):
        path: External

    here, there = (Read(External(Path(place), "ab" * 32)) for place in ("/here", "/there"))
    assert action_key(action(params=here)) == action_key(action(params=there))
    assert action(params=here).described()["params"] == {"path": "content:abababababab"}


def test_seeds_are_golden():
    assert action_seed(7, "qa.synthesize", 2, "scene0011_00") == 2007000205212932554
    assert action_seed(7, "qa.synthesize", None, None) == 7212912493303113489
    # 63 bits of the digest of the canonical bytes, by hand.
    by_hand = int(digest(canonical(["seed", 7, "qa.synthesize", 2, "scene0011_00"]))[:16], 16) // 2
    assert action_seed(7, "qa.synthesize", 2, "scene0011_00") == by_hand < 2**63


def test_seed_depends_on_kind_round_and_element():
    seeds = [
        action_seed(*parts)
        for parts in ((7, "a", 1, "x"), (8, "a", 1, "x"), (7, "b", 1, "x"), (7, "a", 2, "x"), (7, "a", 1, "y"),
                      (7, "a", None, "x"), (7, "a", 1, None))
    ]  # fmt: skip
    assert len(set(seeds)) == 7
