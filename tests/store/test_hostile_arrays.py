"""Arrays, tables and attributes of a hostile writer: v3 in this store's form, of bounded shape, or one line."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from store.artifact import Artifact
from store.collection import Collection
from store.digest import digest
from store.encoding import decode_metadata, encode_array
from store.errors import StoreError, Unacceptable
from store.manifest import Entry

METADATA, CHUNKS = encode_array(np.arange(6, dtype=np.int64).reshape(3, 2), ("row", "x"), 2)
WHOLE = {"a/zarr.json": METADATA, **{f"a/{key}": data for key, data in CHUNKS}}


def refusal(open):
    """Return the one line in which something is refused."""
    with pytest.raises(StoreError) as caught:
        open()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def changed(**values):
    document = json.loads(METADATA)
    return json.dumps({**document, **values}, separators=(",", ":")).encode()


def codecs(*names):
    return changed(codecs=[{"name": name, "configuration": {}} for name in names])


DEEP = b"[" * 20_000 + b"]" * 20_000
STRANGE = {
    "gzip": codecs("bytes", "gzip"),
    "blosc": codecs("bytes", "blosc"),
    "zstd": codecs("bytes", "zstd"),
    "sharding": codecs("sharding_indexed"),
    "pickle": codecs("numcodecs.pickle"),
    "big endian": changed(codecs=[{"name": "bytes", "configuration": {"endian": "big"}}]),
    "object": changed(data_type="object"),
    "structured": changed(data_type={"name": "structured", "configuration": {}}),
    "extension": changed(data_type="numpy.void"),
    "version 2": changed(zarr_format=2),
    "storage transformer": changed(storage_transformers=[{"name": "x"}]),
    "field of its own": changed(x=1),
    "consolidated metadata": changed(consolidated_metadata={"metadata": {}}),
    "attributes": changed(attributes={"_FillValue": 1, "scale_factor": 1e9}),
    "deep attributes": METADATA.replace(b'"attributes":{}', b'"attributes":' + DEEP),
    "deep document": DEEP,
    "fill value": changed(fill_value=7),
    "other key encoding": changed(chunk_key_encoding={"name": "v2", "configuration": {"separator": "."}}),
    "key twice": METADATA.replace(b'"shape":[3,2]', b'"shape":[9,9],"shape":[3,2]'),
    "NaN": METADATA.replace(b'"fill_value":0', b'"fill_value":NaN'),
    "blanks": METADATA + b" ",
    "no JSON": b"\x80\x04\x95",
    "chunk longer than the array": changed(shape=[1, 2]),
}


@pytest.mark.parametrize("metadata", STRANGE.values(), ids=STRANGE.keys())
def test_metadata_in_another_form_is_refused_by_every_reader(forge, metadata):
    reader = forge.store.reader(forge.artifact({**WHOLE, "a/zarr.json": metadata}))
    for open in (lambda: reader.array("a"), lambda: reader.zarr()["a"][...], lambda: reader.xarray()["a"].values):
        assert "not in this store's form" in refusal(open)


def test_version_2_beside_it_is_not_looked_at(forge):
    reader = forge.store.reader(forge.artifact({**WHOLE, ".zarray": b"{}", ".zgroup": b"{}", "a/.zarray": b"{}"}))
    assert reader.array("a").tolist() == reader.zarr()["a"][...].tolist() == [[0, 1], [2, 3], [4, 5]]


GROUPS = {
    "an array": METADATA,
    "version 2": b'{"attributes":{},"node_type":"group","zarr_format":2}',
    "key twice": b'{"attributes":{"a":1,"a":2},"node_type":"group","zarr_format":3}',
    "order": b'{"zarr_format":3,"node_type":"group","attributes":{}}',
    "consolidated metadata": b'{"attributes":{},"consolidated_metadata":{},"node_type":"group","zarr_format":3}',
    "no attributes": b'{"node_type":"group","zarr_format":3}',
    "attributes of another type": b'{"attributes":[],"node_type":"group","zarr_format":3}',
    "NaN": b'{"attributes":{"a":NaN},"node_type":"group","zarr_format":3}',
    "infinity": b'{"attributes":{"a":1e999},"node_type":"group","zarr_format":3}',
    "deep": b'{"attributes":' + DEEP + b',"node_type":"group","zarr_format":3}',
    "deep tables": b'{"attributes":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b',"node_type":"group","zarr_format":3}',
    "half a character": b'{"attributes":{"a":"\\ud800"},"node_type":"group","zarr_format":3}',
    "no JSON": b"\x80\x04\x95",
    "list": b"[]",
}


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS.keys())
def test_group_in_another_form_is_refused_by_every_reader(forge, group):
    reader = forge.store.reader(forge.artifact(WHOLE, group=group))
    for open in (lambda: reader.attrs, lambda: reader.zarr().attrs, lambda: reader.xarray().attrs):
        assert "group metadata that is not in this store's form" in refusal(open)


def test_attributes_that_unpack_to_gigabytes_are_refused(forge):
    group = b'{"attributes":{"a":[' + b"[]," * (6 << 20) + b'[]]},"node_type":"group","zarr_format":3}'
    name = forge.artifact({}, group=group)
    said, peak = forge.attack(f"store.reader('{name}').attrs")
    assert said == "TooLarge: entry 'zarr.json' has 18874429 bytes, expected 16777216 at most" and peak < 60


def test_attributes_too_large_to_be_read_are_not_written(forge):
    thing = Thing()
    thing.attrs = {"a": "x" * (17 << 20)}
    with pytest.raises(Unacceptable, match=r"attributes of .* bytes: at most 16777216"):
        forge.store.put(thing)


class Thing(Artifact):
    type = "thing/1"
    attrs: dict = {}

    def write(self, w):
        w.attrs = self.attrs

    @classmethod
    def open(cls, r):
        thing = cls()
        thing.attrs = r.attrs
        return thing


class Point(msgspec.Struct):
    y: int
    x: int


def test_attributes_of_any_order_come_back(forge):
    thing = Thing()
    thing.attrs = {"b": [1e22, -0.0, 2**64 - 1, None], "a": {"z": Point(1, 2), "10": "ü\u2028", "9": (True,)}}
    opened = forge.store.open(forge.store.put(thing), Thing)
    found = {"b": [1e22, -0.0, 2**64 - 1, None], "a": {"z": {"y": 1, "x": 2}, "10": "ü\u2028", "9": [True]}}
    assert opened.attrs == found


def numbers(shape, chunk=None, data_type="float32"):
    chunk = chunk or [1, *(max(1, length) for length in shape[1:])]
    document = {
        **json.loads(METADATA),
        "shape": shape,
        "data_type": data_type,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        "fill_value": "" if data_type == "string" else 0.0,
        "codecs": [{"name": "vlen-utf8", "configuration": {}}]
        if data_type == "string"
        else json.loads(METADATA)["codecs"],
        "dimension_names": [f"d{n}" for n in range(len(shape))],
    }
    return json.dumps(document, separators=(",", ":")).encode()


FORM, LARGE = "not in this store's form", "more than 68719476736 bytes"
SHAPES = {
    "10**15 rows": ([10**15], FORM),
    "2**64 rows": ([2**64], FORM),
    "2**40 x 2**40, 0 modulo 2**64": ([2**40, 2**40], LARGE),
    "2**32 x 2**32, 0 modulo 2**64": ([2**32, 2**32], LARGE),
    "one row of 10**12": ([1, 10**12], LARGE),
    "one row of 2 GiB": ([1, 2**29], "a chunk of 2147483648 bytes"),
    "none of 2**47 x 2**47": ([0, 2**47, 2**47], LARGE),
    "2**47 of none": ([2**47, 0], LARGE),
    "2**30 of none of 2**30": ([2**30, 0, 2**30], LARGE),
    "17 dimensions of 16": ([16] * 17, LARGE),
    "33 dimensions": ([1] * 33, FORM),
    "5,000 dimensions": ([1] * 5000, FORM),
}


@pytest.mark.parametrize(("shape", "text"), SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("chunk", [b"", b"\0\0\0\0"], ids=["empty", "one number"])
def test_huge_shape_is_refused_before_anything_is_made_of_it(forge, shape, text, chunk):
    tail = "/0" * min(len(shape) - 1, 40)
    reader = forge.store.reader(forge.artifact({"a/zarr.json": numbers(shape), f"a/c/0{tail}": chunk}))
    for open in (lambda: reader.array("a"), lambda: reader.rows("a", 0, 1), lambda: reader.zarr()["a"][:1]):
        assert text in refusal(open)


def test_metadata_of_a_million_dimensions_is_not_read(forge):
    reader = forge.store.reader(forge.artifact({"a/zarr.json": numbers([1] * 1_000_000)}))
    assert "bytes, expected 65536 at most" in refusal(lambda: reader.array("a"))


def test_chunk_larger_than_a_blob_is_refused():
    # 2**28 + 1 float32 are 1 GiB and 4 bytes.
    assert "a chunk of 1073741828 bytes" in refusal(lambda: decode_metadata(numbers([1, 2**28 + 1])))
    assert decode_metadata(numbers([1, 2**28])).shape == (1, 2**28)


def test_array_over_the_limit_is_not_written(monkeypatch):
    monkeypatch.setattr("store.encoding.BLOB_BYTES", 100)
    with pytest.raises(Unacceptable, match="a chunk of 208 bytes"):
        encode_array(np.zeros((2, 13)), ("a", "b"), None)


def test_missing_chunk_is_told_by_every_reader(forge):
    files = {key: data for key, data in WHOLE.items() if key != "a/c/1/0"}
    reader = forge.store.reader(forge.artifact(files))
    for open in (lambda: reader.array("a"), lambda: reader.zarr()["a"][...], lambda: reader.xarray()["a"].values):
        assert "has no entry 'a/c/1/0'" in refusal(open)
    assert reader.rows("a", 0, 2).tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize("data", [b"", bytes(31), bytes(33), bytes(64)])
def test_chunk_of_another_length_is_told_by_our_reader(forge, data):
    reader = forge.store.reader(forge.artifact({**WHOLE, "a/c/0/0": data}))
    assert f"a chunk of {len(data)} bytes" in refusal(lambda: reader.array("a"))


def test_bytes_that_are_no_bool_are_refused(forge):
    metadata, chunks = encode_array(np.array([True, False]), ("n",), None)
    reader = forge.store.reader(
        forge.artifact({"a/zarr.json": metadata, "a/c/0": bytes(dict(chunks)["c/0"])[:1] + b"\2"})
    )
    assert "other bytes than 0 and 1" in refusal(lambda: reader.array("a"))


def test_chunk_that_is_an_artifact_is_refused(forge):
    entries = [
        *(Entry(f"a/c/{n}/0", "artifact", forge.manifest([]), 31) for n in (0, 1)),
        Entry("a/zarr.json", "inline", digest(METADATA), len(METADATA), METADATA),
    ]
    reader = forge.store.reader(forge.manifest(entries))
    assert "a chunk of 31 bytes does not fit" in refusal(lambda: reader.array("a"))


def u32(*values):
    return b"".join(value.to_bytes(4, "little") for value in values)


TEXTS = {
    "empty": b"",
    "count alone": u32(2**32 - 1),
    "too many": u32(3, 0, 0, 0),
    "length past the end": u32(2, 2**32 - 1, 0),
    "length that eats the next": u32(2, 4, 0),
    "bytes behind": u32(2, 0, 0, 0),
    "no UTF-8": u32(2, 0, 1) + b"\xff",
    "surrogate": u32(2, 0, 3) + b"\xed\xa0\x80",
}


@pytest.mark.parametrize("chunk", TEXTS.values(), ids=TEXTS.keys())
def test_text_with_lying_counts_is_refused(forge, chunk):
    reader = forge.store.reader(forge.artifact({"a/zarr.json": numbers([2], [2], "string"), "a/c/0": chunk}))
    assert "a chunk of text" in refusal(lambda: reader.array("a"))


def test_text_of_100_million_empty_strings_costs_nothing(forge):
    import zstandard

    chunk = u32(10**8) + bytes(4 * 10**8)  # 12 kB at rest
    _, name, size = forge.blob(chunk, zstandard.ZstdCompressor().compress(chunk))
    metadata = numbers([10**8], [10**8], "string")
    entries = [
        Entry("a/c/0", "blob", name, size),
        Entry("a/zarr.json", "inline", digest(metadata), len(metadata), metadata),
    ]
    said, peak = forge.attack(f"store.reader('{forge.manifest(entries)}').array('a')")
    assert "a chunk of 6400000000 bytes" in said and peak < 60


def test_text_of_2_to_the_32_strings_costs_nothing(forge):
    files = {"a/zarr.json": numbers([2**32 - 1], [2**32 - 1], "string"), "a/c/0": u32(2**32 - 1)}
    said, peak = forge.attack(f"store.reader('{forge.artifact(files)}').array('a')")
    assert said.startswith("Unacceptable: ") and peak < 60


class Row(msgspec.Struct):
    name: str
    count: int
    options: tuple[int, ...]


def column(values, rows=None):
    metadata, chunks = encode_array(values, tuple("xyz"[: getattr(values, "ndim", 1)]), rows)
    return {"zarr.json": metadata, **dict(chunks)}


TABLES = {
    "column missing": ({"name": ["a"], "count": np.array([1])}, "has no entry 't/options/zarr.json'"),
    "another length": ({"name": ["a", "b"], "count": np.array([1]), "options": ["[]"]}, "columns of 2, 1, 1 rows"),
    "numbers for text": ({"name": np.array([1]), "count": np.array([1]), "options": ["[]"]}, "t/name: int64"),
    "floats for integers": ({"name": ["a"], "count": np.array([1.5]), "options": ["[]"]}, "t/count: float64"),
    "text for integers": ({"name": ["a"], "count": ["x"], "options": ["[]"]}, "t/count: string"),
    "numbers for JSON": ({"name": ["a"], "count": np.array([1]), "options": np.array([1])}, "t/options: int64"),
    "two dimensions": ({"name": ["a"], "count": np.zeros((1, 0), int), "options": ["[]"]}, "t/count: int64 (1, 0)"),
    "no dimension": ({"name": ["a"], "count": np.array(1), "options": ["[]"]}, "t/count: int64 ()"),
    "other JSON": ({"name": ["a"], "count": np.array([1]), "options": ['["x"]']}, "t/options: Expected `int`"),
    "no JSON": ({"name": ["a"], "count": np.array([1]), "options": ["["]}, "t/options: "),
    "deep JSON": ({"name": ["a"], "count": np.array([1]), "options": ["[" * 10**5]}, "t/options: "),
}


@pytest.mark.parametrize(("columns", "text"), TABLES.values(), ids=TABLES.keys())
def test_table_that_holds_no_such_rows_is_refused(forge, columns, text):
    files = {f"t/{name}/{key}": data for name, own in columns.items() for key, data in column(own).items()}
    reader = forge.store.reader(forge.artifact(files))
    assert text in refusal(lambda: reader.table("t", Row))


def test_collection_with_anything_but_artifacts_is_refused(forge):
    name = forge.artifact({"x": b"1"}, "collection of thing/1")
    assert "entry 'x' is inline, expected an artifact" in refusal(lambda: forge.store.open(name, Collection[Thing]))
    name = forge.artifact({"a/b": b"1"}, "collection of thing/1")
    assert "entry 'a/b' is inline" in refusal(lambda: forge.store.open(name, Collection[Thing]))


def test_collection_key_that_is_no_unicode_is_refused():
    assert "not a plain relative path" in refusal(lambda: Collection(Thing, {"\ud800": Thing()}))


class Careless(Thing):
    """A type that trusts what it opens, as types do."""

    @classmethod
    def open(cls, r):
        thing = cls()
        thing.attrs = {"first": r.attrs["values"][0], "more": r.attrs["more"] + 1}
        return thing


CONTENTS = {
    "field missing": (b"{}", "KeyError: 'values'"),
    "empty list": (b'{"values":[]}', "IndexError: list index out of range"),
    "number for list": (b'{"values":1}', "TypeError: 'int' object is not subscriptable"),
    "text for number": (b'{"more":"x","values":[1]}', 'TypeError: can only concatenate str (not "int") to str'),
}


@pytest.mark.parametrize(("attrs", "text"), CONTENTS.values(), ids=CONTENTS.keys())
def test_content_that_is_not_its_types_is_told_in_one_line(forge, attrs, text):
    name = forge.artifact({}, group=b'{"attributes":' + attrs + b',"node_type":"group","zarr_format":3}')
    assert refusal(lambda: forge.store.open(name, Careless)) == f"artifact {name[:12]} is no thing/1 inside: {text}"
