"""Arrays as zarr v3 stores them, encoded without zarr: chunk bytes equal to zarr's, metadata equal as JSON.

Codecs are `bytes` (little endian) and `vlen-utf8` only; chunks split the first dimension only; every chunk is
written, also one full of zeros. Values keep their bits: NaN payloads and negative zeros survive.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from store.errors import Unacceptable

if TYPE_CHECKING:
    import numpy as np

CHUNK_BYTES = 4 << 20
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
    shape: tuple[Annotated[int, msgspec.Meta(ge=0, lt=2**48)], ...]
    data_type: str
    chunk_grid: _Grid
    dimension_names: tuple[str, ...] = ()


_document = msgspec.json.Decoder(_Document)


def encode_array(values: Any, dims: tuple[str, ...], rows: int | None) -> tuple[bytes, Iterator[tuple[str, bytes]]]:
    """Encode an array as the bytes of its zarr.json and an iterator over (chunk key, chunk bytes).

    Args:
        values: numpy array of bool, int, uint or float; or a sequence of str (one dimension).
        dims: a name for every dimension.
        rows: rows of the first dimension in a chunk; by default as many as fit 4 MiB.
    Raises:
        Unacceptable: another data type, or `dims` of another length than the shape.
    """
    import numpy as np

    is_text = not isinstance(values, np.ndarray) or values.dtype.kind in "OUT"
    array = np.asarray(values, dtype=object) if is_text else np.asarray(values)
    data_type = "string" if is_text else array.dtype.name
    if is_text and (array.ndim != 1 or not all(isinstance(item, str) for item in array)):
        raise Unacceptable(f"an array of dtype {array.dtype}: expected numbers, or one dimension of str")
    if not is_text and data_type not in NUMBERS:
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
    return _metadata(meta), _encode_chunks(array, meta)


def _encode_chunks(array: np.ndarray, meta: ArrayMeta) -> Iterator[tuple[str, bytes]]:
    import numpy as np

    if not meta.shape:
        yield "c", array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        return
    if 0 in meta.shape:
        return
    for number, start in enumerate(range(0, meta.shape[0], meta.chunk_rows)):
        chunk = array[start : start + meta.chunk_rows]
        key = "/".join(["c", str(number), *["0"] * (len(meta.shape) - 1)])
        if meta.data_type == "string":
            yield key, _encode_text([*chunk, *[""] * (meta.chunk_rows - len(chunk))])
            continue
        data = np.ascontiguousarray(chunk, dtype=array.dtype.newbyteorder("<")).tobytes()
        # zarr pads the last chunk of a regular grid with the fill value, zero.
        yield key, data + bytes((meta.chunk_rows - len(chunk)) * (len(data) // max(1, len(chunk))))


def decode_metadata(data: bytes) -> ArrayMeta:
    """Return what a zarr.json says. Raises Unacceptable for anything that `encode_array` does not write."""
    try:
        document = _document.decode(data)
    except msgspec.MsgspecError as error:
        raise Unacceptable(f"array metadata that is not in this store's form: {error}") from None
    shape, chunk_shape = document.shape, document.chunk_grid.configuration.chunk_shape
    rows = chunk_shape[0] if shape and chunk_shape else 1
    meta = ArrayMeta(shape, document.data_type, rows, document.dimension_names)
    is_known = meta.data_type in NUMBERS or (meta.data_type == "string" and len(shape) == 1)
    # A chunk may not be longer than the array: a tiny file could else ask for a huge one.
    is_known = is_known and rows <= max([1, *shape[:1]]) and len(meta.dims) == len(shape)
    if not is_known or _metadata(meta) != data:
        raise Unacceptable("array metadata that is not in this store's form")
    return meta


def decode_chunk(data: bytes, meta: ArrayMeta) -> np.ndarray:
    """Return one chunk, (chunk_rows, ...), read-only. Raises Unacceptable where the length is not the chunk's."""
    import numpy as np

    shape = (meta.chunk_rows, *meta.shape[1:]) if meta.shape else ()
    if meta.data_type == "string":
        decoded = _decode_text(data, meta.chunk_rows)
        texts = np.empty(meta.chunk_rows, dtype=object)
        texts[:] = decoded
        return texts
    dtype = np.dtype(meta.data_type).newbyteorder("<")
    if len(data) != dtype.itemsize * int(np.prod(shape, dtype=np.int64)):
        raise Unacceptable(f"a chunk of {len(data)} bytes: shape {shape} of {meta.data_type} needs another number")
    return np.frombuffer(data, dtype=dtype).reshape(shape)


def _encode_text(texts: list[str]) -> bytes:
    """Write vlen-utf8: u32 count, then u32 length and UTF-8 bytes for each, little endian."""
    pieces = [len(texts).to_bytes(4, "little")]
    for text in texts:
        data = text.encode()
        pieces += (len(data).to_bytes(4, "little"), data)
    return b"".join(pieces)


def _decode_text(data: bytes, count: int) -> list[str]:
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
    return False if data_type == "bool" else 0.0 if data_type.startswith("float") else 0


def _codec(data_type: str) -> dict[str, Any]:
    if data_type == "string":
        return {"name": "vlen-utf8", "configuration": {}}
    if data_type in ("bool", "int8", "uint8"):
        return {"name": "bytes"}
    return {"name": "bytes", "configuration": {"endian": "little"}}
