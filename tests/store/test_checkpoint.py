"""Checkpoints: one array a tensor, chunks without padding, and only what is new is written."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from store.artifact import Artifact
from store.bfloat16 import bfloat16
from store.checkpoint import read_tensors, tensor_rows, write_tensors
from store.errors import Damaged, Missing, Unacceptable
from store.objects import LocalObjects
from store.open import Store

MIB = 1 << 20


class Checkpoint(Artifact):
    """Tensors alone."""

    type = "checkpoint/1"

    def __init__(self, tensors) -> None:
        self._tensors = tensors
        self._reader = None

    def tensors(self):
        return self._tensors if self._reader is None else read_tensors(self._reader, "weights")

    def write(self, w) -> None:
        write_tensors(w, "weights", self.tensors())

    @classmethod
    def open(cls, r):
        checkpoint = cls({})
        checkpoint._reader = r
        return checkpoint


class Adapted(Artifact):
    """A base that stands inside by digest, and the tensors of an adapter."""

    type = "adapted/1"

    def __init__(self, base, adapter) -> None:
        self.base, self.adapter = base, adapter

    def write(self, w) -> None:
        w.artifact("base", self.base)
        write_tensors(w, "adapter", self.adapter)

    @classmethod
    def open(cls, r):
        return cls(r.artifact("base", Checkpoint), read_tensors(r, "adapter"))


class CountingObjects(LocalObjects):
    """Local objects that count the bytes that pass."""

    def __init__(self, root) -> None:
        super().__init__(root)
        self.read_bytes = self.written_bytes = 0

    def read(self, name, limit=None):
        data = super().read(name, limit)
        self.read_bytes += len(data)
        return data

    def read_into(self, name, buffer):
        self.read_bytes += len(buffer)
        return super().read_into(name, buffer)

    def write(self, name, data):
        self.written_bytes += len(data)
        super().write(name, data)


@pytest.fixture
def store(tmp_path):
    return Store(CountingObjects(tmp_path / "store"), str(tmp_path / "store"))


def noise(shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32).astype(dtype)  # hardly packs


def stored_bytes(store):
    return sum(path.stat().st_size for path in store.objects.root.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("shape", "dtype", "rows"),
    [
        ((1024, 1024), "float32", 1024),  # 4 MiB: one chunk
        ((4096, 1024), "float32", 4096),  # 16 MiB: still one
        ((5000, 1024), "float32", 2500),  # 19.5 MiB: 4,096 rows fit, the largest divisor of 5,000 below is 2,500
        ((151_936, 896), "float16", 4748),  # 9,362 rows fit, 151,936 = 2^7 x 1187, 4 x 1187 = 4,748
        ((8, 4 * MIB), "float32", 1),  # 16 MiB a row
        ((3, 5 * MIB), "float32", 1),  # 20 MiB a row: no divisor can help
        ((10_007, 4096), "uint8", 10_007),  # a prime of 39 MiB: one chunk rather than 10,007 of 4 KiB
        ((2 * 10_007, 4096), "uint8", 10_007),  # the smallest divisor above beats 2 rows a chunk
        ((40 * MIB,), "uint8", 10 * MIB),  # 2^23 x 5: 16 MiB does not divide 40, 10 does
        ((), "float32", 1),
        ((0, 3), "float32", 1),
    ],
)
def test_chunks_divide_the_tensor(shape, dtype, rows):
    assert tensor_rows(shape, np.dtype(dtype).itemsize) == rows


def test_a_name_of_two_segments_is_refused(store):
    with pytest.raises(Unacceptable, match="tensor name 'a/b' holds a '/'"):
        store.put(Checkpoint({"a/b": noise(3)}))


def test_no_chunk_is_padded(store):
    reader = store.reader(store.put(Checkpoint({"w": np.zeros((5000, 1024), np.float32)})))
    assert reader.entry("weights/w/c/0/0").size == reader.entry("weights/w/c/1/0").size == 2500 * 4096
    assert not reader.has("weights/w/c/2/0")


def every_type():
    return {
        "big": noise((5000, 1024)),  # two chunks
        "half": noise((3000, 1024), 1, np.float16),
        "brain": np.random.default_rng(2).integers(0, 1 << 16, (3000, 1024), np.uint16).view(bfloat16()),
        "bias": noise(7),
        "flat": noise(9000),
        "scale": np.array(2.5),
        "steps": np.arange(3),
        "mask": np.array([True, False]),
        "none": np.zeros((0, 4), np.float32),
        "layers.0.weight": noise((2, 3)),
    }


def test_every_tensor_comes_back_bit_for_bit(store):
    found = store.open(store.put(Checkpoint(every_type())), Checkpoint).tensors()
    assert list(found) == sorted(every_type())
    for name, values in every_type().items():
        assert found[name].dtype == values.dtype and found[name].shape == values.shape
        assert found[name].tobytes() == values.tobytes()
        assert not found[name].size or not found[name].flags.writeable


def test_digest_is_that_of_arrays_written_one_by_one(store):
    class Plain(Checkpoint):
        def write(self, w):
            for name, values in self.tensors().items():
                dims = tuple(f"d{axis}" for axis in range(values.ndim))
                w.array(f"weights/{name}", values, dims, tensor_rows(values.shape, values.itemsize))

    assert store.put(Checkpoint(every_type())) == store.put(Plain(every_type()))


def test_strides_and_byte_order_make_no_difference(store):
    values = noise((2048, 2048))
    same = [np.asfortranarray(values), values.astype(">f4"), np.repeat(values, 2, 1)[:, ::2]]
    assert len({store.put(Checkpoint({"w": other})) for other in [values, *same]}) == 1


@pytest.mark.parametrize("name", ["big", "flat"])
def test_a_flipped_bit_in_any_chunk_is_noticed(store, name):
    opened = store.open(store.put(Checkpoint(every_type())), Checkpoint)
    keys = [key for key in opened._reader.keys() if key.startswith(f"weights/{name}/c/")]
    assert len(keys) == (2 if name == "big" else 1)
    for key in keys:
        blob = opened._reader.entry(key).digest
        path = store.objects.root / "cas" / blob[:2] / blob
        whole = path.read_bytes()
        for found in (whole[:-1] + bytes([whole[-1] ^ 1]), whole[:-1], whole + b"x", b""):
            path.write_bytes(found)
            with pytest.raises(Damaged):
                opened.tensors()
        path.unlink()
        with pytest.raises(Missing):
            opened.tensors()
        path.write_bytes(whole)
    assert opened.tensors()[name].tobytes() == every_type()[name].tobytes()


def test_a_manifest_cannot_ask_for_more_than_its_chunks(store):
    class Liar(Checkpoint):
        def write(self, w):
            super().write(w)
            w._entries.pop("weights/w/c/0")
            w._bytes("weights/w/c/0", bytes(5000))

    with pytest.raises(Unacceptable, match="a chunk of 5000 bytes"):
        store.open(store.put(Liar({"w": noise(MIB)})), Checkpoint).tensors()


def test_a_failure_in_one_thread_is_the_callers(store):
    tensors = {f"t{n}": noise((1024, 1024), n) for n in range(8)} | {"u": np.zeros((1024, 1024), complex)}
    with pytest.raises(Unacceptable, match="complex128"):
        store.put(Checkpoint(tensors))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPool")]


def test_equal_tensors_are_stored_once(store):
    store.put(Checkpoint({"a": noise((1024, 1024)), "b": noise((1024, 1024))}))
    assert stored_bytes(store) < 1.01 * 4 * MIB


def test_a_round_of_an_adapter_costs_its_own_size(store):
    base = {f"layer{n}": noise((1024, 512), n) for n in range(8)}  # 16 MiB
    opened = store.open(store.put(Checkpoint(base)), Checkpoint)
    before = stored_bytes(store)
    store.objects.read_bytes = 0
    adapted = store.put(Adapted(opened, {"a": noise((8, 1024), 9), "b": noise((512, 8), 10)}))  # 48 KiB
    assert 48 * 1024 < stored_bytes(store) - before < 56 * 1024
    assert store.objects.read_bytes < 16 * 1024  # the base goes by its digest: its manifest is looked at, no tensor
    found = store.open(adapted, Adapted)
    assert found.base.digest == opened.digest and found.adapter["a"].tobytes() == noise((8, 1024), 9).tobytes()


def test_a_checkpoint_that_shares_tensors_writes_the_others(store):
    base = {f"layer{n}": noise((1024, 512), n) for n in range(8)}
    store.put(Checkpoint(base))
    before = stored_bytes(store)
    store.put(Checkpoint({**base, "adapter": noise((8, 1024), 9)}))
    assert 32 * 1024 < stored_bytes(store) - before < 48 * 1024  # 32 KiB of adapter, and a manifest
