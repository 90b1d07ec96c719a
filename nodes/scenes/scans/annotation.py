"""ScanNet's annotation: which object each vertex of a mesh belongs to, by two files of segments; the room's alignment.

Labels are the raw ones, in lower case, white space as one blank: VSI-Bench's 33 categories of these rooms are all so
written, and its data prove no other change. Walls, floor and ceiling are no objects. What names no thing ("object",
"remove") is none either: nothing can be asked of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from nodes.scenes.scans.json_file import read_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STRUCTURE = ("wall", "floor", "ceiling")
NAMELESS = ("object", "objects", "remove", "unknown")
CROOKED = 1e-3


Index = Annotated[int, Meta(ge=0, lt=1 << 62)]


class SegGroup(Struct, frozen=True):
    """One object of an aggregation file."""

    label: str
    segments: list[Index]


class Aggregation(Struct, frozen=True):
    """An `.aggregation.json`."""

    segGroups: list[SegGroup]


class Segments(Struct, frozen=True):
    """A `.segs.json`: the segment of every vertex."""

    segIndices: list[Index]


@dataclass(frozen=True)
class SceneParts:
    """labels N; owner (P,) int32, an object's index or -1; structure: by "wall", "floor", ..., its vertices."""

    labels: list[str]
    owner: NDArray[np.int32]
    structure: dict[str, NDArray[np.int64]]


def owners_of(segments: Path, objects: Path, n_vertices: int) -> SceneParts:
    """Return the objects and whose each vertex is; where two claim a segment, the later one has it.

    Raises:
        ValueError: a file is broken; segments are of another mesh, or none is in both files.
    """
    import numpy as np

    of_vertex = np.array(read_json(segments, Segments).segIndices, np.int64)
    if len(of_vertex) != n_vertices:
        raise ValueError(f"{segments}: {len(of_vertex)} segment indices, expected {n_vertices}, one a vertex")
    groups = read_json(objects, Aggregation).segGroups
    known, rank = np.unique(of_vertex, return_inverse=True)
    labels: list[str] = []
    owner_of, part_of = np.full(len(known), -1, np.int32), np.full(len(known), -1, np.int32)
    met = 0
    for group in groups:
        label = " ".join(group.label.lower().split())
        wanted = np.array(group.segments, np.int64)
        places = np.flatnonzero(np.isin(known, wanted))
        met += len(places)
        if label in STRUCTURE:
            part_of[places], owner_of[places] = STRUCTURE.index(label), -1
        elif label and label not in NAMELESS:
            part_of[places], owner_of[places] = -1, len(labels)
            labels.append(label)
    if groups and not met:
        raise ValueError(f"{objects}: none of its segments is in {segments.name}: of another mesh?")
    parts = part_of[rank]
    structure = {name: np.flatnonzero(parts == k) for k, name in enumerate(STRUCTURE) if (parts == k).any()}
    return SceneParts(labels, owner_of[rank], structure)


def read_alignment(path: Path | None) -> tuple[Floats, str]:
    """Return the room's alignment (4, 4) and why there is none: then it is the identity.

    Raises:
        ValueError: the file is broken, with line; the matrix is no rotation and shift.
    """
    import numpy as np

    if path is None:
        return np.eye(4), "no .txt file"
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError as e:
        raise ValueError(f"{path}: {e.strerror or e}, expected a scan's .txt") from None
    for number, line in enumerate(lines, start=1):
        key, _, value = line.partition("=")
        if key.strip() == "axisAlignment":
            return _alignment(f"{path}: line {number}: axisAlignment", value.split()), ""
    return np.eye(4), f"no axisAlignment in {path.name}"


def _alignment(where: str, words: Sequence[str]) -> Floats:
    import numpy as np

    try:
        matrix = np.array([float(word) for word in words]).reshape(4, 4)
    except ValueError:
        raise ValueError(f"{where} of {len(words)} words, expected 16 numbers") from None
    turn = matrix[:3, :3]
    off = np.abs(turn @ turn.T - np.eye(3)).max() if np.isfinite(matrix).all() else np.nan
    if not off <= CROOKED or np.linalg.det(turn) < 0 or matrix[3].tolist() != [0, 0, 0, 1]:
        raise ValueError(f"{where} = {matrix.tolist()}: expected a rotation and a shift")
    return matrix
