"""Array encoding: chunk bytes equal to zarr's own, metadata equal as JSON, values keep their bits."""

from __future__ import annotations

import json

import numpy as np
import pytest
import zarr

from store.encoding import NUMBERS, ArrayMeta, check_chunk, decode_metadata, decode_numbers, decode_text, encode_array
from store.errors import Unacceptable

SHAPES = [((), None), ((5,), None), ((5,), 2), ((6,), 3), ((7, 3), 4), ((4, 2, 3), 1), ((1, 1, 1, 2), None)]


def zarr_entries(values, dims, rows):
    """Return what zarr itself writes for an array in chunks of `rows` rows, uncompressed."""
    memory = {}
    chunks = (rows or max(1, len(values)), *(max(1, n) for n in values.shape[1:])) if values.ndim else ()
    with zarr.config.set({"array.write_empty_chunks": True}):
        array = zarr.create_array(
            zarr.storage.MemoryStore(memory),
            shape=values.shape,
            chunks=chunks,
            dtype="string" if values.dtype == object else values.dtype,
            compressors=None,
            filters=None if values.dtype != object else "auto",
            dimension_names=dims or None,
            zarr_format=3,
        )
        array[...] = values
    return {key: value.to_bytes() for key, value in memory.items()}


def assert_equal_to_zarr(values, rows):
    dims = tuple("abcd"[: values.ndim])
    metadata, chunks = encode_array(values, dims, rows)
    ours = dict(chunks)
    theirs = zarr_entries(values, dims, rows)
    assert json.loads(metadata) == json.loads(theirs.pop("zarr.json"))
    assert ours == theirs


def sample(shape, dtype):
    bits = np.random.default_rng(3).integers(0, 256, (int(np.prod(shape)), np.dtype(dtype).itemsize), np.uint8)
    return (bits.view(dtype) if dtype != "bool" else bits > 127).reshape(shape)


@pytest.mark.parametrize("dtype", sorted(NUMBERS))
@pytest.mark.parametrize(("shape", "rows"), SHAPES)
def test_chunks_and_metadata_equal_zarrs(dtype, shape, rows):
    with np.errstate(invalid="ignore"):
        assert_equal_to_zarr(sample(shape, dtype), rows)


@pytest.mark.parametrize("rows", [None, 1, 2])
def test_text_equals_zarrs(rows):
    assert_equal_to_zarr(np.array(["", "chair", "größer", "表", "a\x00b"], dtype=object), rows)


@pytest.mark.parametrize("values", [np.zeros((3, 2)), np.zeros((0,)), np.zeros((2, 0, 3)), np.zeros((0, 4), np.uint8)])
def test_zeros_and_empty_arrays_equal_zarrs(values):
    assert_equal_to_zarr(values, None)


def test_foreign_byte_order_and_strides_give_the_same_bytes():
    values = np.arange(12, dtype=np.int32).reshape(3, 4)
    expected = [dict(encode_array(values, ("a", "b"), 2)[1]), encode_array(values, ("a", "b"), 2)[0]]
    for other in (values.astype(">i4"), np.asfortranarray(values), np.repeat(values, 2, 1)[:, ::2]):
        assert [dict(encode_array(other, ("a", "b"), 2)[1]), encode_array(other, ("a", "b"), 2)[0]] == expected


def test_nan_payloads_and_negative_zero_keep_their_bits():
    bits = np.array([0x7FF8000000000001, 0xFFF0DEADBEEF0001, 0x8000000000000000, 0x7FF0000000000000], dtype=np.uint64)
    metadata, chunks = encode_array(bits.view(np.float64), ("n",), None)
    decoded = decode_numbers(dict(chunks)["c/0"], decode_metadata(metadata))
    assert decoded.view(np.uint64).tolist() == bits.tolist()


def test_metadata_has_golden_bytes():
    metadata, _ = encode_array(np.zeros((3, 2), np.float32), ("row", "xy"), 2)
    assert metadata == (
        b'{"shape":[3,2],"data_type":"float32","chunk_grid":{"name":"regular","configuration":{"chunk_shape":[2,2]}},'
        b'"chunk_key_encoding":{"name":"default","configuration":{"separator":"/"}},"fill_value":0.0,'
        b'"codecs":[{"name":"bytes","configuration":{"endian":"little"}}],"attributes":{},"zarr_format":3,'
        b'"node_type":"array","storage_transformers":[],"dimension_names":["row","xy"]}'
    )


def test_default_chunks_hold_4_mib():
    # 3 rows of 2 MiB: two rows fit a chunk of 4 MiB.
    metadata, chunks = encode_array(np.zeros((3, 1 << 21), np.uint8), ("a", "b"), None)
    assert decode_metadata(metadata).chunk_rows == 2
    assert [len(data) for _, data in chunks] == [1 << 22, 1 << 22]


@pytest.mark.parametrize(
    ("values", "dims", "text"),
    [
        (np.zeros(2, complex), ("a",), "complex128"),
        (np.array(["2020-01-01"], "M8[D]"), ("a",), "datetime64"),
        ([1, 2], ("a",), "expected numbers, or one dimension of str"),
        (np.array([["a"]], object), ("a", "b"), "one dimension of str"),
        (np.zeros((2, 2)), ("a",), "1 dimension names"),
    ],
)
def test_other_arrays_are_refused(values, dims, text):
    with pytest.raises(Unacceptable, match=text):
        encode_array(values, dims, None)


def test_rows_below_one_are_refused():
    with pytest.raises(Unacceptable, match="rows = 0"):
        encode_array(np.zeros(3), ("a",), 0)


def test_metadata_in_another_form_is_refused():
    metadata, _ = encode_array(np.zeros((3, 2), np.float32), ("row", "xy"), 2)
    for old, new in (
        (b'"data_type":"float32"', b'"data_type":"object"'),
        (b'"zarr_format":3', b'"zarr_format":2'),
        (b'"bytes"', b'"gzip"'),
        (b'"chunk_shape":[2,2]', b'"chunk_shape":[1000000000000,2]'),
        (b'"chunk_shape":[2,2]', b'"chunk_shape":[0,2]'),
        (b'"shape":[3,2]', b'"shape":[-3,2]'),
        (b'"shape":[3,2]', b'"shape":3'),
        (b'["row","xy"]', b'["row"]'),
        (
            b"{",
            b"",
        ),
    ):
        with pytest.raises(Unacceptable):
            decode_metadata(metadata.replace(old, new, 1))


def test_chunks_of_another_length_are_refused():
    number, _ = encode_array(np.zeros(4), ("n",), None)
    text, chunks = encode_array(["a", "b"], ("n",), None)
    with pytest.raises(Unacceptable, match="31 bytes"):
        decode_numbers(bytes(31), decode_metadata(number))
    whole = dict(chunks)["c/0"]
    for data in (whole[:-1], whole + b"x", b"", whole[:4], whole.replace(b"\x01", b"\xff", 1), whole[:-1] + b"\xff"):
        with pytest.raises(Unacceptable):
            decode_text(data, decode_metadata(text))


def test_shape_whose_size_overflows_64_bits_is_refused():
    # 2 * 2^32 * 2^32 = 2^65 is 0 in 64 bits, which no bytes at all would fit
    with pytest.raises(Unacceptable, match="needs 36893488147419103232"):
        check_chunk(b"", ArrayMeta((2, 1 << 32, 1 << 32), "uint8", 2, ("a", "b", "c")))
