"""Questions from elsewhere: what is taken, and what is dropped with its place and the reason."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from graph.node import External
from nodes.questions.files import pictures
from nodes.questions.files.load import Load, load
from nodes.questions.question import Questions, pool_rows, question_images
from store.collection import Collection
from store.open import open_store
from store.terms import withheld_by

GOOD = {"id": "good", "prompt": "What is two and two?", "answer": "4"}


@pytest.fixture
def given(tmp_path):
    """Write rows (dicts or lines) and load them."""

    def write(*rows, **params):
        lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
        (tmp_path / "rows.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        return load(params=Load(path=External(tmp_path), **params))

    return write


def picture(path: Path, **options) -> Path:
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (20, 10), "green").save(path, **options)
    return path


def test_row_of_a_prompt_and_an_answer_is_a_question(given):
    kept = given({"prompt": "Which animal?", "options": ["A. cat", "B. dog"], "answer": "B"}, {**GOOD, "answer": 4})
    choice, number = pool_rows(kept.questions)
    assert list(kept.questions) == ["general"]
    assert (choice.kind, choice.chance, choice.scene, choice.place, choice.frames) == ("choice", 0.5, "", "", ())
    assert (number.kind, number.answer, number.chance, number.task) == ("number", "4", 0.0, "general")
    assert choice.id.startswith("general-general-")


@pytest.mark.parametrize(
    ("row", "reason", "detail"),
    [
        (b"{", "unreadable", "no JSON"),
        (b"[1]", "unreadable", "a JSON list, expected an object"),
        (b"[" * 5000, "unreadable", "no JSON"),
        (b"\xff\xfe", "unreadable", "no JSON"),
        (b'{"prompt": "' + b"x" * (1 << 20) + b'"}', "unreadable", "longer than"),
        ({"answer": "4"}, "no prompt", "'prompt' is missing"),
        ({"prompt": "p", "answer": None}, "no answer", "'answer' is missing"),
        ({"prompt": "p", "answer": ""}, "no answer", "missing or empty"),
        ({"prompt": ["p"], "answer": "4"}, "bad type", "$.prompt"),
        ({"prompt": "p", "answer": True}, "bad type", "$.answer"),
        ({"prompt": "p", "answer": "4", "frames": [0.5]}, "bad type", "$.frames"),
        ({"prompt": "p", "answer": "4", "features": {"a": "b"}}, "bad type", "$.features"),
        (
            {"prompt": "p", "answer": "4", "trace": "<answer>5</answer>"},
            "trace",
            "ends in '5': expected the answer, '4'",
        ),
        ({"prompt": "p", "answer": "4", "optoins": []}, "unknown field", "'optoins'"),
        (
            {"prompt": "p", "answer": "c", "options": ["a", "b"]},
            "answer",
            "'c' is none of the options: expected one of 'a'",
        ),
        ({"prompt": "p", "answer": "cat", "options": ["A. cat", "B. dog"]}, "answer", "expected one of 'A', 'B'"),
        ({"prompt": "p", "answer": "a whale"}, "answer", "expected a number"),
        ({"prompt": "p", "answer": "nan"}, "answer", "expected a number"),
        ({"prompt": "p", "answer": "a", "options": ["a", "a"]}, "options", "all different"),
        ({"prompt": "p", "answer": "B", "options": ["B. a", "C. b"]}, "options", "letters B, C"),
        ({"prompt": "p", "answer": "4", "options": ["4", "5"], "kind": "number"}, "options", "expected none"),
        ({"prompt": "p", "answer": "4", "kind": "essay"}, "kind", "'essay'"),
        ({"prompt": "p", "answer": "4", "chance": 2.0}, "chance", "expected 0 to 1"),
        ({"prompt": "p", "answer": "4", "scene": "../../etc"}, "scene", "without '/'"),
        ({"prompt": "p", "answer": "4", "scene": ".."}, "scene", "scene '..'"),
        ({"prompt": "p", "answer": "4", "frames": [0]}, "pictures", "1 frames and no pictures"),
        ({"prompt": "p", "answer": "4", "frames": [-1], "frames_digest": "d"}, "pictures", "from 0 on"),
        ({"prompt": "p", "answer": "4", "images": ["none.jpg"]}, "pictures", "no file 'none.jpg'"),
        ({"prompt": "p", "answer": "4", "images": ["../x.jpg"]}, "pictures", "without `..`"),
        ({"prompt": "p", "answer": "4", "images": ["/etc/passwd"]}, "pictures", "relative to the folder"),
        ({"prompt": "p", "answer": "4", "images": ["rows.jsonl"]}, "pictures", "no picture"),
        ({"prompt": "p", "answer": "4", "images": ["."]}, "pictures", "holds no picture"),
        ({**GOOD, "prompt": "again"}, "duplicate id", "stands in rows.jsonl:1 already"),
    ],
)
def test_wrong_row_is_dropped_with_its_line_and_the_reason(given, row, reason, detail):
    kept = given(GOOD, row)
    assert len(pool_rows(kept.questions)) == 1
    (dropped,) = kept.rows
    assert dropped.reason == reason and detail in dropped.detail
    assert dropped.detail.startswith("rows.jsonl:2: ")
    assert kept.summary()["dropped"] == {reason: 1}


def test_no_question_at_all_is_an_error_that_says_why(given):
    with pytest.raises(ValueError, match=r"no question among 1 rows: rows.jsonl:1: 'answer' is missing"):
        given({"prompt": "p"})


def test_fields_to_ignore_are_passed_over(given):
    kept = given({**GOOD, "source": "x"}, ignore=("source",))
    assert len(pool_rows(kept.questions)) == 1 and not kept.rows


def test_split_and_terms_are_those_of_params_where_a_row_names_none(given):
    rows = pool_rows(given(GOOD, {**GOOD, "id": "b", "terms": "MIT"}, split="dev", terms="Own: no").questions)
    assert [(row.split, row.terms) for row in rows] == [("dev", "Own: no"), ("dev", "MIT")]


def test_pictures_become_frames_once_each_and_jpeg_keeps_its_bytes(given, tmp_path):
    first = picture(tmp_path / "img/a.jpg")
    picture(tmp_path / "img/b.png")
    kept = given(
        {**GOOD, "images": ["img/a.jpg", "img/b.png"]},
        {**GOOD, "id": "c", "images": ["img/a.jpg"]},
        {**GOOD, "id": "d", "images": ["img"]},
        GOOD | {"id": "e"},
    )
    store = open_store(str(tmp_path / "store"))
    pool = store.open(store.put(kept.questions), Collection[Questions])
    rows = pool_rows(pool)
    assert [row.frames for row in rows] == [(0, 1), (0,), (0, 1), ()]
    assert len(question_images(pool, rows[0])) == 2 and question_images(pool, rows[3]) == []
    frames = pool["general"].frames(rows[0].frames_digest)
    assert len(frames) == 2 and frames.jpeg(0) == first.read_bytes()


def test_damaged_large_and_linked_pictures_are_refused(given, tmp_path, monkeypatch):
    whole = picture(tmp_path / "a.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "out.jpg").symlink_to("/etc/hostname")
    os.symlink("loop.jpg", tmp_path / "loop.jpg")
    monkeypatch.setattr(pictures, "MOST_PIXELS", 199)  # a.jpg has 20 x 10
    names = ["cut.jpg", "out.jpg", "loop.jpg", "a.jpg", "a\0.jpg"]
    kept = given(GOOD, *({**GOOD, "id": name, "images": [name]} for name in names))
    assert [row.reason for row in kept.rows] == ["pictures"] * 5
    assert "leads out of the folder" in kept.rows[1].detail and "at most 199 pixels" in kept.rows[3].detail


def test_file_alone_has_no_pictures_beside_it(tmp_path):
    picture(tmp_path / "a.jpg")
    (tmp_path / "rows.jsonl").write_text(
        json.dumps({**GOOD, "images": ["a.jpg"]}) + "\n" + json.dumps({**GOOD, "id": "b"})
    )
    kept = load(params=Load(path=External(tmp_path / "rows.jsonl")))
    assert "`path` is a file" in kept.rows[0].detail
    kept = load(params=Load(path=External(tmp_path / "rows.jsonl"), pictures="none"))
    assert [row.frames for row in pool_rows(kept.questions)] == [(), ()]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, ""),
        ({"problem_type": "free-form"}, "kind"),
        ({"solution": "B"}, "no answer"),
        ({"solution": "<answer>C</answer>"}, "answer"),
        ({"process": 7}, ""),
        ({"process": "because"}, ""),
        ({"path": "x.mp4"}, "pictures"),
        ({"mood": "?"}, "unknown field"),
        ({"problem": None}, "no prompt"),
    ],
)
def test_fields_of_sr91k_are_read(given, fields, reason):
    row = {"problem_id": 1, "problem": "Which?", "data_type": "text", "problem_type": "multiple choice"}
    row |= {"options": ["A. a", "B. b"], "solution": "<answer>B</answer>", "path": "", "data_source": "other"}
    kept = given(row, {**row, "problem_id": 2, **fields}, format="sr91k")
    rows = pool_rows(kept.questions)
    assert (rows[0].id, rows[0].answer, rows[0].task) == ("1", "B", "other")
    assert [dropped.reason for dropped in kept.rows] == ([reason] if reason else [])


@pytest.mark.parametrize("name", ["rows.parquet", "rows.txt", "hf"])
def test_file_of_another_format_is_an_error_that_names_it(tmp_path, name):
    path = tmp_path / name
    if name == "hf":
        path.mkdir()
        (path / "dataset_info.json").write_text("{}")
    else:
        path.write_text("no table")
    with pytest.raises(ValueError, match=name):
        load(params=Load(path=External(path)))


def test_folder_of_two_files_is_refused(tmp_path):
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(ValueError, match=r"expected one file .* found a.jsonl, b.jsonl"):
        load(params=Load(path=External(tmp_path)))


def test_numbers_keep_their_digits(given):
    rows = [{**GOOD, "id": str(k), "answer": answer} for k, answer in enumerate((1234567, 12.3456789, 1e-7, 3.0))]
    assert [row.answer for row in pool_rows(given(*rows).questions)] == ["1234567", "12.3456789", "0.0000001", "3.0"]


def test_a_number_of_very_many_digits_is_dropped(given):
    kept = given({**GOOD, "answer": 7}, b'{"id": "long", "prompt": "p", "answer": ' + b"9" * 5000 + b"}")
    assert [row.id for row in pool_rows(kept.questions)] == ["good"] and len(kept.rows) == 1


def test_a_picture_of_a_name_too_long_is_dropped(given):
    kept = given(GOOD, {**GOOD, "id": "long", "images": ["a" * 300]})
    (dropped,) = kept.rows
    assert (dropped.id, dropped.reason) == ("long", "pictures")


def test_terms_of_all_rows_are_told(given, tmp_path):
    picture(tmp_path / "pictures" / "a.jpg")
    images = {"images": ["pictures/a.jpg"]}
    whose = ("ScanNet: non-commercial research", "Zed: private", "MIT")
    kept = given(*({**GOOD, **images, "id": str(k), "terms": terms} for k, terms in enumerate(whose)))
    store = open_store(str(tmp_path / "store"))
    name = store.put(kept.questions["general"])
    attributes = store.reader(name).bytes("zarr.json")
    assert withheld_by(attributes, {"ScanNet"}) == "Zed: private"
    assert withheld_by(attributes, {"ScanNet", "Zed"}) == ""


def test_pictures_stay_when_some_questions_go(given, tmp_path):
    picture(tmp_path / "pictures" / "a.jpg")
    pool = given(*({**GOOD, "images": ["pictures/a.jpg"], "id": str(k)} for k in range(2))).questions
    store = open_store(str(tmp_path / "store"))
    fewer = Collection(Questions, {"general": pool["general"].with_rows(pool["general"].rows[:1])})
    opened = store.open(store.put(fewer), Collection[Questions])
    (row,) = pool_rows(opened)
    assert question_images(opened, row)[0].shape == (10, 20, 3)
