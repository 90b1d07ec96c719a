"""Artifacts: written once, read lazily and verified, the same group to zarr and xarray."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import pytest

from store.artifact import Artifact, Writer
from store.collection import Collection
from store.digest import digest
from store.errors import Damaged, Missing, StoreError, Unacceptable
from store.open import open_store, type_name


class Thing(Artifact):
    """Whatever a test wants to write."""

    type = "thing/1"

    def __init__(self, write=lambda w: None) -> None:
        self._write = write

    def write(self, w: Writer) -> None:
        self._write(w)

    @classmethod
    def open(cls, r):
        thing = cls()
        thing.reader = r
        return thing


class Numbers(Artifact):
    """A few numbers."""

    type = "numbers/1"

    def __init__(self, values) -> None:
        self.values = np.asarray(values, dtype=np.float64)

    def write(self, w: Writer) -> None:
        w.array("values", self.values, ("n",))

    @classmethod
    def open(cls, r):
        return cls(r.array("values"))


class Row(msgspec.Struct, frozen=True):
    name: str
    count: int
    share: float
    is_wanted: bool
    options: tuple[str, ...]
    size: Annotated[int, msgspec.Meta(ge=0, extra={"unit": "m"})]
    kind: Literal["choice", "number"]
    extra: dict[str, Any] | None = None


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))


def written(store, write):
    """Put a thing and return its reader."""
    return store.reader(store.put(Thing(write)))


def files_below(store):
    return sorted(path for path in store.objects.root.rglob("*") if path.is_file())


def test_artifact_has_a_golden_digest(store):
    def write(w):
        w.attrs = {"b": 1, "a": {"z": 0.5, "y": [1, "two", None]}}
        w.array("values", np.arange(3, dtype=np.int16), ("n",))
        w.array("group/names", ["a", "bc"], ("n",))
        w.file("vocab.txt", b"a\nb\n")
        w.artifact("inner", Numbers([1.0, -0.0, np.nan]))

    assert store.put(Thing(write)) == "810556f173cb9a2966de63df9f3b49b4ca59496e1bf6acdfe93c34d9f51eb174"


def test_order_of_writing_and_of_attributes_makes_no_difference(store):
    def forth(w):
        w.attrs = {"a": 1, "b": {"x": 1, "y": 2}}
        w.file("one", b"1")
        w.file("two", b"2")

    def back(w):
        w.file("two", b"2")
        w.file("one", b"1")
        w.attrs = {"b": {"y": 2, "x": 1}, "a": 1}

    assert store.put(Thing(forth)) == store.put(Thing(back))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(), (0,), (5,), (5, 3), (4, 0, 2)])
def test_arrays_come_back(store, dtype, shape):
    values = (np.arange(np.prod(shape, dtype=int)) % 7).reshape(shape).astype(dtype)
    reader = written(store, lambda w: w.array("a", values, tuple("xyz"[: len(shape)]), rows=2))
    found = reader.array("a")
    assert found.dtype == values.dtype and found.shape == shape and (found == values).all()


def test_text_and_its_absence_come_back(store):
    texts = ["", "größer", "表 \U0001f600", "x" * 10_000]
    reader = written(store, lambda w: (w.array("a", texts, ("n",)), w.array("none", [], ("n",))))
    assert reader.array("a").tolist() == texts
    assert reader.array("none").tolist() == []


def test_bits_of_nan_and_negative_zero_survive_the_store(store):
    bits = np.array([0x7FF8000000000001, 0xFFF0DEADBEEF0001, 0x8000000000000000], dtype=np.uint64)
    reader = written(store, lambda w: w.array("a", bits.view(np.float64), ("n",)))
    assert reader.array("a").view(np.uint64).tolist() == bits.tolist()


def test_rows_read_only_the_chunks_they_need(store):
    values = np.arange(30_000, dtype=np.float64).reshape(30, 1000)
    reader = written(store, lambda w: w.array("a", values, ("row", "x"), rows=4))  # 8 chunks of 32,000 bytes
    for n in (0, 1, 2, 4, 5, 6, 7):
        entry = reader.entry(f"a/c/{n}/0")
        next(path for path in files_below(store) if path.name.startswith(entry.digest)).unlink()
    assert (reader.rows("a", 13, 15) == values[13:15]).all()  # rows 12..15 are chunk 3
    with pytest.raises(Missing):
        reader.rows("a", 13, 17)


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (0, 7), (2, 3), (3, 6), (6, 7), (7, 7)])
def test_rows_equal_a_slice(store, start, stop):
    values = np.arange(14).reshape(7, 2)
    reader = written(store, lambda w: w.array("a", values, ("row", "x"), rows=3))
    assert (reader.rows("a", start, stop) == values[start:stop]).all()


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (0, 8), (3, 2)])
def test_rows_out_of_range_are_refused(store, start, stop):
    reader = written(store, lambda w: w.array("a", np.arange(7), ("row",)))
    with pytest.raises(IndexError, match="a: rows"):
        reader.rows("a", start, stop)


ROWS = [
    Row("a", 1, 0.5, True, ("x", "y"), 2, "choice", {"b": 1, "a": [1.5]}),
    Row("ü", -(2**62), float("inf"), False, (), 0, "number"),
]


def test_table_comes_back(store):
    reader = written(store, lambda w: (w.table("rows", ROWS, Row), w.table("empty", [], Row)))
    assert reader.table("rows", Row) == ROWS
    assert reader.table("empty", Row) == []


def test_files_come_back_by_name(store):
    reader = written(store, lambda w: (w.file("b/tokenizer.json", b"{}"), w.file("a.png", b"x" * 5000)))
    assert reader.files() == ["a.png", "b/tokenizer.json"]
    assert reader.file("a.png") == b"x" * 5000 and reader.file("b/tokenizer.json") == b"{}"


def test_entry_that_is_not_there_is_no_lost_artifact(store):
    reader = written(store, lambda w: None)
    with pytest.raises(Unacceptable, match=r"thing/1 .* has no entry 'files/x'"):
        reader.file("x")


@pytest.mark.parametrize("name", ["../x", "/x", "a/../b", ""])
def test_unsafe_names_are_refused_at_writing(store, name):
    for write in (lambda w: w.file(name, b""), lambda w: w.artifact(name, Numbers([1]))):
        with pytest.raises(Unacceptable):
            store.put(Thing(write))


def test_name_written_twice_is_refused(store):
    with pytest.raises(Unacceptable, match="written twice"):
        store.put(Thing(lambda w: (w.file("a", b"1"), w.file("a", b"2"))))


@pytest.mark.parametrize("value", [float("nan"), [1.0, float("inf")], {"a": (float("nan"),)}])
def test_attributes_that_json_would_change_are_refused(store, value):
    with pytest.raises(Unacceptable, match="JSON has no NaN"):
        store.put(Thing(lambda w: w.attrs.update(x=value)))


def test_artifact_of_another_type_is_refused(store):
    name = store.put(Numbers([1]))
    with pytest.raises(Unacceptable, match="is numbers/1, expected thing/1"):
        store.open(name, Thing)
    with pytest.raises(Unacceptable, match="expected collection of numbers/1"):
        store.open(name, Collection[Numbers])


def test_every_damaged_file_of_an_artifact_is_noticed(store):
    name = store.put(Thing(lambda w: w.array("a", np.arange(5000), ("n",), rows=2500)))
    store.open(name, Thing).reader.array("a")
    paths = files_below(store)
    assert len(paths) == 3  # two chunks and the manifest
    for path in paths:
        whole = path.read_bytes()
        for found in (whole[:-3], b"", whole[: len(whole) // 2] + b"?" + whole[len(whole) // 2 + 1 :]):
            path.write_bytes(found)
            with pytest.raises(Damaged):
                store.open(name, Thing).reader.array("a")
        path.write_bytes(whole)


def test_collection_is_sorted_and_lazy(store):
    entries = {key: Numbers([n]) for n, key in enumerate(["b", "a", "ü", "C"])}
    name = store.put(Collection(Numbers, entries))
    opened = store.open(name, Collection[Numbers])
    assert list(opened) == ["C", "a", "b", "ü"] and len(opened) == 4 and "a" in opened and "x" not in opened
    assert opened["b"].values.tolist() == [0] and opened["a"].digest == opened.entry_digest("a")
    lost = opened.entry_digest("a")
    (store.objects.root / "manifests" / lost[:2] / lost).unlink()
    again = store.open(name, Collection[Numbers])
    assert again["b"].values.tolist() == [0]
    with pytest.raises(Missing):
        again["a"]
    with pytest.raises(KeyError):
        again["x"]


def test_collection_key_is_one_segment(store):
    with pytest.raises(Unacceptable, match="holds a '/'"):
        Collection(Numbers, {"a/b": Numbers([1])})
    for key in ("..", "zarr.json", ""):
        with pytest.raises(Unacceptable):
            store.put(Collection(Numbers, {key: Numbers([1])}))


def test_collection_says_which_key_or_entry_is_of_another_type(store):
    with pytest.raises(Unacceptable, match="collection key 3 is int, expected str"):
        Collection(Numbers, {3: Numbers([1])})
    for other, name in ((3, "int"), (Collection(Numbers, {}), "collection of numbers/1")):
        with pytest.raises(Unacceptable, match=f"collection of numbers/1: entry 'a' is {name}"):
            store.put(Collection(Numbers, {"a": other}))


def test_collection_of_nothing_comes_back(store):
    opened = store.open(store.put(Collection(Numbers, {})), Collection[Numbers])
    assert list(opened) == [] and opened.type == type_name(Collection[Numbers]) == "collection of numbers/1"


def test_large_collection_is_split_and_an_entry_reads_one_part(store):
    same = store.open(store.put(Numbers([1.0])), Numbers)
    name = store.put(Collection(Numbers, {f"e{n:05d}": same for n in range(4100)}))
    whole = store.manifests.get(name)
    assert whole.is_split
    opened = store.open(name, Collection[Numbers])
    assert len(opened) == 4100 and opened["e04099"].values.tolist() == [1.0]
    needed = digest(b"e00007")[:2]
    for part in whole.entries:
        if part.key != needed:
            (store.objects.root / "manifests" / part.digest[:2] / part.digest).unlink()
    reader = store.reader(name)
    assert reader.artifact("e00007", Numbers).values.tolist() == [1.0]
    with pytest.raises(Missing):
        reader.keys()


def test_putting_an_opened_artifact_writes_nothing(store):
    name = store.put(Collection(Numbers, {"a": Numbers([1.0])}))
    before = {path: path.stat().st_ino for path in files_below(store)}
    opened = store.open(name, Collection[Numbers])
    assert store.put(opened) == name
    assert store.put(Collection(Numbers, {"a": opened["a"]})) == name
    assert {path: path.stat().st_ino for path in files_below(store)} == before


def test_opened_artifact_cannot_change(store):
    opened = store.open(store.put(Numbers(np.zeros(2_000_000))), Numbers)  # 16 MB: four chunks
    with pytest.raises(AttributeError, match=r"numbers/1 .* is stored and cannot change: make a new one"):
        opened.values = [2]
    with pytest.raises(ValueError, match="read-only"):
        opened.values[0] = 2


def test_equal_content_has_equal_digests_in_two_stores(store, tmp_path):
    other = open_store(f"file://{tmp_path}/other")
    assert store.put(Numbers([1, 2])) == other.put(Numbers([1, 2]))
    opened = store.open(store.put(Numbers([1, 2])), Numbers)
    third = open_store(str(tmp_path / "third"))
    assert third.open(third.put(opened), Numbers).values.tolist() == [1, 2]  # opened elsewhere: written here


def test_elsewhere_opens_what_is_only_referred_to(store):
    name = store.put(Numbers([7]))
    reader = written(store, lambda w: w.attrs.update(frames=name))
    assert reader.elsewhere(reader.attrs["frames"], Numbers).values.tolist() == [7]


def test_unsupported_protocol_is_refused():
    with pytest.raises(Unacceptable, match="store 's4://bucket/x': "):
        open_store("s4://bucket/x")


def full(w):
    w.attrs = {"title": "room"}
    w.array("depth", np.arange(24, dtype=np.float32).reshape(4, 6), ("frame", "x"), rows=3)
    w.array("pose/T_wc", np.eye(4), ("row", "column"))
    w.array("label", ["chair", "größer", "", "x"], ("frame",))
    w.array("scalar", np.array(2.5), ())
    w.array("zeros", np.zeros((4, 2), np.uint16), ("frame", "y"), rows=1)
    w.table("rows", ROWS, Row)
    w.file("vocab.txt", b"a")
    w.artifact("inner", Numbers([1]))


def test_zarr_opens_the_same_group(store):
    reader = written(store, full)
    group = reader.zarr()
    assert dict(group.attrs) == {"title": "room"}
    assert sorted(group.array_keys()) == ["depth", "label", "scalar", "zeros"]
    assert sorted(group.group_keys()) == ["pose", "rows"]
    for name in ("depth", "pose/T_wc", "scalar", "zeros", "rows/count"):
        assert (np.asarray(group[name][...]) == reader.array(name)).all()
    assert list(group["label"][...]) == reader.array("label").tolist()
    assert (group["depth"][1:4, 2] == reader.array("depth")[1:4, 2]).all()
    with pytest.raises(Exception, match=r"read-only|immutable"):
        group["depth"][0, 0] = 1


def test_xarray_opens_the_same_group(store):
    reader = written(store, full)
    dataset = reader.xarray()
    assert dataset.attrs == {"title": "room"}
    assert dict(dataset.sizes) == {"frame": 4, "x": 6, "y": 2}
    assert (dataset["depth"].values == reader.array("depth")).all() and dataset["depth"].dtype == np.float32
    assert dataset["label"].values.tolist() == ["chair", "größer", "", "x"]
    assert (dataset["depth"].isel(frame=3).values == [18, 19, 20, 21, 22, 23]).all()
    rows = reader.xarray("rows")
    assert rows["name"].values.tolist() == ["a", "ü"] and rows["count"].values.tolist() == [1, -(2**62)]


def test_zarr_reads_are_verified(store):
    values = np.random.default_rng(0).random((4, 1000))
    reader = written(store, lambda w: w.array("a", values, ("x", "y"), rows=2))
    group = reader.zarr()
    assert (group["a"][...] == values).all()
    path = next(path for path in files_below(store) if path.name.startswith(reader.entry("a/c/1/0").digest))
    path.write_bytes(path.read_bytes()[::-1])
    assert (group["a"][:2] == values[:2]).all()
    with pytest.raises(StoreError):
        group["a"][...]
