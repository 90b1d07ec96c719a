"""Arrays as zarr v3 stores them, encoded without zarr: chunk bytes equal to zarr's, metadata equal as JSON.

Codecs are `bytes` (little endian) and `vlen-utf8` only; chunks split the first dimension only; every chunk is
written, also one full of zeros. Values keep their bits: NaN payloads and negative zeros survive. No chunk is larger
than a blob, and no array than ARRAY_BYTES: a few bytes of metadata could else ask for any amount of memory.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from store import bfloat16
from store.blobs import BLOB_BYTES
from store.errors import Unacceptable

if TYPE_CHECKING:
    import numpy as np

CHUNK_BYTES = 4 << 20
ARRAY_BYTES = 1 << 36
METADATA_BYTES = 1 << 16
DIMENSIONS = 32
NUMBERS = {
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
}  # fmt: skip


class ArrayMeta(msgspec.Struct, frozen=True):
    """What the reader needs of an array's zarr.json; `chunk_rows` is the chunk's length in the first dimension."""

    shape: tuple[int, ...]
    data_type: str
    chunk_rows: int
    dims: tuple[str, ...]


class _ChunkShape(msgspec.Struct):
    chunk_shape: tuple[Annotated[int, msgspec.Meta(ge=1)], ...]


class _Grid(msgspec.Struct):
    configuration: _ChunkShape


class _Document(msgspec.Struct):
    shape: Annotated[tuple[Annotated[int, msgspec.Meta(ge=0, lt=2**48)], ...], msgspec.Meta(max_length=DIMENSIONS)]
    data_type: str
    chunk_grid: _Grid
    dimension_names: tuple[str, ...] = ()


_document = msgspec.json.Decoder(_Document)


def encode_array(
    values: Any, dims: tuple[str, ...], rows: int | None
) -> tuple[bytes, Iterator[tuple[str, bytes | memoryview]]]:
    """Encode an array as the bytes of its zarr.json and an iterator over (chunk key, chunk bytes).

    Chunks are views of the array where its memory holds them as they are: use them before it changes.

    Args:
        values: numpy array of bool, int, uint, float or bfloat16; or a sequence of str (one dimension).
        dims: a name for every dimension.
        rows: rows of the first dimension in a chunk; by default as many as fit 4 MiB.
    Raises:
        Unacceptable: another data type, `dims` of another length than the shape, or more than `decode_metadata` takes.
    """
    import numpy as np

    is_text = not isinstance(values, np.ndarray) or values.dtype.kind in "OUT"
    array = np.asarray(values, dtype=object) if is_text else np.asarray(values)
    data_type = "string" if is_text else _data_type(array.dtype)
    if is_text and (array.ndim != 1 or not all(isinstance(item, str) for item in array)):
        raise Unacceptable(f"an array of dtype {array.dtype}: expected numbers, or one dimension of str")
    if not is_text and not _is_number(data_type):
        raise Unacceptable(f"an array of dtype {array.dtype}: expected one of {', '.join(sorted(NUMBERS))}, or str")
    if len(dims) != array.ndim:
        raise Unacceptable(f"{len(dims)} dimension names {dims} for an array of shape {array.shape}")
    length = array.shape[0] if array.ndim else 1
    if rows is not None and rows < 1:
        raise Unacceptable(f"rows = {rows}: expected 1 or more rows in a chunk")
    if rows is None:
        row_bytes = 64 if is_text else array.nbytes // max(1, length)
        rows = max(1, CHUNK_BYTES // max(1, row_bytes))
    rows = max(1, min(rows, length))
    meta = ArrayMeta(array.shape, data_type, rows, dims)
    _check_size(meta)
    return _metadata(meta), _encode_chunks(array, meta)


def chunk_keys(meta: ArrayMeta, start: int = 0, stop: int | None = None) -> Iterator[str]:
    """Yield the keys of the chunks that hold rows start..stop, by default all, in order."""
    if not meta.shape:
        yield "c"
        return
    stop = meta.shape[0] if stop is None else stop
    if start < stop and 0 not in meta.shape:
        tail = "/0" * (len(meta.shape) - 1)
        for number in range(start // meta.chunk_rows, (stop - 1) // meta.chunk_rows + 1):
            yield f"c/{number}{tail}"


def check_chunk(data: bytes, meta: ArrayMeta) -> None:
    """Raise Unacceptable unless `data` is one chunk of an array."""
    if meta.data_type == "string":
        decode_text(data, meta)
    elif len(data) != chunk_bytes(meta):
        raise Unacceptable(f"a chunk of {len(data)} bytes: {meta.shape} {meta.data_type} needs {chunk_bytes(meta)}")
    else:
        decode_numbers(data, meta)


def _encode_chunks(array: np.ndarray, meta: ArrayMeta) -> Iterator[tuple[str, bytes | memoryview]]:
    if not meta.shape:
        yield "c", _raw(array)
        return
    for number, key in enumerate(chunk_keys(meta)):
        chunk = array[number * meta.chunk_rows : (number + 1) * meta.chunk_rows]
        if meta.data_type == "string":
            yield key, _encode_text([*chunk, *[""] * (meta.chunk_rows - len(chunk))])
            continue
        data = _raw(chunk)
        # zarr pads the last chunk of a regular grid with the fill value, zero.
        lacking = chunk_bytes(meta) - len(data)
        yield key, b"".join((data, bytes(lacking))) if lacking else data


def _raw(values: np.ndarray) -> memoryview:
    """Return the values as little-endian bytes in C order, without a copy where they are that already."""
    import numpy as np

    flat = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).reshape(-1)
    return flat.view(np.uint8).data


@functools.lru_cache(maxsize=512)  # the tables of a thousand scenes have a few dozen that differ
def decode_metadata(data: bytes) -> ArrayMeta:
    """Return what a zarr.json says. Raises Unacceptable for anything that `encode_array` does not write."""
    try:
        document = _document.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unacceptable(f"array metadata that is not in this store's form: {error}") from None
    shape, chunk_shape = document.shape, document.chunk_grid.configuration.chunk_shape
    rows = chunk_shape[0] if shape and chunk_shape else 1
    meta = ArrayMeta(shape, document.data_type, rows, document.dimension_names)
    is_known = _is_number(meta.data_type) or (meta.data_type == "string" and len(shape) == 1)
    # A chunk may not be longer than the array: a tiny file could else ask for a huge one.
    is_known = is_known and rows <= max([1, *shape[:1]]) and len(meta.dims) == len(shape)
    if not is_known or _metadata(meta) != data:
        raise Unacceptable("array metadata that is not in this store's form")
    _check_size(meta)
    return meta


def _check_size(meta: ArrayMeta) -> None:
    # A string takes about 64 bytes when it is read, though it be empty. A length of 0 must not hide the others.
    item_bytes = 64 if meta.data_type == "string" else int(re.sub(r"\D", "", meta.data_type) or 8) // 8
    row_bytes = item_bytes * math.prod(max(1, length) for length in meta.shape[1:])
    if len(meta.shape) > DIMENSIONS or max([1, *meta.shape[:1]]) * row_bytes > ARRAY_BYTES:
        raise Unacceptable(f"an array of shape {meta.shape}: more than {ARRAY_BYTES} bytes or {DIMENSIONS} dimensions")
    if meta.chunk_rows * row_bytes > BLOB_BYTES:
        raise Unacceptable(f"a chunk of {meta.chunk_rows * row_bytes} bytes, shape {meta.shape}: at most {BLOB_BYTES}")


def chunk_bytes(meta: ArrayMeta) -> int:
    """Return the size of every chunk of an array of numbers."""
    rows = (meta.chunk_rows, *meta.shape[1:]) if meta.shape else ()
    return dtype_of(meta.data_type).itemsize * math.prod(rows)


def decode_numbers(data: bytes | memoryview, meta: ArrayMeta) -> np.ndarray:
    """Return the n chunks that stand in `data` one after another, (n * chunk_rows, ...), read-only.

    Raises:
        Unacceptable: the length is not that of whole chunks.
    """
    import numpy as np

    size = chunk_bytes(meta)
    if not len(data) or len(data) % size:
        raise Unacceptable(f"a chunk of {len(data)} bytes: {meta.shape} {meta.data_type} needs {size}")
    if meta.data_type == "bool" and np.frombuffer(data, dtype=np.uint8).max(initial=0) > 1:
        raise Unacceptable("a chunk of bool that holds other bytes than 0 and 1")  # numpy takes them for neither
    values = np.frombuffer(data, dtype=dtype_of(meta.data_type)).reshape((-1, *meta.shape[1:]) if meta.shape else ())
    values.flags.writeable = False
    return values


def decode_text(data: bytes, meta: ArrayMeta) -> np.ndarray:
    """Return the strings of one chunk, (chunk_rows,). Raises Unacceptable where there are not so many."""
    import numpy as np

    texts = np.empty(meta.chunk_rows, dtype=object)
    texts[:] = text_list(data, meta)
    return texts


@functools.cache
def dtype_of(data_type: str) -> np.dtype:
    """Return the numpy type that arrays of a data type come in."""
    import numpy as np

    if data_type == bfloat16.NAME:
        return bfloat16.bfloat16()
    return np.dtype(object if data_type == "string" else data_type).newbyteorder("<")


def _data_type(dtype: np.dtype) -> str:
    return bfloat16.NAME if dtype == bfloat16.bfloat16() else dtype.name


def _is_number(data_type: str) -> bool:
    return data_type in NUMBERS or data_type == bfloat16.NAME


def _encode_text(texts: list[str]) -> bytes:
    """Write vlen-utf8: u32 count, then u32 length and UTF-8 bytes for each, little endian."""
    pieces = [len(texts).to_bytes(4, "little")]
    for text in texts:
        data = text.encode()
        pieces += (len(data).to_bytes(4, "little"), data)
    return b"".join(pieces)


def text_list(data: bytes, meta: ArrayMeta) -> list[str]:
    """Return the strings of one chunk as `decode_text` does, in a list."""
    count = meta.chunk_rows
    if int.from_bytes(data[:4], "little") != count or len(data) < 4 + 4 * count:
        raise Unacceptable(f"a chunk of text that does not hold {count} strings")
    texts, at = [], 4
    for _ in range(count):
        length = int.from_bytes(data[at : at + 4], "little")
        texts.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    if at != len(data):
        raise Unacceptable(f"a chunk of text that does not hold {count} strings")
    try:
        return [text.decode() for text in texts]
    except UnicodeDecodeError as error:
        raise Unacceptable(f"a chunk of text that is not UTF-8: {error}") from None


def _metadata(meta: ArrayMeta) -> bytes:
    chunk_shape = [meta.chunk_rows, *(max(1, length) for length in meta.shape[1:])] if meta.shape else []
    document: dict[str, Any] = {
        "shape": meta.shape,
        "data_type": meta.data_type,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk_shape}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": _fill_value(meta.data_type),
        "codecs": [_codec(meta.data_type)],
        "attributes": {},
        "zarr_format": 3,
        "node_type": "array",
        "storage_transformers": [],
    }
    if meta.dims:
        document["dimension_names"] = meta.dims
    return msgspec.json.encode(document)


def _fill_value(data_type: str) -> Any:
    if data_type == "string":
        return ""
    return False if data_type == "bool" else 0.0 if "float" in data_type else 0


def _codec(data_type: str) -> dict[str, Any]:
    if data_type == "string":
        return {"name": "vlen-utf8", "configuration": {}}
    if data_type in ("bool", "int8", "uint8"):
        return {"name": "bytes"}
    return {"name": "bytes", "configuration": {"endian": "little"}}
