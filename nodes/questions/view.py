"""What may be said of a scene from the frames that are shown: visible, glimpsed and unseen objects; distances.

Validity: an object counts as seen in a frame if both its visibility and its share of the pixels reach the thresholds,
as unseen if it has no pixel there; between the two it is only glimpsed, and nothing is asked that turns on it.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

from nodes.questions.thresholds import Thresholds

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from nodes.scenes.scene import Scene

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

Rule: TypeAlias = Literal["exact", "vsi"]


class SceneView:
    """One scene with the thresholds in force; every array is computed once, when it is first asked for.

    F frames, N objects. `shown`: indices of the frames that video tasks show. `rule`: how box distances are measured.
    """

    def __init__(self, scene: Scene, thresholds: Thresholds, n_shown: int, rule: Rule = "exact") -> None:
        """Look at a scene; video tasks show `n_shown` of its frames, evenly spaced, all if it has fewer.

        Raises:
            ValueError: it has no frames, or arrays of objects disagree in length.
        """
        import numpy as np

        self.scene = scene
        self.thresholds = thresholds
        self.rule: Rule = rule
        self.labels = list(scene.labels)
        self.centre: Floats = np.asarray(scene.centre, dtype=float).reshape(-1, 3)
        self.size: Floats = np.asarray(scene.size, dtype=float).reshape(-1, 3)
        self.rotation: Floats = np.asarray(scene.rotation, dtype=float).reshape(-1, 3, 3)
        self.visibility: Floats = np.asarray(scene.visibility, dtype=float)
        self.pixels: NDArray[np.int64] = np.asarray(scene.pixels)
        _check(self)
        self.n_frames = len(self.visibility)
        self.shown = sample_frames(self.n_frames, n_shown)
        self._distances: dict[tuple[int, int], float] = {}

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Height and width of the frames in pixels."""
        height, width = self.scene.frames.instance(0).shape
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

        return np.asarray(self.seen[list(self.shown)].any(0))

    @cached_property
    def instances(self) -> dict[str, list[int]]:
        """Objects by label, labels in alphabetical order."""
        groups: dict[str, list[int]] = {label: [] for label in sorted(set(self.labels))}
        for index, label in enumerate(self.labels):
            groups[label].append(index)
        return groups

    @cached_property
    def named(self) -> list[int]:
        """Objects that a video question may name: the only one of their label, and seen in the shown frames."""
        return [group[0] for group in self.instances.values() if len(group) == 1 and self.seen_shown[group[0]]]

    @cached_property
    def whole_labels(self) -> list[str]:
        """Labels whose every instance is seen in the shown frames."""
        return [label for label, group in self.instances.items() if self.seen_shown[group].all()]

    @cached_property
    def nameable(self) -> Bools:
        """(F, N): seen in the frame, and no other object of the same label has a pixel there."""
        import numpy as np

        alone = np.ones_like(self.seen)
        for group in self.instances.values():
            if len(group) > 1:
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

        return np.asarray(self.scene.frames.T_wc, dtype=float)[:, :3, 3]

    @cached_property
    def times(self) -> Floats:
        """(F,): when the frames were taken, in seconds."""
        import numpy as np

        return np.asarray(self.scene.frames.time_s, dtype=float)

    @cached_property
    def camera_distance(self) -> tuple[Floats, Floats]:
        """(F, N) twice: metres from the camera to the closest point of each box, and to its centre."""
        import numpy as np

        offset = self.cameras[:, None] - self.centre
        local = np.abs(np.einsum("naw,fnw->fna", self.rotation, offset))
        outside = np.maximum(local - self.size / 2, 0)
        return np.sqrt((outside**2).sum(-1)), np.sqrt((offset**2).sum(-1))

    def columns(self, frames: Sequence[int]) -> Floats:
        """Return (len(frames), N): mean column of each object's pixels, share of the width, NaN where it has none."""
        import numpy as np

        n, width = len(self.labels), self.shape[1]
        means = np.full((len(frames), n), np.nan)
        for row, frame in enumerate(frames):
            instance = self.scene.frames.instance(frame)
            pixels, column = np.nonzero(instance)
            ids = instance[pixels, column].astype(int) - 1
            total = np.bincount(ids, weights=column + 0.5, minlength=n)[:n]
            count = np.bincount(ids, minlength=n)[:n]
            means[row, count > 0] = total[count > 0] / count[count > 0] / width
        return means

    def distance(self, a: int, b: int) -> float:
        """Return the closest distance of two objects' boxes in metres, by the rule in force."""
        from nodes.scenes.geometry import box_distance, vsi_distance

        key = (a, b) if a < b else (b, a)
        if key not in self._distances:
            measure = box_distance if self.rule == "exact" else vsi_distance
            i, j = key
            self._distances[key] = measure(
                self.centre[i], self.size[i], self.rotation[i], self.centre[j], self.size[j], self.rotation[j]
            )
        return self._distances[key]


def sample_frames(n_frames: int, n_shown: int) -> tuple[int, ...]:
    """Return the indices of a uniform sample, first and last frame included; one alone is the middle frame.

    Example:
        >>> sample_frames(9, 3), sample_frames(9, 1), sample_frames(2, 4)
        ((0, 4, 8), (4,), (0, 1))
    """
    if n_shown >= n_frames:
        return tuple(range(n_frames))
    if n_shown == 1:
        return (n_frames // 2,)
    return tuple(i * (n_frames - 1) // (n_shown - 1) for i in range(n_shown))


def _check(view: SceneView) -> None:
    n = len(view.labels)
    where = f"scene {view.scene.id!r}"
    if view.visibility.ndim != 2 or not len(view.visibility):
        raise ValueError(
            f"{where}: visibility has shape {view.visibility.shape}, expected (frames, objects), 1 frame or more"
        )
    for name in ("centre", "size", "rotation"):
        if len(getattr(view, name)) != n:
            raise ValueError(f"{where}: {len(getattr(view, name))} rows of {name}, expected {n}, one a label")
    expected = (len(view.visibility), n)
    for name in ("visibility", "pixels"):
        if getattr(view, name).shape != expected:
            raise ValueError(f"{where}: {name} has shape {getattr(view, name).shape}, expected {expected}")
