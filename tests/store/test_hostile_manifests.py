"""Manifests of a hostile writer, each with a right digest: counts, sizes, parts and keys have bounds."""

from __future__ import annotations

import os

import msgspec
import pytest

from store.artifact import Artifact
from store.digest import digest
from store.errors import Damaged, StoreError, Unacceptable
from store.manifest import INLINE_BELOW, MAGIC, MANIFEST_BYTES, Entry, Manifest, decode, encode

D = digest(b"hi")
TWO = digest(b"2")


class Thing(Artifact):
    type = "thing/1"

    @classmethod
    def open(cls, r):
        return cls()


def inline(key):
    return Entry(key, "inline", D, 2, b"hi")


def many(n):
    return sorted((Entry(f"e{i:07d}", "artifact", TWO, 10) for i in range(n)), key=lambda entry: entry.key)


def refusal(open):
    """Return the one line in which something is refused."""
    with pytest.raises(StoreError) as caught:
        open()
    assert "\n" not in str(caught.value)
    return str(caught.value)


KEYS = {
    "parent": "../x",
    "absolute": "/etc/passwd",
    "parent inside": "a/../../x",
    "parent at the end": "a/..",
    "own folder": "./a",
    "empty segment": "a//b",
    "empty": "",
    "backslash": "..\\x",
    "NUL": "a\0b",
    "line": "a\nb",
    "terminal": "a\x1b[2J",
    "right to left": "a\u202egnp.exe",
    "no width": "a\u200bb",
    "no-break space": "a\u00a0b",
    "long": "a" * 4097,
    "deep": "/".join("a" * 65),
    "very deep": "/".join("a" * 2048),
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
def test_key_that_is_no_plain_path_is_refused(forge, key):
    assert "key" in refusal(lambda: forge.store.reader(forge.manifest([inline(key)])))
    assert "key" in refusal(lambda: encode(Manifest("thing/1", False, [inline(key)])))


def test_key_that_is_no_unicode_is_refused(forge):
    data = MAGIC + msgspec.msgpack.encode(["thing/1", False, [inline("abc")]]).replace(b"abc", b"\xed\xa0\x80")
    assert "not a manifest" in refusal(lambda: decode(data))
    assert "not a plain relative path" in refusal(lambda: encode(Manifest("thing/1", False, [inline("\ud800")])))


def test_longest_and_deepest_keys_are_taken():
    for key in ("a" * 4096, "/".join("a" * 64), "größe", "C:", "con", "a b", "update[2]", "x@low=0.1"):
        assert decode(encode(Manifest("thing/1", False, [inline(key)]))).entries == [inline(key)]


def test_keys_that_look_the_same_are_two_keys(forge):
    # Composed and decomposed: keys are bytes, and nobody makes one of the two.
    reader = forge.store.reader(forge.manifest([inline("u\u0308"), inline("\u00fc"), inline("zarr.json")][:2]))
    assert reader.keys() == ["u\u0308", "\u00fc"]


@pytest.mark.parametrize("keys", [["a", "a/b"], ["a", "a-b", "a/b"], ["a/b", "a/b/c/d"], ["a", "a/b/c"]])
def test_key_that_is_file_and_folder_is_refused(forge, keys):
    entries = [inline(key) for key in keys]
    assert "is a folder too" in refusal(lambda: forge.store.reader(forge.manifest(entries)))


@pytest.mark.parametrize("type", ["", "a" * 257, "thing/1\x1b[2J", "thing/1\n"])
def test_type_that_is_no_name_is_refused(forge, type):
    assert "type" in refusal(lambda: forge.store.reader(forge.manifest([inline("a")], type)))


SIZES = {
    "blob of 0": (("blob", D, 0), "if and only if under 4096"),
    "blob below 0": (("blob", D, -1), "negative size"),
    "blob over the limit": (("blob", D, (1 << 30) + 1), "at most 1073741824"),
    "blob of 2**63": (("blob", D, 1 << 63), "at most 1073741824"),
    "artifact of 2**63": (("artifact", D, 1 << 63), f"at most {MANIFEST_BYTES}"),
    "size of 2**64 - 1": (("artifact", D, (1 << 64) - 1), f"at most {MANIFEST_BYTES}"),
    "no digest": (("artifact", "../" * 21 + "x", 10), "no 64-hex digest"),
}


@pytest.mark.parametrize(("entry", "text"), SIZES.values(), ids=SIZES.keys())
def test_size_out_of_bounds_is_refused(forge, entry, text):
    assert text in refusal(lambda: forge.store.reader(forge.manifest([Entry("a", *entry)])))


def test_manifest_that_should_be_split_is_refused(forge):
    assert "length <= 4096" in refusal(lambda: forge.store.reader(forge.manifest(many(4097))))


def test_manifest_of_a_million_entries_costs_nothing(forge):
    name = forge.manifest(many(1_000_000))
    said, peak = forge.attack(f"store.reader('{name}')")
    assert "Damaged: manifest" in said and f"at most {MANIFEST_BYTES}" in said
    assert peak < 60


def test_manifest_of_two_gigabytes_is_not_read(forge):
    path = forge.store.objects.root / "manifests" / D[:2] / D
    path.parent.mkdir(parents=True)
    with open(path, "wb") as file:
        os.truncate(file.fileno(), 2 << 30)  # a hole: it costs no disk
    said, peak = forge.attack(f"store.reader('{D}')")
    assert "Damaged: manifest" in said and "2147483648 bytes" in said
    assert peak < 60


def test_manifest_too_large_to_be_read_is_not_written(forge):
    entries = [Entry(f"{i:04d}" + "k" * 4092, "inline", digest(b"x" * 4095), 4095, b"x" * 4095) for i in range(4096)]
    name, size = forge.store.manifests.put("t" * 256, entries)
    assert size <= MANIFEST_BYTES and len(forge.store.manifests.get(name).entries) == 4096


def test_blob_that_is_no_manifest_is_refused(forge):
    assert "first line" in refusal(lambda: forge.store.reader(forge.plant(b"\x89PNG" * 2000)))


def test_manifest_as_blob_is_only_bytes(forge):
    inner = encode(Manifest("inner/1", False, [inline(f"k{i:03d}") for i in range(100)]))
    assert len(inner) >= INLINE_BELOW
    reader = forge.store.reader(forge.manifest([Entry("files/a", *forge.blob(inner))]))
    assert reader.file("a") == inner


def test_entry_of_another_kind_is_no_artifact(forge):
    reader = forge.store.reader(forge.manifest([inline("a"), Entry("b", *forge.blob(b"x" * 5000))]))
    assert "entry 'a' is inline, expected an artifact" in refusal(lambda: reader.artifact("a", Thing))
    assert "entry 'b' is blob, expected an artifact" in refusal(lambda: reader.artifact("b", Thing))
    inner = forge.manifest([])
    reader = forge.store.reader(forge.manifest([Entry("a", "artifact", inner, 20)]))
    assert "is an artifact, expected bytes" in refusal(lambda: reader.bytes("a"))


def test_size_of_an_artifact_that_lies_is_refused(forge):
    inner = forge.manifest([])
    reader = forge.store.reader(forge.manifest([Entry("a", "artifact", inner, 5)]))
    assert f"manifest {inner} has 31 bytes, expected 5" in refusal(lambda: reader.artifact("a", Thing))


def split(forge, *parts, size=None, type="thing/1"):
    """Write a split manifest of (prefix, entries, type, is_split)."""
    named = []
    for prefix, entries, part_type, is_split in parts:
        part = forge.manifest(entries, part_type, is_split)
        named.append(Entry(prefix, "part", part, forge.store.manifests.size(part) if size is None else size))
    return forge.manifest(named, type, True)


HERE = digest(b"a")[:2]
SPLITS = {
    "part of a part": ([("00", [Entry("00", "part", D, 20)], "thing/1", True)], "is not part 00"),
    "entry of another part": ([("00", [inline("a")], "thing/1", False)], "is not part 00"),
    "another type": ([(HERE, [inline("a")], "other/1", False)], f"is not part {HERE}"),
    "empty part": ([(HERE, [], "thing/1", False)], f"is not part {HERE}"),
    "few entries": ([(HERE, [inline("a")], "thing/1", False)], "1 entries in parts"),
    "no parts": ([], "0 entries in parts"),
}


@pytest.mark.parametrize(("parts", "text"), SPLITS.values(), ids=SPLITS.keys())
def test_split_that_the_store_would_not_write_is_refused(forge, parts, text):
    assert text in refusal(lambda: forge.store.reader(split(forge, *parts)).keys())


def test_part_of_another_size_is_refused(forge):
    name = split(forge, (HERE, [inline("a")], "thing/1", False), size=7)
    assert "expected 7" in refusal(lambda: forge.store.reader(name).entry("a"))


def test_file_and_folder_in_two_parts_are_refused(forge):
    keys = [f"k{i:05d}" for i in range(4100)] + ["k00001/x"]
    by_part: dict[str, list[Entry]] = {}
    for key in sorted(keys):
        by_part.setdefault(digest(key.encode())[:2], []).append(inline(key))
    name = split(forge, *((part, by_part[part], "thing/1", False) for part in sorted(by_part)))
    assert "key 'k00001' is a folder too" in refusal(lambda: forge.store.reader(name).keys())


def test_more_entries_than_parts_can_hold_are_not_written(forge, monkeypatch):
    monkeypatch.setattr("store.manifest.digest", lambda data: "ab" * 32)
    with pytest.raises(Unacceptable, match="4097 entries in part ab: at most 4096"):
        forge.store.manifests.put("thing/1", many(4097))


def test_name_that_is_no_digest_reads_no_file(forge, tmp_path):
    (tmp_path / "secret").write_bytes(MAGIC)
    forge.store.manifests.put("thing/1", [])
    for name in ("../../secret", "..", "", "/dev/zero", "A" * 64):
        for open in (forge.store.reader, forge.store.manifests.size, lambda name: forge.store.blobs.get(name, 20)):
            assert f"{name!r} is no digest" in refusal(lambda: open(name))  # noqa: B023
        assert not forge.store.manifests.has(name) and not forge.store.blobs.has(name)


def test_zeros_without_end_are_no_manifest(forge):
    (forge.store.objects.root / "manifests").mkdir(parents=True)
    (forge.store.objects.root / "manifests" / D[:2]).mkdir()
    os.symlink("/dev/zero", forge.store.objects.root / "manifests" / D[:2] / D)
    said, _ = forge.attack(f"store.reader('{D}')")
    assert said == f"Missing: manifest {D} is not in this store"


def test_damage_is_told_before_lies(forge):
    inner = forge.manifest([])
    path = forge.store.objects.root / "manifests" / inner[:2] / inner
    path.write_bytes(b"x" * 31)
    with pytest.raises(Damaged):
        forge.store.manifests.get(inner, 31)
