"""What may be said of a scene from the frames that are shown: visible, glimpsed and unseen objects; distances.

Validity: an object counts as seen in a frame if both its visibility and its share of the pixels reach the thresholds,
as unseen if it has no pixel there; between the two it is only glimpsed, and nothing is asked that turns on it.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from nodes.questions.task import Need
from nodes.questions.thresholds import Thresholds

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from scipy.spatial import cKDTree

    from nodes.scenes.sample import Sample
    from nodes.scenes.scene import Scene

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

Rule: TypeAlias = Literal["exact", "vsi"]


class SceneView:
    """One scene with the thresholds in force; every array is computed once, when it is first asked for.

    F shown frames, N objects. `shown`: the scene's own indices of the F frames; arrays by frame have a row for each of
    them, in that order, and `row` leads back. `rule`: how box distances are measured. A scene without frames is taken
    as seen whole: its questions are about a recording that is not here.
    """

    def __init__(
        self, scene: Scene, thresholds: Thresholds, sample: Sample | None = None, rule: Rule = "exact"
    ) -> None:
        """Look at a scene through the frames of its sample; all of its frames where there is none.

        Raises:
            ValueError: arrays of objects disagree in length; the sample is of other frames.
        """
        import numpy as np

        self.scene = scene
        self.thresholds = thresholds
        self.rule: Rule = rule
        self.labels = list(scene.labels)
        self.centre: Floats = np.asarray(scene.centre, dtype=float).reshape(-1, 3)
        self.size: Floats = np.asarray(scene.size, dtype=float).reshape(-1, 3)
        self.rotation: Floats = np.asarray(scene.rotation, dtype=float).reshape(-1, 3, 3)
        share, pixels = np.asarray(scene.visibility, dtype=float), np.asarray(scene.pixels)
        _check(self, share, pixels)
        self.shown = tuple(range(len(share))) if sample is None else _shown(scene, sample, len(share))
        self.row = {frame: row for row, frame in enumerate(self.shown)}
        self.visibility: Floats = share[list(self.shown)]
        self.pixels: NDArray[np.int64] = pixels[list(self.shown)]
        self.n_frames = len(self.shown)
        self.ambiguous: Counter[str] = Counter()  # by task, what it passed over: its label names several in the frame
        self._distances: dict[tuple[int, int], float] = {}
        self._clouds: dict[int, cKDTree] = {}
        self._nearest: dict[tuple[int, str], float] = {}

    @cached_property
    def lacks(self) -> set[Need]:
        """What tasks may need and this scene does not have."""
        scene = self.scene
        found: set[Need] = {"boxes"} if self.labels else set()
        if scene.area_m2 is not None and not scene.area_assumed:
            found.add("area")
        if not self.shown or self.scene.frames.has("instance"):
            found.add("visibility")
        if self.shown:
            found.add("frames")
            arrays: dict[Need, str] = {"instances": "instance", "depth": "depth", "poses": "T_wc"}
            found |= {need for need, name in arrays.items() if scene.frames.has(name)}
        return set(get_args(Need)) - found

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Height and width of the frames' instance ids in pixels; 0, 0 where there are none."""
        known = self.shown and self.scene.frames.has("instance")
        height, width = self.scene.frames.instance(0).shape if known else (0, 0)
        return height, width

    @cached_property
    def glimpsed(self) -> Bools:
        """(F, N): at least one pixel in the frame."""
        return self.pixels > 0

    @cached_property
    def seen(self) -> Bools:
        """(F, N): visible enough to be asked about in that frame."""
        floor = self.thresholds.pixels_min * self.shape[0] * self.shape[1]
        enough = (self.visibility >= self.thresholds.visibility_min) & (self.pixels >= floor)
        return self.glimpsed & enough

    @cached_property
    def seen_shown(self) -> Bools:
        """(N,): seen in at least one shown frame."""
        import numpy as np

        return np.asarray(self.seen.any(0)) if self.shown else np.ones(len(self.labels), bool)

    @cached_property
    def instances(self) -> dict[str, list[int]]:
        """Objects by label, labels in alphabetical order."""
        groups: dict[str, list[int]] = {label: [] for label in sorted(set(self.labels))}
        for index, label in enumerate(self.labels):
            groups[label].append(index)
        return groups

    @cached_property
    def complete(self) -> dict[str, bool]:
        """Whether the boxes of a label are all there are: False where the source itself counts more of them."""
        counts = self.scene.counts
        return {label: counts.get(label, 0) <= len(group) for label, group in self.instances.items()}

    @cached_property
    def named(self) -> list[int]:
        """Objects that a video question may name: the only one of their label, and seen in the shown frames."""
        single = [group[0] for label, group in self.instances.items() if len(group) == 1 and self.complete[label]]
        return [i for i in single if self.seen_shown[i]]

    @cached_property
    def whole_labels(self) -> list[str]:
        """Labels whose every instance has a box and is seen in the shown frames."""
        groups = self.instances.items()
        return [label for label, group in groups if self.complete[label] and self.seen_shown[group].all()]

    @cached_property
    def nameable(self) -> Bools:
        """(F, N): seen in the frame, and no other object of the same label has a pixel there, as far as boxes tell."""
        import numpy as np

        alone = np.ones_like(self.seen)
        for label, group in self.instances.items():
            if not self.complete[label]:
                alone[:, group] = False
            elif len(group) > 1:
                alone[:, group] = self.glimpsed[:, group].sum(1, keepdims=True) == 1
        return self.seen & alone

    @cached_property
    def corners(self) -> Floats:
        """(N, 8, 3): the boxes' corners in metres."""
        import numpy as np

        signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
        return self.centre[:, None] + np.einsum("cs,ns,nsw->ncw", signs, self.size / 2, self.rotation)

    @cached_property
    def heights(self) -> Floats:
        """(N,): vertical extents in metres."""
        return self.corners[..., 2].max(1) - self.corners[..., 2].min(1)

    @cached_property
    def cameras(self) -> Floats:
        """(F, 3): camera positions in metres."""
        import numpy as np

        return np.asarray(self.scene.frames.T_wc, dtype=float)[list(self.shown), :3, 3]

    @cached_property
    def times(self) -> Floats:
        """(F,): when the frames were taken, in seconds."""
        import numpy as np

        return np.asarray(self.scene.frames.time_s, dtype=float)[list(self.shown)]

    @cached_property
    def camera_distance(self) -> tuple[Floats, Floats]:
        """(F, N) twice: metres from the camera to the closest point of each box, and to its centre."""
        import numpy as np

        offset = self.cameras[:, None] - self.centre
        local = np.abs(np.einsum("naw,fnw->fna", self.rotation, offset))
        outside = np.maximum(local - self.size / 2, 0)
        return np.sqrt((outside**2).sum(-1)), np.sqrt((offset**2).sum(-1))

    @cached_property
    def whole(self) -> Bools:
        """(F, N): the box projects wholly into the picture, so that its edge cuts nothing off."""
        import numpy as np

        from nodes.scenes.camera import project

        frames = self.scene.frames
        height, width = frames.rgb(self.shown[0]).shape[:2]
        inside = np.zeros(self.seen.shape, bool)
        for row, frame in enumerate(self.shown):
            uv, z = project(self.corners, frames.T_wc[frame], frames.K[frame])
            fits = (z > 0) & (uv[..., 0] >= 0) & (uv[..., 0] <= width) & (uv[..., 1] >= 0) & (uv[..., 1] <= height)
            inside[row] = fits.all(1)
        return inside

    def columns(self, rows: Sequence[int]) -> Floats:
        """Return (len(rows), N): mean column of each object's pixels, share of the width, NaN where it has none."""
        import numpy as np

        n, width = len(self.labels), self.shape[1]
        means = np.full((len(rows), n), np.nan)
        for row, shown in enumerate(rows):
            instance = self.scene.frames.instance(self.shown[shown])
            pixels, column = np.nonzero(instance)
            ids = instance[pixels, column].astype(int) - 1
            total = np.bincount(ids, weights=column + 0.5, minlength=n)[:n]
            count = np.bincount(ids, minlength=n)[:n]
            means[row, count > 0] = total[count > 0] / count[count > 0] / width
        return means

    @cached_property
    def exact_distances(self) -> Floats:
        """(N, N): exact closest distances of the boxes in metres, 0 on the diagonal."""
        import numpy as np

        from nodes.scenes.geometry import box_distances

        n = len(self.labels)
        matrix, (a, b) = np.zeros((n, n)), np.triu_indices(n, 1)
        matrix[a, b] = matrix[b, a] = box_distances(self.centre, self.size, self.rotation, np.stack([a, b], axis=1))
        return matrix

    def distance(self, a: int, b: int) -> float:
        """Return the closest distance of two objects' boxes in metres, by the rule in force."""
        if self.rule == "exact":
            return float(self.exact_distances[a, b])
        key = (a, b) if a < b else (b, a)
        if key not in self._distances:
            few, many = sorted((self._cloud(a), self._cloud(b)), key=lambda tree: tree.n)
            self._distances[key] = float(many.query(few.data)[0].min())
        return self._distances[key]

    def _cloud(self, i: int) -> cKDTree:
        """Return the points by which VSI-Bench measures from a box (geometry.vsi_points), as a tree."""
        from scipy.spatial import cKDTree

        from nodes.scenes.geometry import vsi_points

        if i not in self._clouds:
            self._clouds[i] = cKDTree(vsi_points(self.centre[i], self.size[i], self.rotation[i]))
        return self._clouds[i]

    def nearest(self, a: int, label: str) -> float:
        """Return the closest distance of an object's box to any other one of a label, in metres."""
        if (a, label) not in self._nearest:
            others = [i for i in self.instances[label] if i != a]
            self._nearest[a, label] = min(self.distance(a, i) for i in others)
        return self._nearest[a, label]


def _shown(scene: Scene, sample: Sample, n_frames: int) -> tuple[int, ...]:
    if sample.scene != scene.id or not all(0 <= index < n_frames for index in sample.indices):
        raise ValueError(
            f"scene {scene.id!r} has {n_frames} frames; the sample names {list(sample.indices)} of {sample.scene!r}"
        )
    return sample.indices


def _check(view: SceneView, share: Floats, pixels: NDArray[np.int64]) -> None:
    n = len(view.labels)
    where = f"scene {view.scene.id!r}"
    for name in ("centre", "size", "rotation"):
        if len(getattr(view, name)) != n:
            raise ValueError(f"{where}: {len(getattr(view, name))} rows of {name}, expected {n}, one a label")
    expected = (len(share), n)
    for name, array in (("visibility", share), ("pixels", pixels)):
        if array.shape != expected:
            raise ValueError(f"{where}: {name} has shape {array.shape}, expected {expected}")
