"""`qa.official`: VSI-Bench's published questions, as they stand in its file. Source: arXiv:2412.14171, Apache-2.0.

They are answers to agree with (agreement.py) and frames are not theirs to refer to: no pool to train or to test on.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta, Struct

from graph.node import External, node
from store.artifact import Artifact, Reader, Writer


class OfficialQuestion(Struct, frozen=True):
    """One published question: its room, type, words and answer: a letter for options, else a number as text."""

    id: int
    scene: str
    question_type: str
    question: str
    options: tuple[str, ...]
    ground_truth: str


class Official(Artifact):
    """The published questions of one file, in its order."""

    type: ClassVar[str] = "official/1"
    plain: ClassVar[str] = "nodes.plain:write_rows"

    def __init__(self, rows: list[OfficialQuestion]) -> None:
        self.rows = rows

    def write(self, w: Writer) -> None:
        w.table("official", self.rows, OfficialQuestion)

    @classmethod
    def open(cls, r: Reader) -> Official:
        return cls(r.table("official", OfficialQuestion))

    def summary(self) -> dict[str, Any]:
        by_type = Counter(row.question_type for row in self.rows)
        return {"questions": len(self.rows), "by_type": dict(sorted(by_type.items()))}


class LoadOfficial(Struct, frozen=True, forbid_unknown_fields=True):
    """Params of `qa.official`."""

    path: Annotated[External, Meta(description="JSON list or JSONL of VSI-Bench's questions")]


class _Row(Struct):
    """A row as published: `scene_name` in the original, `scene` in files by data set."""

    id: int
    question_type: str
    question: str
    ground_truth: str | int | float
    scene: str = ""
    scene_name: str = ""
    options: list[str] | None = None


@node("qa.official", version=1)
def load_official(*, params: LoadOfficial) -> Official:
    """Return the questions of a file.

    Raises:
        ValueError: the file cannot be read, or rows are broken: a line each, with file, row and field.
    """
    path = params.path.path
    rows, broken = [], []
    for number, value in enumerate(_read(path), start=1):
        try:
            row = msgspec.convert(value, _Row)
        except msgspec.ValidationError as error:
            broken.append(f"{path}: row {number}: {error}")
            continue
        scene = row.scene or row.scene_name
        if not scene:
            broken.append(f"{path}: row {number}: scene is missing, expected a room's id")
        options = tuple(row.options or ())
        rows.append(OfficialQuestion(row.id, scene, row.question_type, row.question, options, str(row.ground_truth)))
    if broken:
        raise ValueError("\n".join(broken))
    return Official(rows)


def _read(path: Path) -> list[Any]:
    """Return the rows of a JSON list, or of lines of JSON."""
    try:
        data = path.read_bytes()
        if data.lstrip()[:1] == b"[":
            return msgspec.json.decode(data, type=list[Any])
        return [msgspec.json.decode(line) for line in data.splitlines() if line.strip()]
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}, expected VSI-Bench's questions") from None
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"{path}: {error}; expected a JSON list of questions, or one on each line") from None
