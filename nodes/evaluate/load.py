"""`bench.load`: the questions of a benchmark, from its files as they are published.

What is no question is dropped with its place in the file and the reason, and counted: scores say how many of the
published questions they lack. `loaded.questions` is the pool.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from graph.node import External, Named, node
from nodes.evaluate.benchmark import Benchmark
from nodes.evaluate.published import lay_out
from nodes.hub import Commit, check_source
from nodes.questions.files.given import Given, Wrong, read_given
from nodes.questions.files.load import Reading
from nodes.questions.files.raw_rows import find_data, read_rows
from nodes.questions.kept import Kept


class LoadBenchmark(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `bench.load`."""

    benchmark: Annotated[Named[Benchmark], Meta(description="by name")]
    path: (
        Annotated[External, Meta(description="its folder, pictures and videos beside the file; or the file alone")]
        | None
    ) = None
    hub: Annotated[str, Meta(description="data set id on the Hugging Face hub, owner/name, in place of a path")] = ""
    revision: Commit = ""
    file: Annotated[str, Meta(description="in the folder; empty: the benchmark's own name for it")] = ""
    pictures: Annotated[Literal["own", "none"], Meta(description="none: the text alone, to ask blind")] = "own"
    frames: Annotated[
        int, Meta(ge=0, description="of a video, evenly spaced; 0: as the benchmark says", extra={"unit": "frames"})
    ] = 0

    def __post_init__(self) -> None:
        check_source(self.path, "path", self.hub, self.revision)


@node("bench.load", version=1, packages=("pillow", "pyarrow", "av"))
def load_benchmark(*, params: LoadBenchmark, scratch: Path) -> Kept:
    """Return a benchmark's questions, and what was dropped.

    Raises:
        ValueError: the hub does not give it, there is no such file, it is not of its format, or no row of it is a
            question.
    """
    benchmark = params.benchmark.load()
    names = (params.file,) if params.file else benchmark.files
    place, is_whole = scratch / "files", True
    if params.path is not None:
        place = params.path.path
    else:
        is_whole = lay_out(params.hub, params.revision, names, params.pictures == "own", place)
    path, format = find_data(_file(place, names), None)
    root = place if place.is_dir() else None
    frames = params.frames or benchmark.frames
    reading = Reading(lambda row: _given(benchmark, row), params.pictures, root, frames)
    kept = reading.read(path, read_rows(path, format))
    gone = [row for row in kept.rows if row.reason == "pictures"]
    if gone and not is_whole:
        n = len(kept.rows) + sum(len(own.rows) for own in kept.questions.values())
        raise ValueError(
            f"hub dataset {params.hub!r}: {len(gone)} of {n} questions lack pictures, the first: {gone[0].detail};"
            " the hub cannot be reached, and its cache here holds a part"
        )
    return kept


def _file(path: Path, names: Sequence[str]) -> Path:
    if not path.is_dir():
        return path
    for name in names:
        if (path / name).is_file():
            return path / name
    raise ValueError(f"{path}: holds none of {', '.join(names)}: name its `file`")


def _given(benchmark: Benchmark, row: Mapping[str, Any]) -> Given:
    try:
        fields = benchmark.fields(row)
    except KeyError as error:
        raise Wrong("no field", f"{error.args[0]!r} is missing; the row has {', '.join(map(str, row))[:200]}") from None
    return read_given({"split": "test", **fields}, ())
