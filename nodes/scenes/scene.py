"""Room (one line of a listing) and Scene (a room's geometry and what its frames show).

Metres, world z up; conventions of boxes in geometry.py, of cameras in camera.py. Arrays are read when asked
for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from msgspec import Struct

from nodes.scenes.frames import Arrays, Frames
from store.artifact import Artifact, Reader, Writer

if TYPE_CHECKING:
    import networkx
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Room(Artifact):
    """One room that can be extracted: who it is, and in `data` all that extraction needs for it alone."""

    type: ClassVar[str] = "room/1"
    plain: ClassVar[str] = "nodes.plain:write_rooms"

    def __init__(self, id: str, source: str, place: str, split: str, terms: str, data: Mapping[str, Any]) -> None:
        self.id, self.source, self.place, self.split, self.terms = id, source, place, split, terms
        self.data = dict(data)

    def write(self, w: Writer) -> None:
        w.attrs.update(_identity(self), data=self.data)

    @classmethod
    def open(cls, r: Reader) -> Self:
        return cls(**r.attrs)

    def summary(self) -> dict[str, Any]:
        return _identity(self)


class Relation(Struct, frozen=True):
    """An edge of the scene graph that holds from every viewpoint: objects by index, closest distance in metres."""

    subject: int
    object: int
    name: str
    distance_m: float


class Scene(Artifact):
    """One room's objects, extent, what each frame shows of them, and how they stand to each other.

    labels N names; centre, size (N, 3) m, size in full lengths; rotation (N, 3, 3) rows = axes; polygon (V, 2) m, no
    row if the outline is not known; visibility (F, N) share of surface points shown; pixels (F, N); first_seen_s (N,),
    NaN = never. F = 0: no frame says what is seen, as in annotated rooms without a recording. `area_m2` is None where
    nobody knows it. `counts` is the source's own number of instances by label, which in annotated rooms can differ
    from the number of boxes.
    """

    type: ClassVar[str] = "scene/1"
    plain: ClassVar[str] = "nodes.plain:write_scenes"
    parts: ClassVar = {"frames": Frames}
    DIMS: ClassVar[dict[str, tuple[str, ...]]] = {
        "centre": ("object", "world"),
        "size": ("object", "axis"),
        "rotation": ("object", "axis", "world"),
        "polygon": ("vertex", "world_xy"),
        "visibility": ("frame", "object"),
        "pixels": ("frame", "object"),
        "first_seen_s": ("object",),
    }

    def __init__(
        self,
        room: Mapping[str, str],
        arrays: Mapping[str, np.ndarray] | Reader,
        *,
        labels: Sequence[str],
        area_m2: float | None,
        area_assumed: bool,
        polygon_assumed: bool,
        counts: Mapping[str, int],
        style: str = "",
        relations: Sequence[Relation] | None = None,
        frames: Frames | None = None,
        lost: Mapping[str, str] | None = None,
    ) -> None:
        """Take identity (id, source, place, split, terms), arrays as in DIMS (or a reader of them) and facts.

        `lost` says, by what the source should have but has not ("poses", "depth", "labels"), why.
        """
        self.id, self.source, self.place = room["id"], room["source"], room["place"]
        self.split, self.terms = room["split"], room["terms"]
        self.labels, self.counts, self.style = [*labels], dict(counts), style
        self.area_m2, self.area_assumed, self.polygon_assumed = area_m2, area_assumed, polygon_assumed
        self._arrays = Arrays(arrays)
        self._reader = arrays if isinstance(arrays, Reader) else None
        self._relations, self._frames = relations, frames
        self.lost = dict(lost or {})

    @property
    def centre(self) -> Floats:
        """Box centres (N, 3), metres."""
        return self._arrays["centre"]

    @property
    def size(self) -> Floats:
        """Full box lengths along the box's own axes (N, 3), metres."""
        return self._arrays["size"]

    @property
    def rotation(self) -> Floats:
        """Box axes (N, 3, 3), rows are unit vectors in the world."""
        return self._arrays["rotation"]

    @property
    def polygon(self) -> Floats:
        """Floor outline (V, 2), metres."""
        return self._arrays["polygon"]

    @property
    def visibility(self) -> NDArray[np.float32]:
        """Share of each object's surface points that each frame shows (F, N)."""
        return self._arrays["visibility"]

    @property
    def pixels(self) -> NDArray[np.int64]:
        """Pixels of each object in each frame (F, N)."""
        return self._arrays["pixels"]

    @property
    def first_seen_s(self) -> Floats:
        """When each object is first seen (N,), seconds; NaN = never."""
        return self._arrays["first_seen_s"]

    @property
    def has_frames(self) -> bool:
        """Whether there are pictures."""
        return self._frames is not None or (self._reader is not None and self._reader.has("frames"))

    @property
    def frames(self) -> Frames:
        """The pictures, an artifact of their own. Raises KeyError if the scene has none."""
        if self._frames is None:
            if self._reader is None or not self.has_frames:
                raise KeyError(f"scene {self.id} has no frames")
            self._frames = self._reader.artifact("frames", Frames)
        return self._frames

    @property
    def relations(self) -> Sequence[Relation]:
        """The edges of the scene graph."""
        if self._relations is None:
            self._relations = [] if self._reader is None else self._reader.table("relations", Relation)
        return self._relations

    def graph(self) -> networkx.MultiDiGraph:
        """Return objects as nodes (label) and relations as edges (key = name, distance_m)."""
        import networkx

        graph = networkx.MultiDiGraph(id=self.id)
        for i, label in enumerate(self.labels):
            graph.add_node(i, label=label)
        for edge in self.relations:
            graph.add_edge(edge.subject, edge.object, key=edge.name, distance_m=edge.distance_m)
        return graph

    def write(self, w: Writer) -> None:
        facts = ("labels", "area_m2", "area_assumed", "polygon_assumed", "counts", "style")
        w.attrs.update(_identity(self), **{name: getattr(self, name) for name in facts})
        if self.lost:
            w.attrs["lost"] = self.lost
        for name, dims in self.DIMS.items():
            w.array(name, self._arrays[name], dims)
        w.table("relations", self.relations, Relation)
        if self.has_frames:
            w.artifact("frames", self.frames)

    @classmethod
    def open(cls, r: Reader) -> Self:
        facts = r.attrs
        room = {name: facts.pop(name) for name in _IDENTITY}
        return cls(room, r, **facts)

    def summary(self) -> dict[str, Any]:
        never = int((self.first_seen_s != self.first_seen_s).sum())
        return {
            **_identity(self),
            "objects": len(self.labels),
            "labels": sorted(set(self.labels)),
            "area_m2": None if self.area_m2 is None else round(self.area_m2, 2),
            "frames": len(self.visibility),
            "never_seen": never,
            **({"lost": self.lost} if self.lost else {}),
        }


_IDENTITY = ("id", "source", "place", "split", "terms")


def _identity(artifact: Room | Scene) -> dict[str, Any]:
    return {name: getattr(artifact, name) for name in _IDENTITY}
