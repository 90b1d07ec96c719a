"""Benchmarks' files as published: rows, pictures and videos that are there, broken, doubled or absent."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from graph.node import External, Named
from nodes.evaluate.load import LoadBenchmark, load_benchmark
from nodes.questions.question import pool_rows, question_images
from store.open import open_store
from tests.nodes.scenes.scans.test_video import film, number_of


def load(name, path, scratch=Path("unused"), **more):
    named = Named(name, f"nodes.evaluate.benchmarks.{name}:{name}")
    source = External(path) if path is not None else None
    return load_benchmark(params=LoadBenchmark(named, source, **more), scratch=scratch)


def row(n=1, **more):
    return {
        "id": n,
        "dataset": "scannet",
        "scene_name": "scene0011_00",
        "question_type": "object_counting",
        "question": "How many?",
        "options": None,
        "ground_truth": "3",
        **more,
    }


def write(path, rows):
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


def jpeg(value, size=(8, 6)):
    out = io.BytesIO()
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(out, "JPEG")
    return out.getvalue()


def test_videos_become_evenly_spaced_frames_once(tmp_path):
    (tmp_path / "scannet").mkdir()
    film(tmp_path / "scannet" / "scene0011_00.mp4", 20)
    write(tmp_path / "test.jsonl", [row(1), row(2), row(3, scene_name="scene0012_00")])
    loaded = load("vsibench", tmp_path, frames=4)
    asked = pool_rows(loaded.questions)
    assert [one.id for one in asked] == ["1", "2"] and asked[0].frames == asked[1].frames == (0, 1, 2, 3)
    assert [(one.id, one.reason) for one in loaded.rows] == [("3", "pictures")]
    assert "no file 'scannet/scene0012_00.mp4'" in loaded.rows[0].detail
    store = open_store(str(tmp_path / "store"))
    kept = store.open(store.put(loaded), type(loaded))
    pictures = question_images(kept.questions, pool_rows(kept.questions)[0])
    assert [number_of(picture) for picture in pictures] == [0, 6, 13, 19]  # of 20, from the first to the last


def test_more_frames_than_a_video_has_are_all_of_them(tmp_path):
    (tmp_path / "scannet").mkdir()
    film(tmp_path / "scannet" / "scene0011_00.mp4", 5)
    write(tmp_path / "test.jsonl", [row()])
    assert len(pool_rows(load("vsibench", tmp_path).questions)[0].frames) == 5


def test_a_broken_video_is_named(tmp_path):
    (tmp_path / "scannet").mkdir()
    (tmp_path / "scannet" / "scene0011_00.mp4").write_bytes(b"no video")
    (tmp_path / "scannet" / "scene0012_00.mp4").symlink_to("/etc/hostname")
    write(tmp_path / "test.jsonl", [row(), row(2, scene_name="scene0012_00")])
    with pytest.raises(
        ValueError, match=r"scene0011_00.mp4: .*expected a video \(pictures\).* out of the folder by a link"
    ):
        load("vsibench", tmp_path)


def test_without_pictures_the_text_alone_is_asked(tmp_path):
    path = write(tmp_path / "rows.jsonl", [row()])
    assert pool_rows(load("vsibench", path, pictures="none").questions)[0].frames == ()
    with pytest.raises(ValueError, match=r"`path` is a file, expected the folder"):
        load("vsibench", path)


def test_rows_that_are_no_questions_are_counted_with_their_place(tmp_path):
    broken = [
        row(1),
        {name: value for name, value in row(2).items() if name != "question"},
        row(3, ground_truth="many"),
        row(1),
        row(5, question_type="object_rel_distance", options=["A. a", "B. b"], ground_truth="C"),
        row(6, question=7),
        row(7, scene_name="../x"),
    ]
    path = write(tmp_path / "test.jsonl", broken)
    path.write_text(path.read_text() + "{\n")
    loaded = load("vsibench", tmp_path, pictures="none")
    assert [one.id for one in pool_rows(loaded.questions)] == ["1"]
    told = [(one.reason, one.detail.partition(": ")[0]) for one in loaded.rows]
    places = [f"test.jsonl:{n}" for n in (2, 3, 4, 5, 6, 7, 8)]
    reasons = ["no field", "answer", "duplicate id", "answer", "no question", "scene", "unreadable"]
    assert told == list(zip(reasons, places, strict=True))
    assert loaded.rows[0].detail.endswith("'question' is missing; the row has id, dataset, scene_name, question_type,"
                                          " options, ground_truth")  # fmt: skip


def test_a_folder_without_the_file_names_what_was_looked_for(tmp_path):
    with pytest.raises(ValueError, match=r"holds none of test.jsonl, test-00000-of-00001.parquet: name its `file`"):
        load("vsibench", tmp_path)
    with pytest.raises(ValueError, match=r"holds none of debiased.jsonl"):
        load("vsibench", tmp_path, file="debiased.jsonl")


def test_parquet_with_pictures_in_its_rows(tmp_path):
    import pyarrow
    import pyarrow.parquet

    rows = [
        {"id": 1, "question_type": "MSR", "question": "Q?", "answer": "B", "images": [jpeg(10), jpeg(200)]},
        {"id": 2, "question_type": "MSR", "question": "Q?", "answer": "F", "images": [jpeg(10)]},
        {"id": 3, "question_type": "MSR", "question": "Q?", "answer": "A", "images": [b"GIF89a"]},
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "MMSI_Bench.parquet")
    loaded = load("mmsibench", tmp_path)
    asked = pool_rows(loaded.questions)
    assert [one.id for one in asked] == ["1"] and len(asked[0].frames) == 2
    assert [(one.id, one.reason) for one in loaded.rows] == [("2", "answer"), ("3", "pictures")]


def test_json_lists_with_pictures_beside_them(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg(50))
    fields = {"source": "BLINK", "category": "depth", "question": "Q? (A) x (B) y", "question_type": "multi-choice"}
    rows = [{"id": 1, "answer": "(B)", "img_paths": ["a.jpg"], **fields}, {"id": 2, "answer": "(A)", **fields}, 7]
    (tmp_path / "SpatialScore.json").write_text(json.dumps(rows))
    loaded = load("spatialscore", tmp_path)
    assert [(one.id, one.answer, len(one.frames)) for one in pool_rows(loaded.questions)] == [
        ("1", "B", 1),
        ("2", "A", 0),
    ]
    assert [(one.reason, one.detail) for one in loaded.rows] == [
        ("unreadable", "SpatialScore.json:3: a JSON int, expected an object")
    ]
    (tmp_path / "SpatialScore.json").write_text("[1, ")
    with pytest.raises(ValueError, match=r"SpatialScore.json: no JSON list"):
        load("spatialscore", tmp_path)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub that nobody can reach, with VSI-Bench in its cache as it is published: links to blobs, videos in a zip."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    home = tmp_path / "cache" / "datasets--a--vsi"
    (home / "blobs").mkdir(parents=True)
    snapshot = home / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    write(home / "blobs" / "rows", [row(1), row(2)])
    film(tmp_path / "film.mp4", 20)
    with zipfile.ZipFile(home / "blobs" / "zip", "w") as archive:
        archive.write(tmp_path / "film.mp4", "scannet/scene0011_00.mp4")
        archive.write(tmp_path / "film.mp4", "../../outside.mp4")
        archive.writestr("scannet/run.py", "boom")
    (snapshot / "test.jsonl").symlink_to("../../blobs/rows")
    (snapshot / "scannet.zip").symlink_to("../../blobs/zip")
    return home


def test_a_benchmark_of_the_hub_is_read_with_its_archives(hub, tmp_path):
    scratch = tmp_path / "deep" / "scratch"
    scratch.mkdir(parents=True)
    outside = scratch.parent / "outside.mp4"  # where a name in the archive leads
    outside.write_bytes(b"mine")
    loaded = load("vsibench", None, scratch, hub="a/vsi", revision="a" * 40, frames=4)
    assert [one.id for one in pool_rows(loaded.questions)] == ["1", "2"] and not loaded.rows
    assert pool_rows(loaded.questions)[0].frames == (0, 1, 2, 3)
    assert not list(tmp_path.rglob("run.py")) and outside.read_bytes() == b"mine"
    again = load("vsibench", None, scratch, hub="a/vsi", revision="a" * 40, frames=4)  # over what a killed run left
    assert pool_rows(again.questions) == pool_rows(loaded.questions)
    blind = load("vsibench", None, tmp_path / "other", hub="a/vsi", revision="a" * 40, pictures="none")
    assert len(pool_rows(blind.questions)) == 2 and not list((tmp_path / "other").rglob("*.mp4"))


def test_an_archive_does_not_write_into_the_cache(hub, tmp_path):
    (hub / "blobs" / "jpg").write_bytes(jpeg(9))
    (hub / "snapshots" / ("a" * 40) / "a.jpg").symlink_to("../../blobs/jpg")
    with zipfile.ZipFile(hub / "blobs" / "zip", "a") as archive:
        archive.writestr("a.jpg", b"another")
    load("vsibench", None, tmp_path / "scratch", hub="a/vsi", revision="a" * 40, frames=4)
    assert (hub / "blobs" / "jpg").read_bytes() == jpeg(9)


def test_a_part_in_the_cache_is_not_taken_for_the_whole(hub, tmp_path):
    write(hub / "blobs" / "rows", [row(1), row(2), row(3, scene_name="scene0012_00")])
    with pytest.raises(ValueError, match=r"1 of 3 questions lack pictures, the first: .* its cache here holds a part"):
        load("vsibench", None, tmp_path / "scratch", hub="a/vsi", revision="a" * 40, frames=4)


def test_what_the_hub_does_not_give_is_one_line(hub, tmp_path):
    with pytest.raises(ValueError, match=r"hub dataset 'a/b' at aaaaaaaaaaaa: .* name its folder as params.path$"):
        load("vsibench", None, tmp_path / "scratch", hub="a/b", revision="a" * 40)
    (hub / "blobs" / "zip").write_bytes(b"PK no archive")
    with pytest.raises(ValueError, match=r"hub dataset 'a/vsi': scannet.zip: File is not a zip file"):
        load("vsibench", None, tmp_path / "scratch", hub="a/vsi", revision="a" * 40)
    for more in ({}, {"hub": "a/b"}, {"hub": "a/b", "revision": "main"}):
        with pytest.raises(ValueError, match="need"):
            load("vsibench", None, **more)
