"""Verification: what is damaged is found, named, and set aside with all that leads to it; nothing is destroyed."""

from __future__ import annotations

import pytest
import zstandard

from store.errors import Unacceptable
from store.numbered import seal
from store.objects import LocalObjects
from store.verify import Verifier
from tests.store.yard import Lab, pack


@pytest.fixture
def lab(anywhere):
    return anywhere


@pytest.fixture
def local(tmp_path):
    return Lab(LocalObjects(tmp_path))


def verify(lab, sample=None):
    return Verifier(lab.objects, "the store", sample).verify()


def blob_of(lab, digest: str) -> str:
    """The name of the object of an artifact's one blob."""
    (entry,) = [entry for entry in lab.store.manifests.get(digest).entries if entry.kind == "blob"]
    return next(name for name in lab.content() if entry.digest in name)


def flip(lab, name: str) -> bytes:
    """Flip a bit of an object; return what is there now."""
    data = bytearray(lab.objects.read(name))
    data[len(data) // 2] ^= 1
    lab.objects.objects.write(name, bytes(data))
    return bytes(data)


def manifest(digest: str) -> str:
    return f"manifests/{digest[:2]}/{digest}"


def test_a_whole_store_has_nothing_wrong(lab):
    outer = lab.collection(lab.put(0), lab.put(5000))
    lab.record("a", outer)
    lab.store.refs.move("x", outer)
    pack(lab, 1, manifest(outer))
    before = lab.content()
    report = verify(lab)
    assert (report.problems, report.misses) == ([], 0) and lab.content() == before
    assert report.objects == report.checked == len(before) + 2 and report.bytes > 0


def test_a_flipped_bit_is_found_named_and_set_aside_with_all_that_leads_to_it(lab):
    one, two = lab.put(0), lab.put(5000)
    inner = lab.collection(one)
    outer = lab.collection(inner, two)
    lab.record("a", outer)
    lab.record("b", two)
    damaged = flip(lab, name := blob_of(lab, one))
    report = verify(lab)
    aside = {problem.name: problem for problem in report.problems}
    assert aside.keys() == {name, *map(manifest, (one, inner, outer))}
    assert aside[name].of == ["toy.sum (action aaaaaaaa): k0/k0/values/c/0"]
    assert lab.objects.read(f"aside/{name}") == damaged and lab.objects.exists(f"aside/{manifest(outer)}")
    assert lab.is_whole(two) and not lab.objects.exists(manifest(outer))
    again = verify(lab)
    assert (again.problems, again.misses) == ([], 1)
    assert lab.put(0) == one and lab.is_whole(one)


def test_a_blob_that_is_whole_under_its_other_name_is_not_lost(local):
    one = local.put(0)
    packed = blob_of(local, one)
    assert packed.endswith(".zst")
    raw = zstandard.ZstdDecompressor().decompress(local.objects.read(packed))
    local.objects.write(packed.removesuffix(".zst"), raw)
    flip(local, packed)
    report = verify(local)
    assert [problem.name for problem in report.problems] == [packed] and local.is_whole(one)


@pytest.mark.parametrize("data", [b"", b"x", zstandard.compress(b"y" * 9000)])
def test_a_blob_that_no_manifest_names_is_checked_by_its_digest(local, data):
    name = local.store.blobs.put(b"words " * 2000)
    assert verify(local).problems == []
    local.objects.write(f"cas/{name[:2]}/{name}.zst", data)
    (problem,) = verify(local).problems
    assert problem.is_aside and problem.name == f"cas/{name[:2]}/{name}.zst"


def test_a_frame_that_holds_more_than_it_declares_is_not_unpacked(local):
    bomb = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(50_000_000))
    local.objects.write(f"cas/ab/ab{'0' * 62}.zst", bomb)
    (problem,) = verify(local).problems
    assert "declares" in problem.what


def test_a_manifest_that_is_damaged_or_not_canonical_is_set_aside(local):
    one, two = local.put(0), local.put(5000)
    outer = local.collection(one)
    flip(local, manifest(one))
    data = b"dataflow-manifest 1\nnot so"
    from store.digest import digest

    strange = digest(data)
    local.objects.write(manifest(strange), data)
    report = verify(local)
    assert {problem.name for problem in report.problems} == set(map(manifest, (one, outer, strange)))
    assert local.is_whole(two) and local.put(0) == one and local.is_whole(one)


def test_a_manifest_of_which_bytes_are_gone_is_set_aside(local):
    one, two = local.put(0), local.put(5000)
    outer = local.collection(one, two)
    local.objects.objects.delete(blob_of(local, one))
    report = verify(local)
    assert {problem.name for problem in report.problems} == set(map(manifest, (one, outer)))
    assert local.is_whole(two)


def test_records_refs_and_packs_are_read_too(local):
    one = local.put(0)
    key = local.record("a", one)
    local.store.refs.move("x", one)
    local.objects.create("refs/lost/1", seal(b"0" * 64))
    local.objects.create("packs/x/1", seal(b"no pack"))
    other = f"actions/bb/{'b' * 64}/local/1"
    local.objects.create(other, local.objects.read(f"actions/aa/{key}/local/1"))
    flip(local, "refs/x/1")
    flip(local, f"actions/aa/{key}/local/1")
    report = verify(local)
    found = {problem.name: problem.is_aside for problem in report.problems}
    expected = {"refs/x/1": True, "packs/x/1": True, other: True, f"actions/aa/{key}/local/1": True}
    assert found == {**expected, "refs/lost/1": False}  # nothing is gained by moving it


def test_a_sample_is_of_the_size_asked_for_and_sets_aside_as_well(local):
    kept = [local.put(n * 5000) for n in range(20)]
    assert [verify(local, sample).checked for sample in (7, 0.5, 1000)] == [7, 20, 40]
    outer = local.collection(*kept)
    for one in kept:
        flip(local, blob_of(local, one))
    problems = {problem.name for problem in verify(local, 0.5).problems}
    assert manifest(outer) in problems and any(name.startswith("cas/") for name in problems)


def test_what_somebody_mended_meanwhile_stays(local):
    one = local.put(0)
    whole = local.objects.read(name := blob_of(local, one))
    flip(local, name)
    reads = []
    read = local.objects.read

    def mend(asked, limit=None):
        data = read(asked, limit)
        if asked == name and not reads:
            reads.append(asked)
            local.objects.objects.write(name, whole)
        return data

    local.objects.read = mend
    verify(local)
    assert local.objects.objects.read(name) == whole


def test_a_place_that_is_no_store_is_refused(local):
    local.objects.delete("format")
    with pytest.raises(Unacceptable, match="the store: "):
        verify(local)
