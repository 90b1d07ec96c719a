"""Manifests: golden bytes, one form only, safe keys, parts."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.digest import digest
from store.errors import Damaged, Missing, Unacceptable
from store.manifest import INLINE_BELOW, MAGIC, Entry, Manifest, Manifests, decode, encode
from store.objects import LocalObjects

D = digest(b"hi")
INLINE = Entry("a", "inline", D, 2, b"hi")
BLOB = Entry("b", "blob", "1" * 64, 4096)
ARTIFACT = Entry("c", "artifact", "2" * 64, 100)


def raw(entries, is_split=False, type="toy/1"):
    return MAGIC + msgspec.msgpack.encode([type, is_split, entries])


def test_manifest_has_golden_bytes_and_a_golden_digest():
    data = encode(Manifest("toy/1", False, [INLINE, BLOB, ARTIFACT]))
    # fmt: off
    assert data == (
        b"dataflow-manifest 1\n"
        b"\x93\xa5toy/1\xc2\x93"
        b"\x95\xa1a\xa6inline\xd9\x40" + D.encode() + b"\x02\xc4\x02hi"
        b"\x95\xa1b\xa4blob\xd9\x40" + b"1" * 64 + b"\xcd\x10\x00\xc0"
        b"\x95\xa1c\xa8artifact\xd9\x40" + b"2" * 64 + b"\x64\xc0"
    )
    # fmt: on
    assert D == "85052e9aab1b67b6622d94a08441b09fd5b7aca61ee360416d70de5da67d86ca"
    assert digest(data) == "6ddd0e699b45767830d96eab0f086960f83f98eabd445ed6c01b14065d6f00c1"


def test_order_of_entries_makes_no_difference(tmp_path):
    manifests = Manifests(LocalObjects(tmp_path))
    assert manifests.put("toy/1", [INLINE, BLOB]) == manifests.put("toy/1", [BLOB, INLINE])


keys = st.text("abcXYZ019._-ü", min_size=1, max_size=8).filter(lambda text: text not in (".", ".."))
paths = st.lists(keys, min_size=1, max_size=3).map("/".join)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
inline = st.builds(lambda data: ("inline", digest(data), len(data), data), st.binary(max_size=50))
blob = st.builds(lambda name, size: ("blob", name, size, None), digests, st.integers(INLINE_BELOW, 2**30))
types = st.text("abc019/ ü表", min_size=1, max_size=20)
artifact = st.builds(lambda name, size: ("artifact", name, size, None), digests, st.integers(0, 2**20))


def is_a_tree(entries):
    return not any(other.startswith(f"{key}/") for key in entries for other in entries)


@given(types, st.dictionaries(paths, inline | blob | artifact, max_size=20).filter(is_a_tree))
def test_decode_gives_back_what_was_encoded(type, entries):
    ordered = [Entry(key, *entries[key]) for key in sorted(entries, key=str.encode)]
    manifest = Manifest(type, False, ordered)
    assert decode(encode(manifest)) == manifest


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(data):
    for candidate in (data, MAGIC + data, encode(Manifest("toy/1", False, [INLINE])) + data[:1]):
        with contextlib.suppress(Unacceptable):
            assert encode(decode(candidate)) == candidate


BAD_KEYS = ["", "../x", "/etc/passwd", "a/../b", "a//b", "a/", "./a", "a/.", "a\\b", "a\nb", "a\x00b"]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_unsafe_keys_are_refused(key):
    entry = Entry(key, "inline", D, 2, b"hi")
    with pytest.raises(Unacceptable):
        encode(Manifest("toy/1", False, [entry]))
    with pytest.raises(Unacceptable):
        decode(raw([entry]))


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ([BLOB, INLINE], "out of order"),
        ([INLINE, INLINE], "stands twice"),
        ([Entry("a", "blob", D, 4095)], "if and only if under 4096"),
        ([Entry("a", "inline", D, 2, None)], "if and only if"),
        ([Entry("a", "artifact", D, 2, b"hi")], "if and only if"),
        ([Entry("a", "inline", digest(b"x" * 4096), 4096, b"x" * 4096)], "4096 inline bytes"),
        ([Entry("a", "inline", D, 3, b"hi")], "size says 3"),
        ([Entry("a", "inline", "1" * 64, 2, b"hi")], "another digest"),
        ([Entry("a", "artifact", "XY" * 32, 2)], "no 64-hex digest"),
        ([Entry("a", "artifact", D, -1)], "negative size"),
        ([Entry("ab", "part", D, 1)], "split manifests only"),
    ],
)
def test_entries_that_break_a_rule_are_refused(entries, text):
    for attempt in (lambda: encode(Manifest("toy/1", False, entries)), lambda: decode(raw(entries))):
        with pytest.raises(Unacceptable, match=text):
            attempt()


def test_manifest_that_is_not_canonical_is_refused():
    good = encode(Manifest("toy/1", False, [BLOB]))
    assert decode(good)
    long_form = raw([["b", "blob", "1" * 64, 4096]])  # the trailing nil left out: the same entry in other bytes
    for data in (long_form, good.replace(b"\xcd\x10\x00", b"\xce\x00\x00\x10\x00"), good + b"\xc0"):
        with pytest.raises(Unacceptable):
            decode(data)
    with pytest.raises(Unacceptable, match="first line"):
        decode(good.replace(b"manifest 1", b"manifest 2"))


def test_split_manifest_holds_parts_only():
    with pytest.raises(Unacceptable, match="parts stand in split"):
        encode(Manifest("toy/1", True, [Entry("ab", "artifact", D, 1)]))
    with pytest.raises(Unacceptable, match="two hex digits"):
        encode(Manifest("toy/1", True, [Entry("abc", "part", D, 1)]))


def test_reads_are_verified(tmp_path):
    manifests = Manifests(LocalObjects(tmp_path))
    name, size = manifests.put("toy/1", [INLINE, BLOB])
    path = tmp_path / "manifests" / name[:2] / name
    assert manifests.get(name).entries == [INLINE, BLOB] and manifests.size(name) == size == path.stat().st_size
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Damaged):
        manifests.get(name)
    path.unlink()
    with pytest.raises(Missing):
        manifests.get(name)


def many(n):
    return [Entry(f"e{i:05d}", "artifact", digest(str(i).encode()), 10) for i in range(n)]


def test_4096_entries_are_one_manifest_and_one_more_splits_it(tmp_path):
    manifests = Manifests(LocalObjects(tmp_path))
    assert not manifests.get(manifests.put("toy/1", many(4096))[0]).is_split
    split = manifests.get(manifests.put("toy/1", many(4097))[0])
    assert split.is_split and len(split.entries) == 256
    entries = []
    for part in split.entries:
        held = manifests.get_part(split, part).entries
        assert all(digest(entry.key.encode())[:2] == part.key for entry in held)
        entries += held
    assert sorted(entries, key=lambda entry: entry.key) == many(4097)


def test_part_in_anothers_place_is_refused(tmp_path):
    manifests = Manifests(LocalObjects(tmp_path))
    split = manifests.get(manifests.put("toy/1", many(4097))[0])
    other = split.entries[1]
    swapped = msgspec.structs.replace(split.entries[0], digest=other.digest, size=other.size)
    with pytest.raises(Unacceptable, match="is not part 00"):
        manifests.get_part(split, swapped)
