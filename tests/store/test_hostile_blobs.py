"""Blobs and files of a hostile writer: no frame unpacks to more than was declared, no file is read that is none."""

from __future__ import annotations

import os
import socket
import struct
import time

import pytest
import zstandard

from store.blobs import Blobs
from store.digest import digest
from store.errors import Missing, StoreError, TooLarge, Unacceptable

TEXT = b"the same line again and again\n" * 1000
NAME = digest(TEXT)
MAGIC = 0xFD2FB528


def frame(header, *blocks):
    return struct.pack("<I", MAGIC) + header + b"".join(blocks)


def run_of(count, is_last):
    """A block that stands for `count` zeros, in 4 bytes."""
    return (int(is_last) | 1 << 1 | count << 3).to_bytes(3, "little") + b"\0"


ZEROS = 2000 * [run_of(1 << 17, False)] + [run_of(1 << 17, True)]  # 262 MB in 8 KB
SINGLE = b"\xe0"  # one segment, 8 bytes of content size, no dictionary
WINDOW_31 = b"\xc0" + bytes([(31 - 10) << 3])  # a window of 2 GiB
skippable = struct.pack("<II", 0x184D2A50, 4) + b"skip"
packed = zstandard.ZstdCompressor().compress(TEXT)
dictionary = zstandard.ZstdCompressionDict(TEXT[:2000], dict_type=zstandard.DICT_TYPE_RAWCONTENT)

FRAMES = {
    "declared 30,000, holds 262 MB": (frame(SINGLE + struct.pack("<Q", len(TEXT)), *ZEROS), "buffer is too small"),
    "declared 10**15": (frame(SINGLE + struct.pack("<Q", 10**15), *ZEROS), "declares 1000000000000000 bytes"),
    "no declared size": (frame(b"\x00\x58", *ZEROS), "declares"),
    "window of 2 GiB": (frame(WINDOW_31 + struct.pack("<Q", len(TEXT)), *ZEROS), "damaged"),
    "two frames": (packed + packed, "compressed input contains"),
    "two frames, the second a bomb": (packed + frame(b"\x00\x58", *ZEROS), "compressed input contains"),
    "skippable frame first": (skippable + packed, "declares 4 bytes"),
    "skippable frame last": (packed + skippable, "compressed input contains"),
    "bytes behind": (packed + b"x", "compressed input contains"),
    "dictionary": (zstandard.ZstdCompressor(dict_data=dictionary).compress(TEXT), "damaged"),
    "no frame": (b"PK\x03\x04" + bytes(100), "damaged"),
    "larger than what it holds": (packed + bytes(40_000), "at rest, expected 30000 at most"),
}


@pytest.mark.parametrize(("at_rest", "text"), FRAMES.values(), ids=FRAMES.keys())
def test_frame_that_this_store_would_not_write_is_damage(forge, at_rest, text):
    forge.blob(TEXT, at_rest)
    said, peak = forge.attack(f"store.blobs.get('{NAME}', {len(TEXT)})[:20]")
    assert said.startswith(f"Damaged: blob {NAME} is damaged: ") and text in said
    assert peak < 60


@pytest.mark.parametrize("size", [(1 << 30) + 1, 10**15, 1 << 63, 1 << 64, -1])
def test_size_that_no_blob_has_is_refused(forge, size):
    forge.blob(TEXT, frame(SINGLE + struct.pack("<Q", size % 2**64), *ZEROS))
    said, peak = forge.attack(f"store.blobs.get('{NAME}', {size})[:20]")
    assert said == f"Unacceptable: blob {NAME} of {size} bytes: expected 0 to 1073741824"
    assert peak < 60


def test_bomb_of_the_right_size_takes_no_more_than_that(forge):
    size = 2001 << 17
    said, peak = forge.attack(
        f"store.objects.write('cas/{NAME[:2]}/{NAME}.zst', {frame(SINGLE + struct.pack('<Q', size), *ZEROS)!r})"
        f" or store.blobs.get('{NAME}', {size})"
    )
    assert "another digest" in said and peak < 60 + size / 1e6


def test_blob_over_the_limit_is_not_written(forge, monkeypatch):
    monkeypatch.setattr("store.blobs.BLOB_BYTES", 1000)
    with pytest.raises(Unacceptable, match="a blob of 30000 bytes: at most 1000"):
        forge.store.blobs.put(TEXT)


def test_raw_file_of_a_terabyte_is_not_read(forge):
    path = forge.store.objects.root / "cas" / NAME[:2] / NAME
    path.parent.mkdir(parents=True)
    with open(path, "wb") as file:
        os.truncate(file.fileno(), 1 << 40)
    said, peak = forge.attack(f"store.blobs.get('{NAME}', {len(TEXT)})")
    assert "1099511627776 bytes at rest, expected 30000 at most" in said and peak < 60


def strange(path, kind):
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        here = os.getcwd()
        os.chdir(path.parent)  # a socket's path is short
        try:
            socket.socket(socket.AF_UNIX).bind(path.name)
        finally:
            os.chdir(here)
    else:
        path.symlink_to({"device": "/dev/zero", "loop": path.name, "dangling": "nowhere"}[kind])


@pytest.mark.parametrize("kind", ["fifo", "folder", "socket", "device", "loop", "dangling"])
def test_what_is_no_file_is_not_there(forge, kind):
    objects = forge.store.objects
    strange(objects.root / "cas" / NAME[:2] / NAME, kind)
    began = time.monotonic()
    assert not forge.store.blobs.has(NAME) and not objects.exists(f"cas/{NAME[:2]}/{NAME}")
    with pytest.raises(Missing):
        forge.store.blobs.get(NAME, len(TEXT))
    with pytest.raises(FileNotFoundError):
        objects.read(f"cas/{NAME[:2]}/{NAME}")
    assert time.monotonic() - began < 1
    if kind != "folder":
        objects.write(f"cas/{NAME[:2]}/{NAME}", TEXT)  # it is replaced, not followed
        assert Blobs(objects).get(NAME, len(TEXT)) == TEXT


def test_file_in_the_place_of_a_folder_holds_nothing(forge):
    objects = forge.store.objects
    objects.write("cas", b"")
    assert not objects.exists(f"cas/{NAME[:2]}/{NAME}") and objects.list("cas") == []
    with pytest.raises(Missing):
        forge.store.blobs.get(NAME, len(TEXT))


def test_read_is_bounded_when_it_is_asked_to_be(forge):
    objects = forge.store.objects
    objects.write("x", b"12345")
    assert objects.read("x") == objects.read("x", 5) == objects.read("x", 10**30) == b"12345"
    with pytest.raises(TooLarge, match="x has 5 bytes, expected 4 at most"):
        objects.read("x", 4)
    objects.write("empty", b"")
    assert objects.read("empty", 0) == b""


def test_written_by_others_is_never_unpickled():
    import ast
    from pathlib import Path

    root = Path(__file__).parents[2]
    found = []
    for path in [path for part in ("store", "graph", "nodes") for path in (root / part).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.Call) and isinstance(node.func, (ast.Attribute, ast.Name)):
                names.append(ast.unparse(node.func))
            found += [f"{path.relative_to(root)}: {name}" for name in names if name in UNPICKLING]
    assert found == [
        "graph/importer.py: marshal",
        "graph/importer.py: marshal.loads",
    ]  # bytecode in the user's own cache


UNPICKLING = {
    *("pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "pickle.load", "pickle.loads", "marshal.loads"),
    *("np.load", "numpy.load", "torch.load", "pandas.read_pickle", "np.fromfile", "eval", "exec", "yaml.load"),
}


def test_store_error_is_one_line():
    assert issubclass(TooLarge, Unacceptable) and issubclass(Unacceptable, StoreError)
