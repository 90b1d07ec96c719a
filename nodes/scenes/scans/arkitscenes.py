"""ARKitScenes (Apple, 2021) as published: `[raw|3dod/]<Training|Validation>/<video>/`, one capture a folder.

    <video>_3dod_annotation.json    oriented boxes: `segments.obbAligned`, upright, in the mesh's coordinates
    <video>_3dod_mesh.ply           the surface as ARKit made it
    lowres_wide.traj, ..._intrinsics/, lowres_wide/ or vga_wide/, lowres_depth/, confidence/: see arkit_film.py

The frames' files lie in the folder itself (raw) or in `<video>_frames/` (3dod). Metres, z up. `metadata.csv`, or one of
the `*_train_val_splits.csv`, says which captures are of one visit: those are one place, and without it each capture is
a place of its own. VSI-Bench is made of captures of the fold Validation, which a listing tells as `official`.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from nodes.scenes.geometry import points_in_box
from nodes.scenes.list import split_of
from nodes.scenes.scans.arkit_film import PICTURES, ArkitFilm
from nodes.scenes.scans.content import check_content, content_of, room_folder
from nodes.scenes.scans.json_file import read_json
from nodes.scenes.scans.obb import Obb, boxes_of, check_within
from nodes.scenes.scans.outline import room_outline
from nodes.scenes.scans.ply import read_ply
from nodes.scenes.scans.recorded import scene_of_recording
from nodes.scenes.scans.recording import Recording, Surface
from nodes.scenes.scene import Room, Scene

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes.scenes.extract import Extract
    from nodes.scenes.list import ListRooms

    Floats = NDArray[np.float64]

TERMS = "ARKitScenes: non-commercial research"
FOLDS = ("Training", "Validation")
TABLES = ("metadata.csv", "3dod_train_val_splits.csv", "raw_train_val_splits.csv")
SLACK_M = 0.03  # scans are off by so much, and boxes are drawn tight around them
STANDS_M = 0.03  # what is so near to a box's bottom is the floor that it stands on
LOW_M = 0.1  # no box lower than this stands: a rug, say


class Segments(Struct, frozen=True):
    """`obb` beside it is in the annotators' own coordinates and means nothing here."""

    obbAligned: Obb


class Labelled(Struct, frozen=True):
    """One annotated object."""

    label: str
    segments: Segments


class Annotation(Struct, frozen=True):
    """A *_3dod_annotation.json; `skipped`: nobody annotated it."""

    data: list[Labelled] = []
    skipped: bool | None = False


class ArkitScenes:
    """The source of ARKitScenes captures under a folder."""

    @staticmethod
    def rooms(params: ListRooms) -> Iterator[Room]:
        """Yield the captures by number; one that lacks files is listed all the same and fails at its extraction."""
        assert params.path is not None  # ListRooms holds this
        root = params.path.path
        captures = find_captures(root)
        if not captures:
            raise ValueError(f"{root}: no capture, expected folders <Training|Validation>/<video>")
        table = read_tables(root)
        for video, folder in sorted(captures.items()):
            row = table.get(video, {})
            place = visit_of(row) or video
            data: dict[str, Any] = {
                "folder": folder.relative_to(root).as_posix(),
                "official": row.get("fold") or next((fold for fold in FOLDS if fold in folder.parts), ""),
                "sky": row.get("sky_direction") or "",
                **content_of(params.path, folder, files_of(folder)),
            }
            yield Room(video, "arkitscenes", place, split_of(place), TERMS, data)

    @staticmethod
    def extract(room: Room, folder: Path | None, params: Extract) -> Scene:
        """Return the capture as a scene; its boxes are the annotators' own under every rule of boxes."""
        own = room_folder(room, folder)
        check_content(room, own, files_of(own))
        return scene_of_recording(room, read_capture(room.id, own, room.data["sky"]), params)


def find_captures(root: Path) -> dict[str, Path]:
    """Return video -> folder, of a folder of captures, of folds, or of the data sets that hold folds."""
    found: dict[str, Path] = {}
    levels = [root, *(root / kind for kind in ("raw", "3dod"))]
    for level in [*levels, *(level / fold for level in levels for fold in FOLDS)]:
        if level.is_dir():
            for entry in os.scandir(level):
                if entry.is_dir() and entry.name.isdigit():
                    found.setdefault(entry.name, Path(entry.path))
    return found


def read_tables(root: Path) -> dict[str, dict[str, str]]:
    """Return video -> its row of the tables in the source's folder; none is needed."""
    rows: dict[str, dict[str, str]] = {}
    for folder in (root, root / "raw", root / "3dod"):
        for name in TABLES:
            path = folder / name
            if path.is_file():
                for row in _read_table(path):
                    rows[row["video_id"]] = {**rows.get(row["video_id"], {}), **row}
    return rows


def _read_table(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        reader = csv.DictReader(file)
        try:
            for row in reader:
                if not row.get("video_id"):
                    expected = "expected columns video_id and visit_id"
                    raise ValueError(f"{path}: line {reader.line_num}: no video_id, {expected}")
                yield row
        except csv.Error as e:
            raise ValueError(f"{path}: line {reader.line_num}: {e}") from None


def visit_of(row: dict[str, str]) -> str:
    """Return the visit that a capture belongs to; nothing where the table does not know it."""
    visit = (row.get("visit_id") or "").removesuffix(".0")
    return f"visit{visit}" if visit.isdigit() else ""


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the files that extraction may read."""
    video, frames = folder.name, frames_of(folder)
    single = [folder / f"{video}_3dod_annotation.json", folder / f"{video}_3dod_mesh.ply", frames / "lowres_wide.traj"]
    yield from (path for path in single if path.is_file())
    pictures = next((name for name in PICTURES if (frames / name).is_dir()), PICTURES[-1])
    for name in (pictures, f"{pictures}_intrinsics", "lowres_depth", "confidence"):
        if (frames / name).is_dir():
            yield from (Path(entry.path) for entry in os.scandir(frames / name) if entry.is_file())


def frames_of(folder: Path) -> Path:
    """Return where a capture's frames lie."""
    inner = folder / f"{folder.name}_frames"
    return inner if inner.is_dir() else folder


def read_capture(video: str, folder: Path, sky: str = "") -> Recording:
    """Return what is known of a capture. Raises ValueError: a file is broken, or there is no annotation."""
    path = folder / f"{video}_3dod_annotation.json"
    annotation = read_json(path, Annotation)
    labels = [item.label.replace("_", " ") for item in annotation.data]
    boxes = boxes_of([item.segments.obbAligned for item in annotation.data])
    # names alone: what a scene says of itself must not depend on where its files lie
    lost = {} if labels else {"labels": f"{path.name}: {'skipped' if annotation.skipped else 'no object'}"}
    surface, polygon = None, None
    mesh = folder / f"{video}_3dod_mesh.ply"
    if mesh.exists():
        vertices, _ = read_ply(mesh, faces=False)
        check_within(path, labels, boxes, vertices)
        surface = Surface(vertices, owners(vertices, *boxes))
        try:
            polygon = room_outline(vertices)
        except ValueError as e:
            lost["outline"] = f"{mesh.name}: {e}"
    else:
        lost["surface"] = f"{mesh.name}: not there"
    film = ArkitFilm(frames_of(folder), sky)
    lost.update(film.lost)
    return Recording(labels, *boxes, film, surface, polygon, lost=lost)


def owners(vertices: Floats, centre: Floats, size: Floats, rotation: Floats) -> NDArray[np.int32]:
    """Return for each vertex (P, 3) the smallest box that holds it or is within SLACK_M, -1 for none: (P,).

    The annotation names boxes, not vertices. The floor within a box that stands on it is nobody's.
    """
    import numpy as np

    owner = np.full(len(vertices), -1, np.int32)
    order = np.argsort(vertices[:, 0], kind="stable")
    along = vertices[order, 0]
    for i in np.argsort(-size.prod(1), kind="stable"):
        wide = size[i] + 2 * SLACK_M
        half = np.abs(rotation[i].T) @ (wide / 2)
        # only what lies between the box's ends along x is looked at: a scan has a million vertices
        low, high = np.searchsorted(along, [centre[i, 0] - half[0], centre[i, 0] + half[0]])
        near = order[low:high]
        inside = near[points_in_box(vertices[near], centre[i], wide, rotation[i])]
        bottom = centre[i, 2] - half[2] + SLACK_M
        if 2 * (centre[i, 2] - bottom) > LOW_M:
            inside = inside[vertices[inside, 2] > bottom + STANDS_M]
        owner[inside] = i
    return owner
