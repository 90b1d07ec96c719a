"""Blobs: what was put comes back, and nothing else ever does."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest

from store.blobs import Blobs
from store.digest import digest, is_digest
from store.errors import Damaged, Missing
from store.filesystem import FileSystem
from store.objects import LocalObjects

TEXT = b"the same line again and again\n" * 1000
NOISE = random.Random(0).randbytes(30_000)


@pytest.fixture
def blobs(tmp_path):
    return Blobs(LocalObjects(tmp_path))


def file_of(blobs, name):
    folder = blobs.objects.root / "cas" / name[:2]
    return next(path for path in folder.iterdir() if path.name.startswith(name))


def test_digest_is_blake3_256():
    # The published blake3 test vector for empty input.
    assert digest(b"") == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert is_digest(digest(b"")) and not is_digest("AF" * 32) and not is_digest("ab" * 31)


def test_compressible_bytes_are_packed_and_come_back(blobs):
    name = blobs.put(TEXT)
    assert file_of(blobs, name).name == f"{name}.zst"
    assert file_of(blobs, name).stat().st_size < len(TEXT) / 10
    assert name == digest(TEXT)
    assert blobs.get(name, len(TEXT)) == TEXT


def test_incompressible_bytes_lie_raw_and_come_back(blobs):
    name = blobs.put(NOISE)
    assert file_of(blobs, name).name == name
    assert blobs.get(name, len(NOISE)) == NOISE


def test_weights_of_16_bits_lie_raw(blobs):
    # Their exponents pack to 78 %, at a third of the speed of writing and a quarter of that of reading.
    bits = np.random.default_rng(0).standard_normal(1 << 18, dtype=np.float32).view(np.uint32) >> 16
    data = bits.astype(np.uint16).tobytes()  # bfloat16
    assert file_of(blobs, blobs.put(data)).stat().st_size == len(data)


def test_empty_blob_comes_back(blobs):
    assert blobs.get(blobs.put(b""), 0) == b""


def test_bytes_that_are_there_are_not_written_again_but_made_new(blobs):
    path = file_of(blobs, blobs.put(TEXT))
    file = path.stat().st_ino
    os.utime(path, (0, 0))
    blobs.put(TEXT)
    assert path.stat().st_ino == file and path.stat().st_mtime > 0


@pytest.mark.parametrize("data", [TEXT, NOISE], ids=["packed", "raw"])
def test_every_flipped_bit_is_noticed(blobs, data):
    name = blobs.put(data)
    path = file_of(blobs, name)
    whole = path.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            # A zstandard frame has a few bits that mean nothing; the bytes that come out are still the right ones.
            assert blobs.get(name, len(data)) == data and data is TEXT
        except Damaged as error:
            assert error.digest == name


@pytest.mark.parametrize("data", [TEXT, NOISE], ids=["packed", "raw"])
@pytest.mark.parametrize("keep", [0, 1, 10, -1])
def test_truncated_blob_is_damaged(blobs, data, keep):
    name = blobs.put(data)
    path = file_of(blobs, name)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(Damaged):
        blobs.get(name, len(data))


def test_appended_bytes_are_damage(blobs):
    name = blobs.put(TEXT)
    path = file_of(blobs, name)
    path.write_bytes(path.read_bytes() * 2)  # two whole frames
    with pytest.raises(Damaged):
        blobs.get(name, len(TEXT))


def read_into(blobs, name, size):
    """Return what `read_into` leaves in memory of that size."""
    memory = bytearray(size)
    blobs.read_into(name, memoryview(memory))
    return bytes(memory)


@pytest.mark.parametrize("data", [TEXT, NOISE, b""], ids=["packed", "raw", "empty"])
def test_a_blob_fills_the_memory_that_it_is_given(blobs, data):
    assert read_into(blobs, blobs.put(data), len(data)) == data


@pytest.mark.parametrize("data", [TEXT, NOISE], ids=["packed", "raw"])
def test_memory_is_filled_with_verified_bytes_only(blobs, data):
    name = blobs.put(data)
    path = file_of(blobs, name)
    whole = path.read_bytes()
    for found in (b"", whole[:-1], whole + b"x", whole[::-1], whole[:4] * 9):
        path.write_bytes(found)
        with pytest.raises(Damaged) as caught:
            read_into(blobs, name, len(data))
        assert caught.value.digest == name
    path.write_bytes(whole)
    with pytest.raises(Damaged, match="expected 5"):
        read_into(blobs, name, 5)
    path.unlink()
    with pytest.raises(Missing):
        read_into(blobs, name, len(data))


def test_objects_that_only_read_fill_memory_too():
    blobs = Blobs(FileSystem(f"memory://{os.urandom(4).hex()}"))
    assert [read_into(blobs, blobs.put(data), len(data)) for data in (TEXT, NOISE)] == [TEXT, NOISE]


def test_views_of_memory_are_stored_as_their_bytes(blobs):
    for data in (TEXT, NOISE):
        assert blobs.put(memoryview(bytearray(data))) == digest(data)
        assert blobs.get(digest(data), len(data)) == data


def test_swapped_blobs_are_damaged(blobs):
    other = NOISE[::-1]
    first, second = blobs.put(NOISE), blobs.put(other)
    one, two = file_of(blobs, first), file_of(blobs, second)
    one.write_bytes(other), two.write_bytes(NOISE)
    for name in (first, second):
        with pytest.raises(Damaged, match="another digest"):
            blobs.get(name, len(NOISE))


def test_missing_blob_names_its_digest(blobs):
    with pytest.raises(Missing) as caught:
        blobs.get(digest(b"never put"), 9)
    assert caught.value.digest == digest(b"never put")


def test_size_that_the_manifest_does_not_give_is_refused(blobs):
    for data in (TEXT, NOISE):
        with pytest.raises(Damaged, match="expected 5"):
            blobs.get(blobs.put(data), 5)


def test_whole_raw_bytes_win_over_a_damaged_packed_file(blobs):
    name = blobs.put(TEXT)
    file_of(blobs, name).write_bytes(b"torn")
    blobs.objects.write(f"cas/{name[:2]}/{name}", TEXT)
    assert blobs.get(name, len(TEXT)) == TEXT


def test_rewrite_heals_a_damaged_blob(blobs):
    name = blobs.put(NOISE)
    file_of(blobs, name).write_bytes(b"torn")
    blobs.put(NOISE)
    with pytest.raises(Damaged):
        blobs.get(name, len(NOISE))
    Blobs(blobs.objects, rewrite=True).put(NOISE)
    assert blobs.get(name, len(NOISE)) == NOISE
