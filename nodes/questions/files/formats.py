"""Formats that pools are written in for other tools, by name: `dataflow export qa DIR --format parquet`.

    jsonl      questions.jsonl, a question a line; `images` are paths of its pictures below the same folder
    parquet    questions.parquet, the same columns; features as a list of (name, value)
    hf         a folder for `datasets.load_from_disk`: the same columns, `images` as pictures
    lmms_eval  a folder for lmms-eval's --include_path (nodes/questions/files/lmms_eval.py)
    sr91k      sr91k.jsonl with the fields of SR-91k and SpaceR-151k (arXiv:2504.01805)

Pictures go out under a format's name alone: the plain form without one is the rows. `terms` of each row go with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

import msgspec

from nodes.questions.files.given import SR91K_TYPES
from nodes.questions.files.pictures import PictureFiles
from nodes.questions.question import Question, Questions, is_lettered

if TYPE_CHECKING:
    import datasets
    import pyarrow

ROWS = 1024  # of a batch


def write_jsonl(pools: Mapping[str, Questions], folder: Path) -> None:
    """Write `questions.jsonl` and the pictures that it names."""
    pictures = PictureFiles(pools, _made(folder))
    with open(folder / "questions.jsonl", "xb") as file:
        for place, question in _rows(pools):
            images = pictures.paths(place, question)
            file.write(msgspec.json.encode({**msgspec.structs.asdict(question), "images": images}) + b"\n")


def write_parquet(pools: Mapping[str, Questions], folder: Path) -> None:
    """Write `questions.parquet` and the pictures that it names."""
    import pyarrow
    import pyarrow.parquet

    pictures = PictureFiles(pools, _made(folder))
    schema = _schema()
    with pyarrow.parquet.ParquetWriter(folder / "questions.parquet", schema, compression="zstd") as writer:
        batch: list[dict[str, Any]] = []
        for place, question in _rows(pools):
            batch.append({**columns(question), "images": pictures.paths(place, question)})
            if len(batch) == ROWS:
                writer.write_table(pyarrow.Table.from_pylist(batch, schema))
                batch = []
        writer.write_table(pyarrow.Table.from_pylist(batch, schema))


def write_dataset(pools: Mapping[str, Questions], folder: Path) -> None:
    """Write a folder for `datasets.load_from_disk`; every question brings its pictures."""
    import datasets

    pictures = PictureFiles(pools, folder)

    def rows() -> Iterator[dict[str, Any]]:
        for place, question in _rows(pools):
            yield {**columns(question), "images": pictures.data(place, question)}

    save_dataset(rows, _made(folder), datasets.Features.from_arrow_schema(_schema()))


def save_dataset(
    rows: Callable[[], Iterator[dict[str, Any]]],
    folder: Path,
    features: datasets.Features,
    split: str = "",
) -> None:
    """Save rows for `datasets.load_from_disk`, their `images` given as files' bytes.

    Args:
        features: of all other columns.
        split: under which they stand in the folder; "" for a folder of these rows alone.
    """
    import tempfile

    import datasets

    def made() -> Iterator[dict[str, Any]]:
        for row in rows():
            yield {**row, "images": [{"bytes": data, "path": None} for data in row["images"]]}

    features = datasets.Features({**features, "images": datasets.List(datasets.Image())})
    shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        with tempfile.TemporaryDirectory() as cache:
            # The fingerprint names what is made; by default it is a pickle of the generator.
            whole = datasets.Dataset.from_generator(made, features=features, cache_dir=cache, fingerprint="questions")
            (datasets.DatasetDict({split: whole}) if split else whole).save_to_disk(folder)
    except datasets.exceptions.DatasetGenerationError as error:
        raise error.__cause__ or error from None  # what a row failed of
    finally:
        if shown:
            datasets.enable_progress_bars()


def write_sr91k(pools: Mapping[str, Questions], folder: Path) -> None:
    """Write `sr91k.jsonl` and the pictures that it names.

    Departs: several frames are a folder of pictures where SR-91k has a video file; options that are words get letters,
    as SpaceR shows options; `task`, `scene` and `terms` are ours, beside its fields. A trace's thought is the `process`
    of Video-R1's rows, map included; SR-91k's maps are another file's.
    """
    pictures = PictureFiles(pools, _made(folder))
    with open(folder / "sr91k.jsonl", "xb") as file:
        for place, question in _rows(pools):
            file.write(msgspec.json.encode(sr91k_fields(question, _path(pictures, place, question))) + b"\n")


def sr91k_fields(question: Question, path: str) -> dict[str, Any]:
    """Return a question in SR-91k's fields; `path` leads to its picture or the folder of its pictures."""
    options, answer = list(question.options), question.answer
    if options and not is_lettered(options) and answer in options and len(options) <= len(ascii_uppercase):
        answer = ascii_uppercase[options.index(answer)]
        options = [f"{letter}. {text}" for letter, text in zip(ascii_uppercase, options, strict=False)]
    thought = question.trace.rpartition("<answer>")[0].strip()
    return {
        "problem_id": question.id,
        "problem": question.prompt,
        "data_type": {0: "text", 1: "image"}.get(len(question.frames), "video"),
        "problem_type": SR91K_TYPES[question.kind],
        "options": options,
        "solution": f"<answer>{answer}</answer>",
        "path": path,
        "data_source": "dataflow",
        "task": question.task,
        "scene": question.scene,
        "terms": question.terms,
        **({"process": thought} if thought else {}),
    }


def columns(question: Question) -> dict[str, Any]:
    """Return a question as columns that tables have: features as a list of pairs, by name."""
    features = [{"name": name, "value": value} for name, value in sorted(question.features.items())]
    return {**msgspec.structs.asdict(question), "features": features}


def _path(pictures: PictureFiles, place: str, question: Question) -> str:
    if len(question.frames) == 1:
        return next(iter(pictures.paths(place, question)), "")
    return pictures.folder_of(place, question) if question.frames else ""


def _schema() -> pyarrow.Schema:
    import pyarrow

    text, number = pyarrow.string(), pyarrow.float64()
    known = {
        str: text,
        float: number,
        tuple[str, ...]: pyarrow.list_(text),
        tuple[int, ...]: pyarrow.list_(pyarrow.int64()),
    }
    pairs = pyarrow.list_(pyarrow.struct([("name", text), ("value", number)]))
    types = {field.name: known.get(field.type, text) for field in msgspec.structs.fields(Question)}
    return pyarrow.schema([*{**types, "features": pairs, "images": pyarrow.list_(text)}.items()])


def _rows(pools: Mapping[str, Questions]) -> Iterator[tuple[str, Question]]:
    for place, questions in pools.items():
        for question in questions.rows:
            yield place, question


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
