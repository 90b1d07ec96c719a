"""ScanNet: rooms recorded with a structured-light sensor, as scenes.

A folder a scan, `scans/scene0000_00/` (or without `scans/`): `<id>.sens` frames, `<id>_vh_clean_2.ply` mesh,
`<id>_vh_clean_2.0.010000.segs.json` a segment a vertex, `<id>.aggregation.json` (else `<id>_vh_clean.aggregation.json`)
segments an object, `<id>.txt` axisAlignment. Metres, z up; the alignment turns vertices and poses alike, so that walls
run along x and y. What a scan lacks is lost, by name; what is broken fails that scan alone, with path and byte or line.

Identity: the digest of a scan's files, or the release that `path` goes by (ScanNet has 1.2 TB). The split is ours, by
place. VSI-Bench is made of ScanNet's official validation rooms, so whoever trains on ScanNet and reports VSI-Bench must
leave those out; `official` in a listing says which they are where `scannetv2_val.txt` and its like lie in the folder.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodes.scenes.list import split_of
from nodes.scenes.scans.annotation import SceneParts, owners_of, read_alignment
from nodes.scenes.scans.content import check_content, content_of, room_folder
from nodes.scenes.scans.fit import fit_boxes
from nodes.scenes.scans.outline import room_outline
from nodes.scenes.scans.ply import read_ply
from nodes.scenes.scans.recorded import scene_of_recording
from nodes.scenes.scans.recording import Recording, Surface
from nodes.scenes.scans.sens import SensFilm
from nodes.scenes.scene import Room, Scene

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes.scenes.extract import Extract
    from nodes.scenes.list import ListRooms

    Floats = NDArray[np.float64]

TERMS = "ScanNet: non-commercial research"
SCAN = re.compile(r"scene\d{4}_\d{2}")
FILES = {
    "frames": ("{id}.sens",),
    "mesh": ("{id}_vh_clean_2.ply",),
    "segments": ("{id}_vh_clean_2.0.010000.segs.json",),
    "objects": ("{id}.aggregation.json", "{id}_vh_clean.aggregation.json"),
    "alignment": ("{id}.txt",),
}
OUTLINE = ("floor", "wall")


class ScanNet:
    """The source of ScanNet's scans."""

    @staticmethod
    def rooms(params: ListRooms) -> Iterator[Room]:
        """Yield the folder's scans by id. Raises ValueError: no such folder, or no scan in it."""
        assert params.path is not None  # ListRooms holds this
        root = params.path.path
        folder = scans_folder(root)
        ids = sorted(path.name for path in folder.iterdir() if SCAN.fullmatch(path.name))
        if not ids:
            raise ValueError(f"{folder}: no scan in it, expected folders like scene0000_00")
        official = _official(root)
        for name in ids:
            data: dict[str, Any] = {"official": official[name]} if name in official else {}
            data["folder"] = (folder / name).relative_to(root).as_posix()
            data |= content_of(params.path, folder / name, files_of(folder / name).values())
            place = name.split("_")[0]
            yield Room(name, "scannet", place, split_of(place), TERMS, data)

    @staticmethod
    def extract(room: Room, folder: Path | None, params: Extract) -> Scene:
        """Return the scan: what its files hold, one frame at a time. Raises ValueError with path and byte or line."""
        scan = room_folder(room, folder)
        files = files_of(scan)
        check_content(room, scan, files.values())
        if not files:
            raise ValueError(f"{scan}: no file of a scan, expected {room.id}.sens, {room.id}_vh_clean_2.ply and others")
        return scene_of_recording(room, read_scan({role: files.get(role) for role in FILES}, params), params)


def scans_folder(root: Path) -> Path:
    """Return the folder that holds the scans. Raises ValueError: no folder."""
    folder = root / "scans" if (root / "scans").is_dir() else root
    if not folder.is_dir():
        raise ValueError(f"{root}: no folder, expected one with ScanNet's scans")
    return folder


def read_scan(files: dict[str, Path | None], params: Extract) -> Recording:
    """Return what a scan's files hold; `files` by role, None for those that are not there."""
    import numpy as np

    lost: dict[str, str] = {}
    alignment, why = read_alignment(files["alignment"])
    if why:
        lost["alignment"] = why
    film = None
    if files["frames"] is None:
        lost["poses"] = lost["depth"] = "no .sens file"
    elif params.frames:
        film = SensFilm(files["frames"], alignment)
    if files["mesh"] is None:
        lost["labels"] = "no mesh"
        return Recording([], np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3, 3)), film=film, lost=lost)
    vertices = read_ply(files["mesh"], faces=False)[0] @ alignment[:3, :3].T + alignment[:3, 3]
    parts = SceneParts([], np.full(len(vertices), -1, np.int32), {})
    if files["segments"] is None or files["objects"] is None:
        lost["labels"] = "no segments" if files["segments"] is None else "no aggregation"
    else:
        parts = owners_of(files["segments"], files["objects"], len(vertices))
    polygon = _outline(vertices, parts, lost)
    surface = Surface(vertices, parts.owner)
    boxes = fit_boxes(vertices, parts.owner, len(parts.labels), params.boxes)
    counts = Counter(parts.labels)
    return Recording(parts.labels, *boxes, film=film, surface=surface, polygon=polygon, counts=counts, lost=lost)


def _outline(vertices: Floats, parts: SceneParts, lost: dict[str, str]) -> Floats | None:
    import numpy as np

    named = [parts.structure[name] for name in OUTLINE if name in parts.structure]
    if "floor" not in parts.structure:
        lost["outline"] = "no floor among the labels"
        return None
    try:
        return room_outline(vertices[np.concatenate(named)])
    except ValueError as e:
        lost["outline"] = str(e)
        return None


def files_of(scan: Path) -> dict[str, Path]:
    """Return the files of a scan's folder that are there, by role."""
    named = {role: [scan / name.format(id=scan.name) for name in names] for role, names in FILES.items()}
    found = {role: next((path for path in paths if path.is_file()), None) for role, paths in named.items()}
    return {role: path for role, path in found.items() if path}


def _official(root: Path) -> dict[str, str]:
    """Return scan -> train, val or test by the official lists (`scannetv2_val.txt`) that lie in the folder."""
    found = {}
    for path in sorted(root.glob("scannetv2_*.txt")):
        for scan in path.read_text(errors="replace").split():
            found[scan] = path.stem.removeprefix("scannetv2_")
    return found
