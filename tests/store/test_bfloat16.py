"""bfloat16: stored under its own name, bit for bit, and readable as what it means."""

from __future__ import annotations

import json

import numpy as np
import pytest
import zarr

from store.artifact import Artifact
from store.bfloat16 import bfloat16, widen
from store.encoding import decode_metadata, encode_array
from store.open import open_store

# One of each: 0, -0, the smallest and largest subnormal, 1, -2, infinities, NaNs with payloads and signs.
BITS = [0x0000, 0x8000, 0x0001, 0x007F, 0x3F80, 0xC000, 0x7F80, 0xFF80, 0x7FC0, 0x7F81, 0xFFFF, 0xFFA5]


class Weights(Artifact):
    """One array of whatever type."""

    type = "weights/1"

    def __init__(self, values, rows=None) -> None:
        self.values, self.rows = values, rows

    def write(self, w) -> None:
        w.array("w", self.values, tuple("abc"[: self.values.ndim]), self.rows)

    @classmethod
    def open(cls, r):
        return cls(r.array("w"))


def every_bit_pattern(shape=(256, 256)):
    return np.arange(1 << 16, dtype=np.uint16).view(bfloat16()).reshape(shape)


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path))


@pytest.mark.parametrize("rows", [None, 100, 128])
def test_every_bit_pattern_comes_back(store, rows):
    opened = store.open(store.put(Weights(every_bit_pattern(), rows)), Weights)
    assert opened.values.dtype == bfloat16()
    assert (opened.values["bfloat16"] == every_bit_pattern()["bfloat16"]).all()


@pytest.mark.parametrize("shape", [(), (0,), (3,), (4, 0, 2)])
def test_scalars_and_empty_arrays_come_back(store, shape):
    values = np.full(shape, 0x7FA5, dtype=np.uint16).view(bfloat16())
    opened = store.open(store.put(Weights(values)), Weights)
    assert opened.values.shape == shape and opened.values.tobytes() == values.tobytes()


def test_torch_tensors_come_back_bit_for_bit(store):
    import torch

    tensor = torch.tensor(np.array(BITS, dtype=np.uint16).view(np.int16)).view(torch.bfloat16)
    values = tensor.view(torch.int16).numpy().view(bfloat16())
    found = store.open(store.put(Weights(values)), Weights).values
    again = torch.tensor(found["bfloat16"].view(np.int16)).view(torch.bfloat16)
    assert again.view(torch.int16).tolist() == tensor.view(torch.int16).tolist()


def test_widening_gives_the_same_numbers_as_torch():
    import torch

    values = every_bit_pattern()
    expected = torch.from_numpy(values["bfloat16"].view(np.int16)).view(torch.bfloat16).float().numpy()
    widened = widen(values)
    assert widened.dtype == np.float32
    assert (widened.view(np.uint32) >> 16 == values["bfloat16"]).all()  # the upper half, NaN payloads too
    assert np.array_equal(widened, expected, equal_nan=True)


def test_its_metadata_names_it():
    metadata, _ = encode_array(every_bit_pattern(), ("a", "b"), None)
    document = json.loads(metadata)
    assert document["data_type"] == "bfloat16" and document["fill_value"] == 0.0
    assert document["codecs"] == [{"name": "bytes", "configuration": {"endian": "little"}}]
    assert decode_metadata(metadata).data_type == "bfloat16"


@pytest.mark.parametrize("rows", [None, 100])
def test_zarr_opens_the_same_bits(store, rows):
    reader = store.reader(store.put(Weights(every_bit_pattern(), rows)))
    array = reader.zarr()["w"]
    assert array.dtype == bfloat16() and array.metadata.to_dict()["data_type"] == "bfloat16"
    assert array[...].tobytes() == every_bit_pattern().tobytes()
    assert array[3:5, 7].tobytes() == every_bit_pattern()[3:5, 7].tobytes()


def test_xarray_opens_the_same_bits(store):
    reader = store.reader(store.put(Weights(every_bit_pattern())))
    found = reader.xarray()["w"]
    assert found.dims == ("a", "b") and found.dtype == bfloat16()
    assert found.values.tobytes() == every_bit_pattern().tobytes()


@pytest.mark.parametrize(("rows", "shape"), [(None, (256, 256)), (100, (256, 256)), (None, (1 << 16,))])
def test_zarr_itself_writes_the_same_bytes(rows, shape):
    from store.zarr_bfloat16 import BFloat16

    values = every_bit_pattern(shape)
    memory: dict = {}
    array = zarr.create_array(
        zarr.storage.MemoryStore(memory),
        shape=shape,
        chunks=(rows or shape[0], *shape[1:]),
        dtype=BFloat16(),
        compressors=None,
        filters=None,
        dimension_names=tuple("ab"[: len(shape)]),
        zarr_format=3,
    )
    array[...] = values
    theirs = {key: value.to_bytes() for key, value in memory.items()}
    metadata, chunks = encode_array(values, tuple("ab"[: len(shape)]), rows)
    assert json.loads(metadata) == json.loads(theirs.pop("zarr.json"))
    assert {key: bytes(data) for key, data in chunks} == theirs


def test_a_fill_value_other_than_zero_is_refused():
    from store.zarr_bfloat16 import BFloat16

    zero = BFloat16().from_json_scalar(0.0, zarr_format=3)
    assert BFloat16().to_json_scalar(zero, zarr_format=3) == 0.0
    for value in (1.0, "NaN", "0x7fc0"):
        with pytest.raises(TypeError, match="expected 0"):
            BFloat16().from_json_scalar(value, zarr_format=3)


def test_a_structured_dtype_of_the_same_form_stays_zarrs_own():
    # Ours is opened by name and never guessed from a dtype; two answers to that would make zarr refuse the dtype.
    from zarr.core.dtype import data_type_registry

    import store.zarr_bfloat16  # noqa: F401

    assert type(data_type_registry.match_dtype(bfloat16())).__name__ == "Structured"
