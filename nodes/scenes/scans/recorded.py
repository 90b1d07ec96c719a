"""A Recording as a Scene: some of its frames, and what each shows of every object.

Frames are taken evenly, first and last included, among those with a pose; among all where none has one. A pixel shows
the object whose scanned surface lies nearest to the point that its depth says, within SURFACE_M; without a surface, the
smallest box that the point lies in. Visibility as in visibility.py, over scanned points instead of a box's faces.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from nodes.scenes.camera import scale_K, unproject
from nodes.scenes.frames import Frames
from nodes.scenes.geometry import out_of_box, points_in_box, polygon_area, surface_points
from nodes.scenes.relations import find_relations
from nodes.scenes.sample import sample_frames
from nodes.scenes.scans.sound import check_recording, check_shot
from nodes.scenes.scene import Room, Scene
from nodes.scenes.visibility import SURFACE_POINTS, count_pixels, first_seen, visible_share

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from nodes.scenes.extract import Extract
    from nodes.scenes.scans.recording import Recording, Shot

    Floats = NDArray[np.float64]

SURFACE_M = 0.05  # depth sensors of phones and structured light are off by 1-3 cm within a room
BOX_SLACK_M = 0.03
GOLDEN = 0.6180339887498949
_ALWAYS = ("time_s", "number")
_MAYBE = {"K": "intrinsics", "T_wc": "poses", "depth": "depth"}  # by what a recording lacks that has none


def scene_of_recording(room: Room, recording: Recording, params: Extract) -> Scene:
    """Return the scene of a recorded room: `params.frames` of its frames, its objects, outline and relations.

    Raises:
        ValueError: the recording is not sound (see sound.py) or a frame is broken.
    """
    import numpy as np

    check_recording(room.id, recording)
    kept, lost = _fitted(recording)
    labels = [recording.labels[i] for i in kept]
    boxes = (recording.centre[kept], recording.size[kept], recording.rotation[kept])
    objects = Objects(boxes, recording, kept)
    shots = _Shown(objects)
    for shot in _chosen(recording, params.frames, lost):
        check_shot(room.id, recording, shot)
        shots.add(shot)
    shots.fill(lost)
    arrays: dict[str, np.ndarray] = {
        "centre": boxes[0],
        "size": boxes[1],
        "rotation": boxes[2],
        "polygon": np.zeros((0, 2)) if recording.polygon is None else recording.polygon,
        **shots.seen(),
    }
    return Scene(
        {name: getattr(room, name) for name in ("id", "source", "place", "split", "terms")},
        arrays,
        labels=labels,
        area_m2=_area_m2(recording),
        area_assumed=False,
        polygon_assumed=False,
        counts=Counter(recording.labels) if recording.counts is None else recording.counts,
        relations=find_relations(*boxes),
        frames=shots.frames(room.terms),
        lost=lost,
    )


def _area_m2(recording: Recording) -> float | None:
    """Return the source's own area, else the outline's, None where neither is known."""
    if recording.area_m2 is None and recording.polygon is not None:
        return polygon_area(recording.polygon)
    return recording.area_m2


def _fitted(recording: Recording) -> tuple[list[int], dict[str, str]]:
    """Return the objects that have a box, and what is lost, those without one included."""
    import numpy as np

    unfit = np.isnan(recording.centre).all(1)
    lost = dict(recording.lost)
    if unfit.any():
        names = ", ".join(f"{recording.labels[i]!r} ({i})" for i in np.flatnonzero(unfit).tolist())
        lost["boxes"] = f"too few points for a box of {names}"
    return np.flatnonzero(~unfit).tolist(), lost


def _chosen(recording: Recording, n: int, lost: dict[str, str]) -> Iterator[Shot]:
    """Yield the n frames that are kept, one at a time; note in `lost` where no frame has a pose."""
    import numpy as np

    if recording.film is None or not n:
        return
    has_pose = np.asarray(recording.film.has_pose)
    places = np.flatnonzero(has_pose)
    if not len(places):
        lost.setdefault("poses", f"none of {len(has_pose)} frames has one")
        places = np.arange(len(has_pose))
    yield from recording.film.shots([int(places[k]) for k in sample_frames(len(places), n)])


class Objects:
    """The N objects that can be recognised in a picture: each one's points, and whose a point in the world is."""

    def __init__(self, boxes: tuple[Floats, Floats, Floats], recording: Recording, kept: list[int]) -> None:
        self.boxes, self.n = boxes, len(kept)
        self._tree = None
        surface = recording.surface
        if surface is None:
            self.points = [
                out_of_box(surface_points(size, SURFACE_POINTS), centre, rotation)
                for centre, size, rotation in zip(*boxes, strict=True)
            ]
            return
        import numpy as np
        from scipy.spatial import cKDTree

        rank = np.full(len(recording.labels) + 1, 0, np.uint16)  # the last is -1's: no object
        rank[kept] = np.arange(1, self.n + 1)
        self._id = rank[surface.owner]
        self._tree = cKDTree(surface.vertices)
        self.points = [_some(surface.vertices[self._id == i + 1], 2 * SURFACE_POINTS) for i in range(self.n)]

    def ids(self, depth: NDArray[np.float32], T_wc: Floats, K: Floats) -> NDArray[np.uint16]:
        """Return instance ids (h, w), 0 or an object's index + 1, of an image with this depth (h, w)."""
        import numpy as np

        ids = np.zeros(depth.shape, np.uint16)
        if not self.n:
            return ids
        known = depth > 0
        points = unproject(depth, T_wc, K)[known]
        if self._tree is None:
            ids[known] = self._ids_by_box(points)
        else:
            _, nearest = self._tree.query(points, distance_upper_bound=SURFACE_M)
            ids[known] = np.append(self._id, np.uint16(0))[nearest]
        return ids

    def _ids_by_box(self, points: Floats) -> NDArray[np.uint16]:
        """Return for each point (P, 3) the smallest box it lies in, or up to BOX_SLACK_M outside of."""
        import numpy as np

        ids = np.zeros(len(points), np.uint16)
        for i in np.argsort(-self.boxes[1].prod(1), kind="stable"):
            centre, size, rotation = (part[i] for part in self.boxes)
            ids[points_in_box(points, centre, size + 2 * BOX_SLACK_M, rotation)] = i + 1
        return ids


class _Shown:
    """The frames taken so far, and what they show."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._jpeg: list[bytes] = []
        self._rows: dict[str, list[Any]] = {name: [] for name in (*_ALWAYS, *_MAYBE, "instance")}
        self._share: list[list[float]] = []

    def add(self, shot: Shot) -> None:
        """Take one frame."""
        self._jpeg.append(shot.jpeg)
        for name in (*_ALWAYS, *_MAYBE):
            self._rows[name].append(getattr(shot, name))
        self._check_depth(shot)
        ids, share = None, [0.0] * self._objects.n
        if shot.depth is not None and shot.T_wc is not None and shot.K is not None:
            K = scale_K(shot.K, shot.size, shot.depth.shape)
            ids = self._objects.ids(shot.depth, shot.T_wc, K)
            share = [visible_share(points, shot.T_wc, K, shot.depth) for points in self._objects.points]
        self._rows["instance"].append(ids)
        self._share.append(share)

    def _check_depth(self, shot: Shot) -> None:
        shapes = {row.shape for row in self._rows["depth"] if row is not None}
        if len(shapes) > 1:
            told = " and ".join(f"{h} x {w}" for h, w in sorted(shapes))
            raise ValueError(f"frame {shot.number}: depth of {told} among the frames, expected one size")

    def fill(self, lost: dict[str, str]) -> None:
        """Note in `lost` what frames do not have; where some have no depth, nothing is known there: 0."""
        import numpy as np

        for name, why in _MAYBE.items():
            rows = self._rows[name]
            if missing := sum(row is None for row in rows):
                lost.setdefault(why, f"{missing} of {len(rows)} frames have none")
        for name in ("depth", "instance"):
            shapes = {row.shape for row in self._rows[name] if row is not None}
            if len(shapes) == 1:
                blank = np.zeros(shapes.pop(), np.float32 if name == "depth" else np.uint16)
                self._rows[name] = [blank if row is None else row for row in self._rows[name]]

    def frames(self, terms: str) -> Frames | None:
        """Return the pictures, with what all of them have, and keep none: depth of many frames is large."""
        import numpy as np

        if not self._jpeg:
            return None
        arrays: dict[str, np.ndarray] = {
            "jpeg": np.frombuffer(b"".join(self._jpeg), np.uint8),
            "jpeg_end": np.cumsum([len(jpeg) for jpeg in self._jpeg], dtype=np.int64),
        }
        for name, rows in self._rows.items():
            if all(row is not None for row in rows):
                arrays[name] = np.stack(rows)
            rows.clear()
        return Frames(arrays, terms=terms)

    def seen(self) -> dict[str, np.ndarray]:
        """Return the scene's arrays by frame: nothing is seen where poses, depth or labels are lost."""
        import numpy as np

        f, n = len(self._jpeg), self._objects.n
        share, pixels = np.array(self._share, np.float32).reshape(f, n), np.zeros((f, n), np.int64)
        first = np.full(n, np.nan)
        ids = [row for row in self._rows["instance"] if row is not None]
        if ids and len(ids) == f:
            pixels = np.stack([count_pixels(row[None], n)[0] for row in ids])
            first = first_seen(share, pixels, ids[0].size, np.array(self._rows["time_s"]))
        return {"visibility": share, "pixels": pixels, "first_seen_s": first}


def _some(points: Floats, n: int) -> Floats:
    """Return up to n of the points, spread over their order by the golden ratio: no row of a grid comes up twice."""
    import numpy as np

    if len(points) <= n:
        return points
    return points[np.unique((np.arange(n) * GOLDEN % 1.0 * len(points)).astype(np.int64))]
