"""Folders: an artifact as plain files that zarr reads without us, and back, bit for bit; nothing in one is trusted."""

from __future__ import annotations

import json
import os
import re
import warnings

import msgspec
import numpy as np
import pytest
import zarr

from store.artifact import Artifact, Writer
from store.collection import Collection
from store.errors import Unacceptable
from store.folder import make_listing, write_entries, write_listing
from store.intake import put_folder, read_listing
from store.open import open_store


class Row(msgspec.Struct, frozen=True):
    name: str
    weight: float


class Sheet(Artifact):
    """Arrays, a table, a file."""

    type = "sheet/1"

    def __init__(self, values, note=b"note") -> None:
        self.values, self.note = np.asarray(values, dtype=np.float32), note

    def write(self, w: Writer) -> None:
        w.attrs = {"unit": "m", "scale": 0.1}
        w.array("values", self.values, tuple(f"d{n}" for n in range(self.values.ndim)), rows=2)
        w.array("one", np.array(-0.0), ())
        w.array("none", np.zeros((0, 3), dtype=np.int16), ("a", "b"))
        w.table("deep/rows", [Row("ä", float("nan")), Row("", 2.0)], Row)
        w.file("notes/a.txt", self.note)

    @classmethod
    def open(cls, r):
        return cls(r.array("values"), r.file("notes/a.txt"))


class Box(Artifact):
    """A sheet inside, and another one at a path."""

    type = "box/1"

    def __init__(self, first, second) -> None:
        self.first, self.second = first, second

    def write(self, w: Writer) -> None:
        w.artifact("first", self.first)
        w.artifact("more/second", self.second)
        w.file("box.txt", b"box")

    @classmethod
    def open(cls, r):
        return cls(r.artifact("first", Sheet), r.artifact("more/second", Sheet))


@pytest.fixture
def stores(tmp_path):
    return open_store(str(tmp_path / "a")), open_store(str(tmp_path / "b"))


@pytest.fixture
def boxes(stores):
    """The digest of a collection of boxes; chunks are blobs, not inline."""
    sheets = [Sheet(np.arange(5 * 1500).reshape(5, 1500) + n, b"x" * (5000 + n)) for n in range(4)]
    return stores[0].put(Collection(Box, {"p": Box(*sheets[:2]), "q": Box(*sheets[2:])}))


@pytest.fixture
def folder(stores, boxes, tmp_path):
    write_folder(stores[0], boxes, tmp_path / "out")
    return tmp_path / "out"


def write_folder(store, digest, folder):
    folder.mkdir()
    listing = make_listing(store, digest)
    write_entries(store, listing, folder)
    write_listing(listing, folder)


def take(store, folder, is_edited=False):
    return put_folder(store, folder, read_listing(folder), is_edited)


def test_folder_read_into_an_empty_store_has_the_same_digest(stores, boxes, folder):
    assert take(stores[1], folder) == boxes
    opened = stores[1].open(boxes, Collection[Box])
    assert opened["q"].second.values[4, 1499] == 4 * 1500 + 1499 + 3
    assert opened["p"].first.note == b"x" * 5000


def test_collection_of_thousands_comes_back(stores, tmp_path):
    many = stores[0].put(Collection(Sheet, {f"k{n}": Sheet([n % 7]) for n in range(4200)}))  # a split manifest
    write_folder(stores[0], many, tmp_path / "out")
    assert take(stores[1], tmp_path / "out") == many


def test_zarr_reads_the_folder_without_us_and_without_a_warning(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error", zarr.errors.ZarrUserWarning)
        names = dict(zarr.open_group(folder / "zarr/p/first", mode="r").members(max_depth=None))
        group = zarr.open_group(folder / "zarr", mode="r")
    assert group["p/first/values"][3, 7] == 3 * 1500 + 7
    assert group["q/more/second"].attrs["unit"] == "m"
    assert {"deep/rows/name", "one", "none", "values"} <= names.keys()
    assert (folder / "files/p/first/notes/a.txt").read_bytes() == b"x" * 5000
    assert (folder / "files/p/box.txt").read_bytes() == b"box"


def test_listing_names_types_and_digests(stores, boxes, folder):
    listing = json.loads((folder / "artifact.json").read_bytes())
    assert (listing["type"], listing["digest"]) == ("collection of box/1", boxes)
    inner = listing["artifacts"]["p"]["artifacts"]
    assert {key: value["type"] for key, value in inner.items()} == {"first": "sheet/1", "more/second": "sheet/1"}


def test_keys_that_cannot_stand_in_one_folder_are_refused(stores, tmp_path):
    class Clash(Sheet):
        def write(self, w):
            w.artifact("a", Sheet([1]))
            w.file("a/note.txt", b"")

    with pytest.raises(Unacceptable, match=r"'files/a/note.txt' lies below the artifact 'a'"):
        write_folder(stores[0], stores[0].put(Clash([1])), tmp_path / "out")


def test_edited_file_is_told_and_taken_only_when_asked(stores, boxes, folder):
    (folder / "files/p/first/notes/a.txt").write_bytes(b"other")
    with pytest.raises(Unacceptable, match=r"out: p/first was edited: it has digest \w{64}, artifact.json says \w{64}"):
        take(stores[1], folder)
    edited = take(stores[1], folder, is_edited=True)
    assert edited != boxes
    assert stores[1].open(edited, Collection[Box])["p"].first.note == b"other"


def lie(folder, edit):
    path = folder / "artifact.json"
    listing = json.loads(path.read_bytes())
    edit(listing)
    path.write_text(json.dumps(listing))


def test_listing_that_lies_about_the_digest_is_refused(stores, folder):
    lie(folder, lambda listing: listing.update(digest="0" * 64))
    with pytest.raises(Unacceptable, match="out was edited: it has digest"):
        take(stores[1], folder)


def test_type_that_lies_is_an_edit(stores, folder):
    lie(folder, lambda listing: listing["artifacts"]["p"].update(type="sheet/1"))
    with pytest.raises(Unacceptable, match="p was edited"):
        take(stores[1], folder)


@pytest.mark.parametrize("key", ["..", "../p", "/etc", "p/../../x", "", "a//b", "a\\b", "a\nb", "."])
def test_name_that_leads_outside_is_refused(stores, folder, key):
    lie(folder, lambda listing: listing["artifacts"].update({key: listing["artifacts"]["p"]}))
    with pytest.raises(Unacceptable, match=r"artifact.json.*not a plain relative path"):
        read_listing(folder)


def nest(folder):
    path = folder / "artifact.json"
    path.write_text('{"type":"a/1","digest":"' + "0" * 64 + '","artifacts":{"a":' * 40 + "{}" + "}}" * 40)


HOSTILE_LISTINGS = {
    "absent": lambda f: (f / "artifact.json").unlink(),
    "a link": lambda f: ((f / "artifact.json").unlink(), (f / "artifact.json").symlink_to("/etc/passwd")),
    "a pipe": lambda f: ((f / "artifact.json").unlink(), os.mkfifo(f / "artifact.json")),
    "a folder": lambda f: ((f / "artifact.json").unlink(), (f / "artifact.json").mkdir()),
    "not JSON": lambda f: (f / "artifact.json").write_text("{"),
    "of another form": lambda f: (f / "artifact.json").write_text('{"type": 1}'),
    "huge": lambda f: os.truncate(f / "artifact.json", 1 << 40),
    "with more fields": lambda f: lie(f, lambda listing: listing.update(run="x")),
    "with no digest": lambda f: lie(f, lambda listing: listing.update(digest="X" * 64)),
    "deep": nest,
    "deeper": lambda f: (f / "artifact.json").write_text('{"artifacts":' * 100_000),
}


@pytest.mark.parametrize("case", HOSTILE_LISTINGS)
def test_hostile_listing_is_refused_in_one_line(folder, case):
    HOSTILE_LISTINGS[case](folder)
    with pytest.raises(Unacceptable, match=r"artifact\.json") as told:
        read_listing(folder)
    assert "\n" not in str(told.value)


def other(path, text):
    path.write_text(text)


def link(path, target):
    path.unlink()
    path.symlink_to(target)


def swap(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


CHUNK = "zarr/p/first/values/c/0/0"
META = "zarr/p/first/values/zarr.json"
HOSTILE_FILES = {
    "a link to a file": lambda f: link(f / CHUNK, "/etc/passwd"),
    "a link inside": lambda f: link(f / CHUNK, "../1/0"),
    "a broken link": lambda f: link(f / CHUNK, "nowhere"),
    "a link to a folder": lambda f: (f / "files/p/more").rename(f / "x") and (f / "files/p/more").symlink_to(f / "x"),
    "zarr is a link": lambda f: (f / "zarr").rename(f / "x") and (f / "zarr").symlink_to("x"),
    "zarr is absent": lambda f: (f / "zarr").rename(f / "x"),
    "a pipe": lambda f: ((f / CHUNK).unlink(), os.mkfifo(f / CHUNK)),
    "a sparse terabyte": lambda f: os.truncate(f / CHUNK, 1 << 40),
    "a sparse file": lambda f: os.truncate(f / "files/p/box.txt", 1 << 40),
    "a short chunk": lambda f: os.truncate(f / CHUNK, 100),
    "a lost chunk": lambda f: (f / CHUNK).unlink(),
    "a lost artifact": lambda f: (f / "zarr/p/first").rename(f / "x"),
    "one chunk more": lambda f: (f / "zarr/p/first/values/c/9").mkdir() or other(f / "zarr/p/first/values/c/9/0", ""),
    "a strange file": lambda f: other(f / "zarr/p/first/.DS_Store", ""),
    "a name of no text": lambda f: (f / os.fsdecode(b"files/p/\xff")).write_bytes(b""),
    "version 2": lambda f: other(f / "zarr/p/first/values/.zarray", "{}"),
    "version 2 in words": lambda f: swap(f / META, '"zarr_format":3', '"zarr_format":2'),
    "another codec": lambda f: swap(f / META, '{"name":"bytes"', '{"name":"zstd"'),
    "a pickle": lambda f: swap(f / META, '"data_type":"float32"', '"data_type":"object"'),
    "a shape without end": lambda f: swap(f / META, '"shape":[5,1500]', '"shape":[281474976710655,1500]'),
    "a chunk without end": lambda f: swap(f / META, '"shape":[5,1500]', '"shape":[5,281474976710655]'),
    "a group of another form": lambda f: swap(f / "zarr/zarr.json", "{}", '{"a": 1}'),
    "a group with metadata of others": lambda f: swap(f / "zarr/zarr.json", '"zarr_format"', '"must":{},"zarr_format"'),
    "metadata that is no JSON": lambda f: other(f / META, "{"),
    "metadata that is no text": lambda f: (f / META).write_bytes((f / META).read_bytes().replace(b"float", b"\xbc")),
    "a text chunk that lies": lambda f: other(f / "zarr/p/first/deep/rows/name/c/0", "\x02\0\0\0\xff\xff\xff\x7f"),
}


@pytest.mark.parametrize("case", HOSTILE_FILES)
@pytest.mark.parametrize("is_edited", [False, True])
def test_hostile_folder_is_refused_in_one_line_that_names_the_file(stores, folder, case, is_edited):
    HOSTILE_FILES[case](folder)
    with pytest.raises(Unacceptable, match=re.escape(str(folder))) as told:
        take(stores[1], folder, is_edited)
    assert "\n" not in str(told.value)


def test_other_files_beside_are_nobodys_business(stores, boxes, folder):
    (folder / "plain").symlink_to("/etc")
    (folder / "README").write_text("hello")
    assert take(stores[1], folder) == boxes
