"""ScanNet++ as published: `data/<id>/`, one room a folder.

    scans/mesh_aligned_0.05.ply       surface
    scans/segments.json               segIndices: the segment of every vertex
    scans/segments_anno.json          segGroups: label, segments and `obb` of every object
    iphone/rgb.mkv (or .mp4), pose_intrinsic_imu.json, depth.bin
    dslr/nerfstudio/transforms_undistorted.json, dslr/resized_undistorted_images/ (or undistorted_images/)
    splits/*.txt                      beside `data`: official lists of ids

Metres, z up. The phone's video is taken where it is there, else the DSLR's pictures, undistorted by the data set's own
tool: a fisheye is no camera of ours. Boxes: `gravity` around an object's vertices, `vsi` the annotation's own, whose
normalizedAxes are rows. A segment may belong to several objects: boxes are around all of an object's vertices, a pixel
shows the smallest object.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from nodes.scenes.list import split_of
from nodes.scenes.scans.annotation import NAMELESS, STRUCTURE, Index, Segments
from nodes.scenes.scans.content import check_content, content_of, room_folder
from nodes.scenes.scans.fit import fit_boxes
from nodes.scenes.scans.json_file import read_json
from nodes.scenes.scans.obb import Obb, boxes_of, check_within
from nodes.scenes.scans.outline import room_outline
from nodes.scenes.scans.ply import read_ply
from nodes.scenes.scans.recorded import scene_of_recording
from nodes.scenes.scans.recording import Film, Recording, Surface
from nodes.scenes.scans.scannetpp_film import UNDISTORTED, DslrFilm, MeshDepth, PhoneFilm
from nodes.scenes.scene import Room, Scene

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nodes.scenes.extract import Extract
    from nodes.scenes.list import ListRooms
    from nodes.scenes.scans.fit import BoxRule

    Floats = NDArray[np.float64]

TERMS = "ScanNet++: non-commercial research"
SCANS = ("mesh_aligned_0.05.ply", "segments.json", "segments_anno.json")
VIDEOS = ("rgb.mkv", "rgb.mp4")
PARTS = ("scans", "iphone", "dslr")
OUTLINE = ("floor", "wall")
NO_THING = (*NAMELESS, "split")


class Group(Struct, frozen=True):
    """An annotated object."""

    label: str
    segments: list[Index]
    obb: Obb | None = None


class Annotation(Struct, frozen=True):
    """segments_anno.json."""

    segGroups: list[Group]


class ScanNetPP:
    """The source of ScanNet++ rooms under a folder."""

    @staticmethod
    def rooms(params: ListRooms) -> Iterator[Room]:
        """Yield the rooms by id; one that lacks files is listed all the same and fails at its extraction."""
        assert params.path is not None  # ListRooms holds this
        root = params.path.path
        folders = find_rooms(root)
        if not folders:
            raise ValueError(f"{root}: no room, expected folders data/<id> with scans, iphone or dslr")
        official = read_splits(root / "splits")
        for name, folder in sorted(folders.items()):
            data: dict[str, Any] = {"folder": folder.relative_to(root).as_posix()}
            if name in official:
                data["official"] = official[name]
            data.update(content_of(params.path, folder, files_of(folder)))
            yield Room(name, "scannetpp", name, split_of(name), TERMS, data)

    @staticmethod
    def extract(room: Room, folder: Path | None, params: Extract) -> Scene:
        """Return the room as a scene. Raises ValueError with path and byte, line or field."""
        own = room_folder(room, folder)
        check_content(room, own, files_of(own))
        return scene_of_recording(room, read_room(own, params.boxes, bool(params.frames)), params)


def find_rooms(root: Path) -> dict[str, Path]:
    """Return id -> folder."""
    level = root / "data" if (root / "data").is_dir() else root
    if not level.is_dir():
        return {}
    return {e.name: Path(e.path) for e in os.scandir(level) if any(os.path.isdir(f"{e.path}/{p}") for p in PARTS)}


def read_splits(folder: Path) -> dict[str, str]:
    """Return id -> the official lists that name it, as `nvs_sem_train`, several with a blank between."""
    named: dict[str, str] = {}
    for path in sorted(folder.glob("*.txt")) if folder.is_dir() else ():
        for name in path.read_text(errors="replace").split():
            named[name] = f"{named[name]} {path.stem}" if name in named else path.stem
    return named


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the files that extraction may read."""
    phone = video_of(folder)
    names = [folder / "scans" / name for name in SCANS]
    if phone is not None:
        names += [phone, phone.with_name("pose_intrinsic_imu.json"), phone.with_name("depth.bin")]
    else:
        names += [folder / "dslr" / "nerfstudio" / "transforms_undistorted.json"]
        for name in UNDISTORTED:
            if (folder / "dslr" / name).is_dir():
                names += [Path(e.path) for e in os.scandir(folder / "dslr" / name)]
    yield from (path for path in names if path.is_file())


def video_of(folder: Path) -> Path | None:
    """Return the phone's video, None if there is none."""
    return next((folder / "iphone" / name for name in VIDEOS if (folder / "iphone" / name).is_file()), None)


def read_room(folder: Path, rule: BoxRule = "gravity", with_film: bool = True) -> Recording:
    """Return what is known of a room. Raises ValueError: its mesh or annotation is missing, or a file is broken."""
    import numpy as np

    scans = folder / "scans"
    vertices, triangles = read_ply(scans / SCANS[0])
    of_vertex = np.array(read_json(scans / SCANS[1], Segments).segIndices, np.int64)
    if len(of_vertex) != len(vertices):
        raise ValueError(f"{scans / SCANS[1]}: {len(of_vertex)} segIndices, the mesh has {len(vertices)} vertices")
    groups = read_json(scans / SCANS[2], Annotation).segGroups
    members = members_of(scans / SCANS[2], groups, of_vertex)
    kept, structure = [], []
    for k, group in enumerate(groups):
        label = label_of(group)
        if label in OUTLINE:
            structure.append(members[k])
        if label and label not in STRUCTURE and label not in NO_THING:
            kept.append(k)
    # names alone: what a scene says of itself must not depend on where its files lie
    lost: dict[str, str] = {} if kept else {"labels": f"{SCANS[2]}: no object"}
    polygon = None
    try:
        polygon = room_outline(vertices[np.concatenate(structure)] if structure else np.zeros((0, 3)))
    except ValueError as e:
        lost["outline"] = str(e) if structure else f"{SCANS[2]}: no floor or wall"
    own = [members[k] for k in kept]
    labels = [label_of(groups[k]) for k in kept]
    if rule == "vsi":
        boxes = boxes_of([groups[k].obb for k in kept])
        check_within(scans / SCANS[2], labels, boxes, vertices)
    else:
        boxes = around(vertices, own)
    surface = Surface(vertices, owners(len(vertices), own, boxes[1]))
    film = film_of(folder, MeshDepth(vertices, triangles) if len(triangles) else None, lost) if with_film else None
    return Recording(labels, *boxes, film, surface, polygon, lost=lost)


def label_of(group: Group) -> str:
    """Return a group's label as questions name it."""
    return " ".join(group.label.lower().split())


def members_of(path: Path, groups: list[Group], of_vertex: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the vertices of each group. Raises ValueError: no segment of any group is in the mesh."""
    import numpy as np

    known, rank = np.unique(of_vertex, return_inverse=True)
    members = []
    for group in groups:
        wanted = np.array(group.segments, np.int64)
        place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        own = np.zeros(len(known), bool)
        own[place[known[place] == wanted]] = True
        members.append(np.flatnonzero(own[rank]))
    if groups and not any(map(len, members)):
        raise ValueError(f"{path}: none of its segments is in segments.json: of another mesh?")
    return members


def around(vertices: Floats, members: list[NDArray[np.int64]]) -> tuple[Floats, Floats, Floats]:
    """Return upright boxes around each object's vertices."""
    import numpy as np

    points = vertices[np.concatenate(members)] if members else np.zeros((0, 3))
    owner = np.repeat(np.arange(len(members), dtype=np.int32), [len(m) for m in members])
    return fit_boxes(points, owner, len(members), "gravity")


def owners(n_vertices: int, members: list[NDArray[np.int64]], size: Floats) -> NDArray[np.int32]:
    """Return the object of each vertex (P,), -1 for none; of several the smallest."""
    import numpy as np

    owner = np.full(n_vertices, -1, np.int32)
    volume = np.nan_to_num(size.prod(1), nan=np.inf)
    for i in np.argsort(-volume, kind="stable"):
        owner[members[i]] = i
    return owner


def film_of(folder: Path, drawn: MeshDepth | None, lost: dict[str, str]) -> Film | None:
    """Return the room's frames; note in `lost` what they lack: without "measured depth", it is the mesh's."""
    video = video_of(folder)
    if video is not None and video.with_name("pose_intrinsic_imu.json").is_file():
        film = PhoneFilm(video.parent, video, drawn)
        if film.depth is None:
            lost["measured depth" if drawn else "depth"] = "depth.bin: not there"
        return film
    if (folder / "dslr" / "nerfstudio" / "transforms_undistorted.json").is_file():
        lost["measured depth" if drawn else "depth"] = "photographs have none"
        lost["times"] = "photographs have none: a second apart, by name"
        return DslrFilm(folder / "dslr", drawn)
    lost["poses"] = lost["depth"] = "neither iphone/rgb.mkv with its poses nor undistorted dslr pictures"
    return None
