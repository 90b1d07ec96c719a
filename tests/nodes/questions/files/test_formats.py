"""Pools in other tools' formats: what is written, and that it reads back equal."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from graph.node import External
from nodes.questions.files.formats import sr91k_fields, write_dataset, write_jsonl, write_parquet, write_sr91k
from nodes.questions.files.lmms_eval import write_lmms_eval
from nodes.questions.files.load import Load, load
from nodes.questions.question import Question, Questions, pool_rows, question_images
from nodes.scenes.frames import Frames
from store.collection import Collection
from store.open import open_store

WRITERS = {"jsonl": write_jsonl, "parquet": write_parquet, "hf": write_dataset, "sr91k": write_sr91k}


def read(folder: Path, **params):
    return load(params=Load(path=External(folder), **params))


@pytest.fixture(params=["jsonl", "parquet", "hf"])
def written(request, small_pools, tmp_path):
    WRITERS[request.param](small_pools.test, tmp_path / "out")
    return tmp_path / "out"


def test_written_pool_reads_back_equal_and_is_left_as_it_is(written, small_pools):
    before = sorted(written.rglob("*"))
    kept = read(written)
    assert pool_rows(kept.questions) == pool_rows(small_pools.test) and not kept.rows
    assert sorted(written.rglob("*")) == before


def test_all_three_read_back_as_the_same_bytes(small_pools, tmp_path):
    store = open_store(str(tmp_path / "store"))
    for name in ("jsonl", "parquet", "hf"):
        WRITERS[name](small_pools.test, tmp_path / name)
    assert len({store.put(read(tmp_path / name)) for name in ("jsonl", "parquet", "hf")}) == 1


def test_own_pictures_are_those_that_were_written(written, small_pools, tmp_path):
    store = open_store(str(tmp_path / "other"))  # which has no frames of these scenes
    kept = read(written, pictures="own")
    pool = store.open(store.put(kept.questions), Collection[Questions])
    for before, after in zip(pool_rows(small_pools.test), pool_rows(pool), strict=True):
        (was,), (is_now,) = question_images(small_pools.test, before), question_images(pool, after)
        assert np.abs(was.astype(int) - is_now).mean() < 6  # drawn ones, of much noise, become JPEG


def test_recorded_frames_keep_their_bytes_on_both_ways(some_question, tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (16, 8), "red").save(buffer, "JPEG")
    coded = np.frombuffer(buffer.getvalue(), np.uint8)
    frames = Frames({"jpeg": coded, "jpeg_end": np.array([len(coded)]), "time_s": np.zeros(1)})
    pool = {"s": Questions([replace(some_question, frames=(0,))], frames)}
    write_jsonl(pool, tmp_path)
    (picture,) = (tmp_path / "frames").rglob("*.jpg")
    assert picture.read_bytes() == coded.tobytes()
    kept = read(tmp_path, pictures="own")
    assert kept.questions[some_question.scene].frames("").jpeg(0) == coded.tobytes()


def test_terms_go_with_every_row(small_pools, tmp_path):
    rows = [replace(row, terms="ScanNet: non-commercial research") for row in pool_rows(small_pools.test)]
    write_sr91k({"": Questions(rows)}, tmp_path)
    told = [json.loads(line)["terms"] for line in (tmp_path / "sr91k.jsonl").read_text().splitlines()]
    assert set(told) == {"ScanNet: non-commercial research"}


def test_fields_of_sr91k(some_question):
    question = replace(some_question, prompt="Is there a bed?", options=("yes", "no"), answer="no", frames=(4,))
    assert sr91k_fields(question, "frames/a/0004.png") == {
        "problem_id": question.id,
        "problem": "Is there a bed?",
        "data_type": "image",
        "problem_type": "multiple choice",
        "options": ["A. yes", "B. no"],
        "solution": "<answer>B</answer>",
        "path": "frames/a/0004.png",
        "data_source": "dataflow",
        "task": question.task,
        "scene": question.scene,
        "terms": "generated",
    }
    number = replace(question, options=(), kind="number", answer="2.1", frames=(1, 4))
    told = sr91k_fields(number, "frames/a")
    assert (told["data_type"], told["problem_type"], told["solution"]) == ("video", "numerical", "<answer>2.1</answer>")


def test_sr91k_of_several_frames_names_a_folder_in_the_order_shown(some_question, tmp_path):
    pictures = np.stack([np.full((8, 8, 3), 60 * n, np.uint8) for n in range(4)])
    frames = Frames({"rgb": pictures, "time_s": np.arange(4.0)})
    question = replace(some_question, frames=(3, 1), frames_digest="d" * 64)
    write_sr91k({"s": Questions([question], frames)}, tmp_path)
    kept = read(tmp_path, format="sr91k")
    (row,) = pool_rows(kept.questions)
    shown = kept.questions[row.scene].frames("")
    assert [round(float(shown.rgb(index).mean())) for index in row.frames] == [180, 60]


TRACE = '<think><map>{"bed": [[1, 2]]}</map> There is no bed. The answer is no.</think>\n<answer>no</answer>'


def test_a_trace_travels(some_question, tmp_path):
    question = replace(some_question, options=("yes", "no"), answer="no", trace=TRACE, kind="choice")
    for name in ("jsonl", "parquet", "hf"):
        WRITERS[name]({"": Questions([question])}, tmp_path / name)
        assert pool_rows(read(tmp_path / name).questions) == [question]
    before = tmp_path / "before"
    before.mkdir()
    fields = json.loads((tmp_path / "jsonl/questions.jsonl").read_text())
    del fields["trace"]  # a file that was written when there were none
    (before / "questions.jsonl").write_text(json.dumps(fields))
    assert pool_rows(read(before).questions) == [replace(question, trace="")]


def test_a_trace_is_sr91ks_process_and_solution(some_question, tmp_path):
    question = replace(some_question, options=("yes", "no"), answer="no", trace=TRACE, kind="choice", frames=())
    told = sr91k_fields(question, "")
    assert told["process"] == TRACE.partition("\n")[0] and told["solution"] == "<answer>B</answer>"
    write_sr91k({"": Questions([question])}, tmp_path)
    (row,) = pool_rows(read(tmp_path, format="sr91k").questions)
    assert row.trace == TRACE.replace("<answer>no", "<answer>B") and row.answer == "B"


def test_pool_whose_pictures_are_gone_is_written_without(some_question, tmp_path):
    for name, write in WRITERS.items():
        write({"": Questions([some_question])}, tmp_path / name)
    assert json.loads((tmp_path / "jsonl/questions.jsonl").read_text())["images"] == []
    assert json.loads((tmp_path / "sr91k/sr91k.jsonl").read_text())["path"] == ""
    assert pool_rows(read(tmp_path / "hf").questions) == [some_question]


def test_every_form_is_named_by_the_type():
    assert {name: target.partition(":")[2] for name, target in Questions.forms.items()} == {
        name: write.__name__ for name, write in {**WRITERS, "lmms_eval": write_lmms_eval}.items()
    }
    assert isinstance(Question, type)
